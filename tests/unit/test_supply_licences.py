"""No field that sounds permissive lets a licence through that another field refuses."""

from __future__ import annotations

from email.message import Message

import pytest
from packaging.licenses import canonicalize_license_expression

from tools.supply import packages as supply
from tools.supply.exceptions import CHECKED, Checked
from tools.supply.licences import PERMITTED, Fields, LicenceError, permitted
from tools.supply.packages import licence_of

OSI = "License :: OSI Approved :: "
MIT, APACHE, BSD = f"{OSI}MIT License", f"{OSI}Apache Software License", f"{OSI}BSD License"
GPL = f"{OSI}GNU General Public License v3 (GPLv3)"
AGPL = f"{OSI}GNU Affero General Public License v3"


def with_metadata(monkeypatch: pytest.MonkeyPatch, *fields: tuple[str, str]) -> None:
    said = Message()
    for name, value in fields:
        said[name] = value
    monkeypatch.setattr(supply, "metadata", lambda _name: said)


def expression(value: str) -> tuple[str, str]:
    return ("License-Expression", value)


def classifier(value: str) -> tuple[str, str]:
    return ("Classifier", value)


def text(value: str) -> tuple[str, str]:
    return ("License", value)


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ([expression("MIT AND PSF-2.0")], "MIT AND PSF-2.0"),
        ([expression("mit or gpl-3.0-ONLY")], "MIT OR GPL-3.0-only"),
        ([expression("Apache-2.0 WITH LLVM-exception")], "Apache-2.0 WITH LLVM-exception"),
        ([expression("Apache-2.0 WITH LLVM-exception"), classifier(APACHE)],
         "Apache-2.0 WITH LLVM-exception"),
        ([expression("MIT"), classifier(MIT), text("MIT")], "MIT"),
        ([expression("BSD-2-Clause"), classifier(BSD), text("BSD")], "BSD-2-Clause"),
        ([expression("Apache-2.0 OR MIT"), classifier(MIT)], "Apache-2.0 OR MIT"),
        ([expression(" AND ".join(sorted(PERMITTED)))], " AND ".join(sorted(PERMITTED))),
        ([classifier(MIT)], "MIT"),
        ([classifier(MIT), classifier(APACHE), text("MIT License")], "Apache-2.0 AND MIT"),
        ([classifier(BSD)], "BSD-3-Clause"),
        ([classifier(BSD), text("BSD-2-Clause")], "BSD-2-Clause"),
        ([classifier("License :: OSI Approved"), classifier("Topic :: Text"), text("ISC")], "ISC"),
        ([classifier(MIT), text("UNKNOWN")], "MIT"),
        ([text("Apache License, Version 2.0")], "Apache-2.0"),
        ([text("mit OR apache-2.0")], "MIT OR Apache-2.0"),
    ],
)  # fmt: skip
def test_what_all_fields_agree_on_is_the_licence(fields, licence, monkeypatch) -> None:
    with_metadata(monkeypatch, *fields)
    assert licence_of("x") == licence


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ([expression("GPL-3.0-only"), text("BSD")], "GPL-3.0-only is not permitted"),
        ([expression("MIT AND GPL-3.0-only"), classifier(MIT)], "not permitted"),
        ([classifier(AGPL), classifier(MIT)], "copyleft, or unknown"),
        ([classifier(MIT), classifier(AGPL)], "copyleft, or unknown"),
        ([classifier(GPL), text("MIT")], "copyleft, or unknown"),
        ([expression("AGPL-3.0-only")], "not permitted"),
        ([expression("MIT AND (GPL-2.0-only OR LGPL-2.1-only)")], "not permitted"),
        ([expression("GPL-2.0-only WITH Classpath-exception-2.0")], "not permitted"),
        ([expression("MIT WITH LLVM-exception")], "not permitted"),
        ([expression("LicenseRef-Ours"), text("MIT")], "not permitted"),
        ([expression("MIT AND"), text("MIT")], "no SPDX expression"),
        ([expression("Apache License 2.0"), classifier(APACHE)], "no SPDX expression"),
        ([expression("MIT"), expression("GPL-3.0-only")], "no SPDX expression"),
        ([expression("MIT-"), expression("0")], "no SPDX expression"),
        ([expression("MIT"), classifier(GPL)], "copyleft, or unknown"),
        ([expression("MIT"), classifier(APACHE)], "contradict"),
        ([expression("MIT"), text("GPL-3.0-only")], "contradict"),
        ([expression("MIT OR GPL-3.0-only"), text("GPL-3.0-only")], "contradict"),
        ([expression("MIT"), text("see the file")], "no SPDX expression"),
        ([classifier(MIT), text("GPL-3.0-only")], "contradict"),
        ([classifier(MIT), text("MIT OR GPL-3.0-only")], "contradict"),
        ([classifier(BSD), text("0BSD")], "contradict"),
        ([classifier(MIT), text("GNU GPL v3")], "no SPDX expression"),
        ([classifier(MIT), classifier("License :: Other/Proprietary License")], "or unknown"),
        ([classifier(MIT), classifier("license :: other")], "or unknown"),
        ([text("see the file")], "no SPDX expression"),
        ([text("GPL-3.0-only")], "not permitted"),
        ([text("UNKNOWN"), classifier("License :: OSI Approved")], "no licence is named"),
        ([], "no licence is named"),
    ],
)  # fmt: skip
def test_what_one_field_refuses_no_other_lets_through(fields, why, monkeypatch) -> None:
    with_metadata(monkeypatch, *fields)
    with pytest.raises(LicenceError, match=why) as refused:
        licence_of("some-package")
    sentence = str(refused.value)
    assert sentence.startswith("some-package: ")
    assert sentence.endswith("CHECKED in tools/supply/exceptions.py")
    for _, value in fields:
        assert value in sentence or value in ("UNKNOWN", "License :: OSI Approved")


@pytest.mark.parametrize(
    ("of", "may"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-only AND MIT", False),
        ("GPL-3.0-only OR MIT AND ISC", True),
        ("GPL-3.0-only AND MIT OR ISC", True),
        ("ISC OR MIT AND GPL-3.0-only", True),
        ("(ISC OR MIT) AND GPL-3.0-only", False),
        ("GPL-3.0-only AND (ISC OR MIT)", False),
        ("((MIT) AND (GPL-3.0-only OR (ISC AND MIT)))", True),
        ("Apache-2.0+", False),
        ("GPL-3.0-only OR Apache-2.0 WITH LLVM-exception", True),
        ("MIT OR GPL-3.0-only WITH GCC-exception-3.1", True),
        ("MIT AND GPL-3.0-only WITH GCC-exception-3.1", False),
    ],
)
def test_of_an_or_one_side_is_enough_and_an_and_needs_both(of: str, may: bool) -> None:
    assert permitted(of) is may


def test_an_exception_holds_for_the_fields_that_were_looked_at_alone(monkeypatch) -> None:
    monkeypatch.setattr(
        supply, "CHECKED", {"x": Checked(Fields(text="GPL, or ask us"), "LGPL-2.1-only", "asked")}
    )
    with_metadata(monkeypatch, text("GPL, or\n   ask us"))
    assert licence_of("x") == "LGPL-2.1-only"
    with pytest.raises(LicenceError, match=r"^y: "):
        licence_of("y")
    with_metadata(monkeypatch, text("GPL, or ask us"), classifier(GPL))
    with pytest.raises(LicenceError, match=r"^x: "):
        licence_of("x")


def test_of_a_licence_that_stands_there_whole_each_word_counts(monkeypatch) -> None:
    whole = "Permission is hereby granted, free of charge, to any person " * 20
    ours, theirs = (Fields.of([], [], [whole + end]) for end in ("AS IS", "but not to you"))
    assert ours != theirs
    assert len(ours.text) < 150
    with_metadata(monkeypatch, text(whole))
    with pytest.raises(LicenceError, match=r"SHA-256 [0-9a-f]{16}"):
        licence_of("x")


@pytest.mark.parametrize("name", CHECKED)
def test_every_exception_is_needed_and_has_its_reason(name: str, monkeypatch) -> None:
    checked = CHECKED[name]
    assert licence_of(name) == checked.licence, "the fields are others now: look again"
    assert canonicalize_license_expression(checked.licence) == checked.licence
    assert len(checked.reason) > 40
    monkeypatch.setattr(supply, "CHECKED", {})
    with pytest.raises(LicenceError, match=rf"^{name}: "):
        licence_of(name)


def test_what_is_not_installed_is_refused_by_name() -> None:
    with pytest.raises(LicenceError, match="left-pad is not installed here"):
        licence_of("left-pad")
