"""The rules of composite alarms: ALARM("a") AND (NOT OK("b") OR TRUE)."""

from __future__ import annotations

import re
from collections.abc import Callable

TOKEN = re.compile(
    r"\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"(?P<quoted>[^\"]*)\""
    r"|'(?P<single>[^']*)'|(?P<bare>[^()\s]+))\s*\)"
    r"|(?P<word>AND|OR|NOT|TRUE|FALSE|\(|\)))"
)


class AlarmRuleError(ValueError):
    """A rule that CloudWatch would refuse."""


def holds(rule: str, state_of: Callable[[str], str | None]) -> bool:
    """Whether a rule holds; `state_of` answers the state of an alarm by name."""
    tokens = _tokens(rule)
    result, rest = _either(tokens, state_of)
    if rest:
        raise AlarmRuleError(f"the AlarmRule is not understood: {rule}")
    return result


def _tokens(rule: str) -> list[tuple[str, str]]:
    tokens, position = [], 0
    text = rule.strip()
    while position < len(text):
        found = TOKEN.match(text, position)
        if not found:
            raise AlarmRuleError(f"the AlarmRule is not understood at {text[position:]!r}")
        name = found["quoted"] or found["single"] or found["bare"] or ""
        tokens.append((found["state"] or found["word"], name.split(":alarm:")[-1]))
        position = found.end()
    return tokens


_Rest = list[tuple[str, str]]
_States = Callable[[str], str | None]


def _either(tokens: _Rest, state_of: _States) -> tuple[bool, _Rest]:
    result, rest = _both(tokens, state_of)
    while rest and rest[0][0] == "OR":
        other, rest = _both(rest[1:], state_of)
        result = result or other
    return result, rest


def _both(tokens: _Rest, state_of: _States) -> tuple[bool, _Rest]:
    result, rest = _single(tokens, state_of)
    while rest and rest[0][0] == "AND":
        other, rest = _single(rest[1:], state_of)
        result = result and other
    return result, rest


def _single(tokens: _Rest, state_of: _States) -> tuple[bool, _Rest]:
    if not tokens:
        raise AlarmRuleError("the AlarmRule ends too early")
    (word, name), *rest = tokens
    if word == "NOT":
        result, rest = _single(rest, state_of)
        return not result, rest
    if word == "(":
        result, rest = _either(rest, state_of)
        if not rest or rest[0][0] != ")":
            raise AlarmRuleError("the AlarmRule lacks a closing bracket")
        return result, rest[1:]
    if word in ("TRUE", "FALSE"):
        return word == "TRUE", rest
    if word in ("AND", "OR", ")"):
        raise AlarmRuleError(f"the AlarmRule has {word} in the wrong place")
    return state_of(name) == word, rest
