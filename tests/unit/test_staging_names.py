"""File names that a stranger chose."""

from __future__ import annotations

import pytest

from autoscaler.staging.errors import UnsafeNameError
from autoscaler.staging.names import check_name, check_names

SAFE = [
    "config.json",
    "model-00001-of-000163.safetensors",
    "1_Pooling/config.json",
    "a/b/c.txt",
    "100% honest.md",
    ".gitattributes",
    "vocab-ß-日本.txt",
    "..json",
]
UNSAFE = {
    "": "is empty",
    "/etc/passwd": "is absolute",
    "folder/": "names a folder",
    "../up.json": "climbs out",
    "a/../../up.json": "climbs out",
    "./here.json": "climbs out",
    "a//b.json": "has an empty part",
    "a\\b.json": "has a backslash",
    "a\0.json": "has a control",
    "a\n.json": "has a control",
    "a\x7f.json": "has a control",
    "a\u202egnp.json": "has a control or invisible",
    "a\u200b.json": "has a control or invisible",
    "a\ud800.json": "has a control or invisible",
    " a.json": "has a space at an edge",
    "a.json ": "has a space at an edge",
    "%2e%2e/up.json": "climbs out",
    "..%2fup.json": "climbs out",
    "%252e%252e%252fup.json": "climbs out",
    "%2Fetc/passwd": "is absolute",
    "a%5cb.json": "has a backslash",
    "a%00.json": "has a control",
    "\u2025/up.json": "climbs out",
    "\uff0e\uff0e/up.json": "climbs out",
    "a\uff0f\uff0e\uff0e\uff0fb.json": "climbs out",
    "a\u034f.json": "has a control or invisible",
    "a\u115f.json": "has a control or invisible",
    "a\u3164.json": "has a control or invisible",
    "a\ufe0f.json": "has a control or invisible",
    "a\U000e0100.json": "has a control or invisible",
    "%25252525252e": "percent-encoded more than once",
    "x" * 701: "more than 700 bytes",
}


@pytest.mark.parametrize("path", SAFE)
def test_safe_names_pass(path: str) -> None:
    check_name(path)


@pytest.mark.parametrize(("path", "why"), UNSAFE.items())
def test_unsafe_names_are_refused_and_named(path: str, why: str) -> None:
    with pytest.raises(UnsafeNameError, match=why):
        check_name(path)


@pytest.mark.parametrize(
    ("paths", "why"),
    [
        (["a.json", "b.json", "a.json"], "are the same name"),
        (["caf\u00e9.json", "cafe\u0301.json"], "are the same name"),
        (["config.json", "Config.json"], "are the same name"),
        (["config.json", "config%2Ejson"], "are the same name"),
        (["config.json", "config%252Ejson"], "are the same name"),
        (["a.json", "\uff41.json"], "are the same name"),
        (["\ufb01.json", "fi.json"], "are the same name"),
        (["stra\u00dfe.json", "STRASSE.json"], "are the same name"),
        (["\u212a.json", "k.json"], "are the same name"),
        (["Sub/a.json", "sub/a.json"], "are the same name"),
        (["x\u00a0y.json", "x y.json"], "are the same name"),
        (["A", "a/b.json"], "lies below 'a', which is a file"),
        (["a", "a/b.json"], "lies below 'a', which is a file"),
        (["a/b/c.json", "a"], "lies below 'a', which is a file"),
    ],
)
def test_names_that_collide_are_refused(paths: list[str], why: str) -> None:
    with pytest.raises(UnsafeNameError, match=why):
        check_names(paths)
