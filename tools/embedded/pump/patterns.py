"""Event patterns of EventBridge rules and of event source mapping filters.

A pattern names fields; a field's list holds alternatives: plain values or one-key operators.
Arrays in the event match when any element does.
"""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

_ABSENT = object()
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}


def matches(pattern: Mapping[str, Any], event: Any) -> bool:
    """True when the event satisfies every field of the pattern."""
    return all(_field_matches(name, wanted, event) for name, wanted in pattern.items())


def _field_matches(name: str, wanted: Any, event: Any) -> bool:
    if name == "$or" and isinstance(wanted, list):
        return any(matches(alternative, event) for alternative in wanted)
    if isinstance(event, list):
        return any(_field_matches(name, wanted, item) for item in event)
    value = event.get(name, _ABSENT) if isinstance(event, Mapping) else _ABSENT
    if isinstance(wanted, Mapping):
        return matches(wanted, value)
    if not isinstance(wanted, list):
        return False
    values = list(_leaves(value))
    return any(_alternative_matches(alternative, values) for alternative in wanted)


def _leaves(value: Any) -> Iterable[Any]:
    if value is _ABSENT:
        return
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _alternative_matches(alternative: Any, values: list[Any]) -> bool:
    if not isinstance(alternative, Mapping):
        return any(_same(alternative, value) for value in values)
    (name, argument), *_ = alternative.items()
    if name == "exists":
        present = any(not isinstance(value, Mapping) for value in values)
        return present == bool(argument)
    test = _OPERATORS.get(name)
    return test is not None and any(test(argument, value) for value in values)


def _same(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, bool) or isinstance(value, bool):
        return wanted is value
    return bool(wanted == value)


def _on_text(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    """An operator on strings; its argument may be a list, or ask to ignore the case."""

    def check(argument: Any, value: Any) -> bool:
        if isinstance(argument, list):
            return any(check(item, value) for item in argument)
        if not isinstance(value, str):
            return False
        if isinstance(argument, Mapping):
            return test(str(argument.get("equals-ignore-case", "")).lower(), value.lower())
        return test(str(argument), value)

    return check


def _numeric(argument: list[Any], value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    pairs = zip(argument[::2], argument[1::2], strict=True)
    return all(_COMPARISONS[sign](value, limit) for sign, limit in pairs)


def _anything_but(argument: Any, value: Any) -> bool:
    if isinstance(argument, Mapping):
        return not _alternative_matches(argument, [value])
    unwanted = argument if isinstance(argument, list) else [argument]
    return not any(_same(item, value) for item in unwanted)


def _cidr(argument: str, value: Any) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(argument)
    except ValueError:
        return False


@lru_cache(maxsize=512)
def _wildcard_regex(pattern: str) -> re.Pattern[str]:
    parts = re.findall(r"\\[*\\]|\*|[^*\\]+|\\", pattern)
    text = "".join(
        ".*" if part == "*" else re.escape(part[1:] if part in (r"\*", r"\\") else part)
        for part in parts
    )
    return re.compile(text, re.DOTALL)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "prefix": _on_text(lambda wanted, value: value.startswith(wanted)),
    "suffix": _on_text(lambda wanted, value: value.endswith(wanted)),
    "equals-ignore-case": _on_text(lambda wanted, value: value.lower() == wanted.lower()),
    "wildcard": _on_text(lambda wanted, value: bool(_wildcard_regex(wanted).fullmatch(value))),
    "numeric": _numeric,
    "anything-but": _anything_but,
    "cidr": _cidr,
}
