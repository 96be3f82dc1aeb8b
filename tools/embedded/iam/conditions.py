"""The condition operators of IAM policies.

A context holds the values of each key; names of keys are compared without their case, so they are
lower case here. A key that is not there is not an empty one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

Context = Mapping[str, tuple[str, ...]]
Test = Callable[[str, str], bool]  # of a value in the request, and of one in the policy


class UnknownOperatorError(ValueError):
    """A policy says something that this evaluator has not learned."""


@cache
def pattern(text: str) -> re.Pattern[str]:
    """A text with `*` (anything, also nothing) and `?` (one character)."""
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(one, re.escape(one)) for one in text), re.DOTALL)


def like(value: str, wanted: str) -> bool:
    """As StringLike: with wildcards, and with regard to case."""
    return pattern(wanted).fullmatch(value) is not None


def _arn(value: str, wanted: str) -> bool:
    """Each of the six parts of an ARN by itself: a wildcard does not reach over a colon."""
    found, asked = value.split(":", 5), wanted.split(":", 5)
    return len(found) == len(asked) and all(map(like, found, asked))


def _bool(value: str, wanted: str) -> bool:
    return value.lower() == wanted.lower()


def _number(compare: Callable[[float, float], bool]) -> Test:
    return lambda value, wanted: compare(float(value), float(wanted))


_TESTS: dict[str, Test] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringEqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "StringLike": like,
    "ArnEquals": _arn,
    "ArnLike": _arn,
    "Bool": _bool,
    "NumericEquals": _number(lambda value, wanted: value == wanted),
    "NumericLessThan": _number(lambda value, wanted: value < wanted),
    "NumericLessThanEquals": _number(lambda value, wanted: value <= wanted),
    "NumericGreaterThan": _number(lambda value, wanted: value > wanted),
    "NumericGreaterThanEquals": _number(lambda value, wanted: value >= wanted),
}
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
}
_EVERY, _SOME = "ForAllValues:", "ForAnyValue:"
_OPTIONAL = "IfExists"


def holds(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Whether every key of every operator holds. Raises UnknownOperatorError."""
    return all(
        _one(operator, context.get(key.lower()), texts(wanted))
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    )


def texts(value: Any) -> tuple[str, ...]:
    """A value of a policy, which may be one or several, and a boolean or a number."""
    several = value if isinstance(value, list | tuple) else [value]
    return tuple(str(one).lower() if isinstance(one, bool) else str(one) for one in several)


def _one(operator: str, found: tuple[str, ...] | None, wanted: Iterable[str]) -> bool:
    if operator == "Null":  # of the key itself
        return any((found is None) == (one.lower() == "true") for one in wanted)
    name, every, some = _plain(operator)
    optional = name.endswith(_OPTIONAL)
    name = name.removesuffix(_OPTIONAL)
    negated = name in _NEGATED
    test = _TESTS.get(_NEGATED.get(name, name))
    if test is None:
        raise UnknownOperatorError(f"condition operator {operator}: not known to the evaluator")
    if not found:
        return every or (not some and (optional or negated))
    asked = tuple(wanted)
    fits = (any(test(value, one) for one in asked) != negated for value in found)
    return any(fits) if some else all(fits)


def _plain(operator: str) -> tuple[str, bool, bool]:
    every, some = operator.startswith(_EVERY), operator.startswith(_SOME)
    return operator.removeprefix(_EVERY).removeprefix(_SOME), every, some
