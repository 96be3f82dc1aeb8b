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


def check_names(paths: Iterable[str]) -> None:
    """Raises UnsafeNameError naming the first path that is unsafe or collides with another."""
    seen: dict[str, str] = {}
    for path in paths:
        check_name(path)
        normal = unicodedata.normalize("NFC", path)
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
        why = _unsafe(decoded)
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


def _has_control(path: str) -> bool:
    # Cc control, Cf format (direction marks, zero width), Cs surrogates, Zl and Zp line breaks.
    return any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in path)
