"""DynamoDB's values as moto keeps them, which are as they are sent: answered without a second look.

moto asks of each value for each of the ten types that it might have, under several names, a third
of what a small table's account does. A value that is made of text, numbers, lists and maps alone
goes out as it came in; anything else, as binary, still goes moto's way.
"""

from __future__ import annotations

from functools import cache, wraps
from typing import Any

_OF_TEXT = ("S", "N")
_OF_TEXTS = ("SS", "NS")


@cache
def install() -> None:
    from moto.core.serialize import BaseJSONSerializer

    slow = BaseJSONSerializer._serialize_type_structure

    @wraps(slow)
    def structure(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name == "AttributeValue" and _is_plain(value):
            serialized[self.get_serialized_name(shape, key)] = value
        else:
            slow(self, serialized, value, shape, key)

    BaseJSONSerializer._serialize_type_structure = structure


def _is_plain(value: Any) -> bool:
    """Whether it is what moto would make of it."""
    if type(value) is not dict or len(value) != 1:
        return False
    [(kind, inner)] = value.items()
    if kind in _OF_TEXT:
        return type(inner) is str
    if kind in _OF_TEXTS:
        return type(inner) is list and all(type(one) is str for one in inner)
    if kind == "M":
        return type(inner) is dict and all(map(_is_plain, inner.values()))
    if kind == "L":
        return type(inner) is list and all(map(_is_plain, inner))
    return kind in ("BOOL", "NULL") and type(inner) is bool
