"""JSON as its standard has it, and as every reader further on can take it (RFC 8259).

Python's own reader takes NaN and Infinity, makes infinity of 1e999, and keeps halves of surrogate
pairs, which are no text: UTF-8 has none, so that whoever writes them on fails. Of a key that stands
twice it keeps the last. Other readers keep the first, and would check what is not done. And `[],[]`
takes thirty times its own size in Python's memory: so many values are no request, but the end of a
dispatcher that reads ten of them at a time.
"""

from __future__ import annotations

import json
import math
import re
from itertools import islice
from typing import Any

from .text import is_readable

_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_MOST_DIGITS = 64  # of a whole number; what is longer is no count of anything
# A conversation has some five for each of its messages. Numbers do not count: a prompt may be
# given as its tokens, and none of them takes much more than its digits.
MOST_VALUES = 200_000
# Linear in any text: nothing that has matched is looked at again.
_VALUE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]', re.DOTALL)


class StrictError(ValueError):
    """What Python would have taken; quotes nothing of the text but a number's name."""


def read_json(text: str | bytes) -> Any:
    """Raises ValueError, or RecursionError for what is nested too deep."""
    if isinstance(text, bytes):
        text = text.decode()
    if _has_too_many(text):
        raise StrictError(f"it has more than {MOST_VALUES:,} texts, lists and objects")
    found = json.loads(
        text,
        parse_constant=_no_number,
        parse_float=_finite,
        parse_int=_whole,
        object_pairs_hook=_once,
    )
    if _HALF.search(text) and not is_readable(found):
        raise StrictError("half of a surrogate pair is no character")
    return found


def is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects lie in it more than so many levels deep. Level by level, so that no
    depth of it takes our own stack."""
    level = [value]
    for _ in range(levels + 1):
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level = [two for one in inner for two in one if isinstance(two, dict | list)]
        if not level:
            return False
    return True


def _has_too_many(text: str) -> bool:
    """Told before it is read: afterwards the memory is taken."""
    if text.count('"') // 2 + text.count("[") + text.count("{") <= MOST_VALUES:
        return False  # nothing in the texts needs to be told apart
    return next(islice(_VALUE.finditer(text), MOST_VALUES, None), None) is not None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise StrictError("a key stands twice in an object")
    return found


def _no_number(text: str) -> None:
    raise StrictError(f"{text} is no number in JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise StrictError("a number is too large for any reader")
    return number


def _whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise StrictError(f"a number has more than {_MOST_DIGITS} digits")
    return int(text)
