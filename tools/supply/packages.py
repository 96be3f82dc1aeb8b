"""The packages of a layer, from its hash-pinned requirements and their installed metadata."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAYERS = ("autoscaler", "gateway")
UNKNOWN = "unknown"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(\[[a-z,]+\])?==([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_CLASSIFIER = "License :: OSI Approved :: "
# As SPDX has them. What is not here and no SPDX expression is told as unknown, and a test fails.
_SPDX = {
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "Dual License": "Apache-2.0 OR BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
_KNOWN = frozenset(
    {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0",
     "PSF-2.0", "Unlicense", "CC0-1.0"}
)  # fmt: skip
_WORD = re.compile(r"\s+(?:AND|OR|WITH)\s+|[()]")


@dataclass(frozen=True)
class Package:
    """One pinned package. `hashes`: SHA-256 of every file that the lock accepts."""

    name: str
    version: str
    hashes: tuple[str, ...]
    licence: str

    @property
    def purl(self) -> str:
        return f"pkg:pypi/{self.name.lower()}@{self.version}"


def packages(layer: str) -> list[Package]:
    """By name. ValueError for a requirement that is not pinned with hashes."""
    text = (ROOT / "layers" / layer / "requirements.txt").read_text().replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        pin, hashes = _PIN.match(line), tuple(sorted(_HASH.findall(line)))
        if pin is None or not hashes:
            raise ValueError(
                f"layers/{layer}/requirements.txt: {line[:60]!r} has no pin with hashes"
            )
        found.append(Package(pin[1], pin[3], hashes, licence_of(pin[1])))
    return sorted(found, key=lambda one: one.name.lower())


def licence_of(name: str) -> str:
    """As SPDX writes it, from what is installed here; UNKNOWN if that says nothing usable."""
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return UNKNOWN
    classifiers = [
        one.removeprefix(_CLASSIFIER)
        for one in said.get_all("Classifier") or []
        if one.startswith(_CLASSIFIER)
    ]
    given = (said.get("License-Expression"), *classifiers, said.get("License"))
    return next((spdx for one in given if one and (spdx := _as_spdx(one))), UNKNOWN)


def _as_spdx(text: str) -> str:
    text = text.strip()
    words = [word for word in _WORD.split(text) if word]
    if words and all(word in _KNOWN for word in words):
        return text
    return _SPDX.get(text, "")
