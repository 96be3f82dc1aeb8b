"""An event's texts, so that nothing in them looks like ours: what containers, models and people
write may begin a line, be bold, end a fence or turn the direction of writing. Pure."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from pydantic import BaseModel

from .events.base import Event

_BREAKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
# Unicode's Bidi_Control (TR 9), and what takes no room; joiners stay, writing and emoji need them.
_UNSEEN = re.compile("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_OURS = str.maketrans({"*": "∗", "`": "'"})
_E = TypeVar("_E", bound=Event)


def tamed(event: _E) -> _E:
    """The event with each text of it on one line, without formatting, and what cannot be seen
    written out. Enumerations and times stay; a link is made of the event as it was."""
    found: _E = _tamed(event)
    return found


def _tamed(value: Any) -> Any:
    if type(value) is str:
        line = _BREAKS.sub(" ", value).strip().translate(_OURS)
        return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", line)
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        return value.model_copy(update={name: _tamed(getattr(value, name)) for name in fields})
    if isinstance(value, tuple | list):
        return type(value)(_tamed(one) for one in value)
    if isinstance(value, dict):
        return {_tamed(key): _tamed(one) for key, one in value.items()}
    return value
