"""Whether a layer may carry a package, by every field of its metadata that speaks of a licence.

License-Expression is the authority where it is there, else all classifiers together, else License.
What remains of the fields has to agree; one that cannot be read agrees with nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

# Weak copyleft of a file's own (MPL) may be in a layer as it is; GPL, AGPL and LGPL may not.
PERMITTED = frozenset(
    {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0",
     "PSF-2.0", "Unlicense", "CC0-1.0", "Apache-2.0 WITH LLVM-exception"}
)  # fmt: skip
_BSD = ("BSD-3-Clause", "BSD-2-Clause")
# What a classifier or License may say in place of an identifier. Where a name leaves more than one
# open, another field says which; else it is the first.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "Apache 2.0": ("Apache-2.0",),
    "Apache License 2.0": ("Apache-2.0",),
    "Apache License, Version 2.0": ("Apache-2.0",),
    "Apache Software License": ("Apache-2.0",),
    "BSD": _BSD,
    "BSD License": _BSD,
    "ISC License (ISCL)": ("ISC",),
    "MIT License": ("MIT",),
    "MIT No Attribution License (MIT-0)": ("MIT-0",),
    "Mozilla Public License 2.0 (MPL 2.0)": ("MPL-2.0",),
    "Python Software Foundation License": ("PSF-2.0",),
}
_TREE = "License :: "
_SAY_NOTHING = frozenset({"License :: OSI Approved", "License :: DFSG approved"})
_TOKEN = re.compile(r"[()]|[^\s()]+ WITH [^\s()]+|[^\s()]+")
_LONGEST = 100  # characters of License; some packages put the whole licence there


class LicenceError(ValueError):
    """A layer may not carry it, or nobody can say whether it may."""


@dataclass(frozen=True)
class Fields:
    """What a package's metadata says of its licence; empty where it says nothing."""

    expression: str = ""
    classifiers: tuple[str, ...] = ()
    text: str = ""

    @classmethod
    def of(
        cls, expressions: Sequence[str], classifiers: Sequence[str], texts: Sequence[str]
    ) -> Fields:
        """A field that stands twice is joined, and then no licence that can be read."""
        speaking = (one for one in classifiers if one.lower().startswith("license"))
        return cls(
            _joined(expressions),
            tuple(one for one in speaking if one not in _SAY_NOTHING),
            _shortened(_joined([one for one in texts if one.strip() != "UNKNOWN"])),
        )

    def __str__(self) -> str:
        named = [("License-Expression", self.expression)] if self.expression else []
        named += [("Classifier", one) for one in self.classifiers]
        named += [("License", self.text)] if self.text else []
        return ", ".join(f"{field} {value!r}" for field, value in named) or "no field"


def judged(fields: Fields) -> str:
    """The licence as an SPDX expression. LicenceError says why a layer may not carry it."""
    expression = _authority(fields)
    if not permitted(expression):
        raise LicenceError(f"{expression} is not permitted")
    granted = _identifiers(expression)
    for name in (*map(_classifier, fields.classifiers), *_text(fields.text)):
        if not granted & set(name):
            raise _contradiction(expression, " or ".join(name))
    # `MIT OR GPL-3.0-only` leaves the choice, and a License of `GPL-3.0-only` takes it back.
    if fields.text and not permitted(text := _written_out(fields.text)):
        raise _contradiction(expression, text)
    return expression


def _contradiction(one: str, other: str) -> LicenceError:
    return LicenceError(f"its fields contradict each other ({one}; {other})")


def permitted(expression: str) -> bool:
    """Of an SPDX expression in its canonical form."""
    return _either(_TOKEN.findall(expression)[::-1])


def _authority(fields: Fields) -> str:
    if fields.expression:
        return _canonical(fields.expression)
    if not fields.classifiers:
        if not fields.text:
            raise LicenceError("no licence is named")
        return _written_out(fields.text)
    told = {identifier for name in _text(fields.text) for identifier in name}
    chosen = [
        next((one for one in name if one in told), name[0])
        for name in map(_classifier, fields.classifiers)
    ]
    # Nothing says whether one of them is enough, so each of them counts.
    return " AND ".join(sorted(set(chosen)))


def _canonical(text: str) -> str:
    try:
        return canonicalize_license_expression(text)
    except InvalidLicenseExpression as error:
        raise LicenceError(f"{text!r} is no SPDX expression, nor a name known here") from error


def _classifier(text: str) -> tuple[str, ...]:
    """The identifiers of which it names one."""
    name = text.removeprefix(_TREE).removeprefix("OSI Approved :: ")
    if name not in _NAMES:
        raise LicenceError(f"{text!r} is copyleft, or unknown here")
    return _NAMES[name]


def _text(text: str) -> list[tuple[str, ...]]:
    if not text:
        return []
    if text in _NAMES:
        return [_NAMES[text]]
    return [(one,) for one in sorted(_identifiers(_canonical(text)))]


def _written_out(text: str) -> str:
    return _NAMES[text][0] if text in _NAMES else _canonical(text)


def _identifiers(expression: str) -> set[str]:
    """Without their exceptions, which no classifier can name."""
    tokens = set(_TOKEN.findall(expression)) - {"(", ")", "AND", "OR"}
    return {one.partition(" WITH ")[0] for one in tokens}


# `rest` is reversed, so that `pop` takes what comes next. AND binds closer than OR.


def _either(rest: list[str]) -> bool:
    found = _both(rest)
    while rest and rest[-1] == "OR":
        rest.pop()
        found = _both(rest) or found
    return found


def _both(rest: list[str]) -> bool:
    found = _one(rest)
    while rest and rest[-1] == "AND":
        rest.pop()
        found = _one(rest) and found
    return found


def _one(rest: list[str]) -> bool:
    token = rest.pop()
    if token != "(":
        return token in PERMITTED
    found = _either(rest)
    rest.pop()  # its ")"
    return found


def _joined(texts: Sequence[str]) -> str:
    return "; ".join(" ".join(one.split()) for one in texts)


def _shortened(line: str) -> str:
    """Its beginning, and a digest that changes with the rest."""
    if len(line) <= _LONGEST:
        return line
    return f"{line[:_LONGEST]}... (SHA-256 {sha256(line.encode()).hexdigest()[:16]})"
