"""Text from outside, for a terminal: what containers, models and other people write may hold
characters that move its cursor, change its title or its clipboard, or turn a line round."""

from __future__ import annotations

import re
from typing import Any

# C0 but for tab and newline, DEL, C1, and what turns the direction of writing (Unicode TR 9).
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """With each such character as JSON writes it: `\\u001b`."""
    return _ACTING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def all_harmless(value: Any) -> Any:
    """The same of a whole document, keys as well."""
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, list):
        return [all_harmless(one) for one in value]
    if isinstance(value, dict):
        return {all_harmless(key): all_harmless(one) for key, one in value.items()}
    return value
