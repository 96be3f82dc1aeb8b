"""Text from outside, as every reader further on can take it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

# What XML 1.0, and so SQS, takes for no character.
_NO_CHARACTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNKNOWN = "\ufffd"


def readable(text: str) -> str:
    """The text in characters: halves of a surrogate pair that stand together become theirs, others
    are replaced. Python makes them of JSON's escapes, and UTF-8 has none."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def printable(text: str) -> str:
    """The same without what a terminal or XML would not take, as colours of a log are."""
    return _NO_CHARACTER.sub(_UNKNOWN, readable(text))


def as_message(value: Any) -> str:
    """A document as JSON that a queue takes: as short as may be, and what is no character to SQS
    is escaped."""
    text = _compact(value)
    return text if _NO_CHARACTER.search(text) is None else _compact(value, escaped=True)


def is_readable(value: Any) -> bool:
    """Whether all text of a document is in characters."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def readable_json(value: Any) -> Any:
    """A document with all its text readable; the very same if it was."""
    return value if is_readable(value) else _mended(value)


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, Mapping):
        return {readable(name): _mended(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_mended(one) for one in value]
    return value


def compact_json(value: Any) -> bytes:
    """As most write it who send much: with spaces and escapes it could be too large for whoever it
    is for, though it was not when it came."""
    return _compact(value).encode()


def _compact(value: Any, *, escaped: bool = False) -> str:
    return json.dumps(value, ensure_ascii=escaped, separators=(",", ":"))
