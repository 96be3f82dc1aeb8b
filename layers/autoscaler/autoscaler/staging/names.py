"""File names that a stranger chose: nothing may escape its prefix, hide, or collide."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import unquote

from .errors import UnsafeNameError

# S3 takes 1024 bytes a key; the prefix needs up to 260 of them.
_MAX_NAME_BYTES = 700
_DECODINGS = 3
# Default_Ignorable_Code_Point of Unicode 16 (DerivedCoreProperties.txt) beyond category Cf:
# joiners, fillers and variation selectors, which no font shows.
_IGNORABLE = (
    (0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2065, 0x2065),
    (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0xE0000, 0xE0FFF),
)  # fmt: skip


def check_names(paths: Iterable[str]) -> None:
    """Raises UnsafeNameError naming the first path that is unsafe or collides with another.

    They collide when somebody could take them for the same: decoded, without regard to case, and
    with compatible characters (a full-width letter, a ligature) as the plain ones.
    """
    seen: dict[str, str] = {}
    for path in paths:
        check_name(path)
        normal = _normal(path)
        if normal in seen:
            raise UnsafeNameError(f"{path!r} and {seen[normal]!r} are the same name")
        seen[normal] = path
    for normal, path in seen.items():
        for parent in PurePosixPath(normal).parents:
            if str(parent) in seen:
                raise UnsafeNameError(f"{path!r} lies below {str(parent)!r}, which is a file")


def check_name(path: str) -> None:
    """Raises UnsafeNameError unless `path` is a plain relative path, however often decoded."""
    if len(path.encode("utf-8", "surrogatepass")) > _MAX_NAME_BYTES:
        raise UnsafeNameError(f"a file name of more than {_MAX_NAME_BYTES} bytes: {path[:80]!r}…")
    decoded = path
    for _ in range(_DECODINGS):
        why = _unsafe(decoded) or _unsafe(unicodedata.normalize("NFKC", decoded))
        if why:
            raise UnsafeNameError(f"the file name {path!r} {why}")
        again = unquote(decoded)
        if again == decoded:
            return
        decoded = again
    raise UnsafeNameError(f"the file name {path!r} is percent-encoded more than once")


def _unsafe(path: str) -> str | None:
    segments = path.split("/")
    checks = (
        (not path, "is empty"),
        (path.startswith("/"), "is absolute"),
        (path.endswith("/"), "names a folder"),
        ("\\" in path, "has a backslash"),
        (any(segment in {".", ".."} for segment in segments), "climbs out of its folder"),
        ("" in segments, "has an empty part"),
        (any(segment != segment.strip() for segment in segments), "has a space at an edge"),
        (_has_control(path), "has a control or invisible character"),
    )
    return next((why for is_so, why in checks if is_so), None)


def _normal(path: str) -> str:
    for _ in range(_DECODINGS):
        path = unicodedata.normalize(
            "NFKC", unicodedata.normalize("NFKC", unquote(path)).casefold()
        )
    return path


def _has_control(path: str) -> bool:
    # Cc control, Cf format (direction marks, zero width), Cs surrogates, Zl and Zp line breaks.
    return any(
        unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        or any(first <= ord(char) <= last for first, last in _IGNORABLE)
        for char in path
    )
