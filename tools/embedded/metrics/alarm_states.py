"""What state an alarm's datapoints put it in. Pure."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# CloudWatch looks at more windows than it evaluates, so that a late datapoint still counts.
EXTRA_WINDOWS = 2

COMPARE: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


@dataclass(frozen=True)
class Rule:
    """How an alarm judges its datapoints."""

    comparison: str
    threshold: float
    evaluation_periods: int = 1
    datapoints_to_alarm: int = 1
    treat_missing_data: str = "missing"


def judge(rule: Rule, values: Sequence[float | None], state: str) -> str:
    """The new state, from the values of the evaluation range, oldest first (None: no data).

    Reproduces the tables of CloudWatch's documentation on missing data.
    """
    breaches = COMPARE[rule.comparison]
    newest_first = [None if v is None else breaches(v, rule.threshold) for v in reversed(values)]
    real = [b for b in newest_first if b is not None]
    needed, wanted = rule.evaluation_periods, rule.datapoints_to_alarm
    if len(real) >= needed:
        return "ALARM" if sum(real[:needed]) >= wanted else "OK"
    missing = needed - len(real)
    breaching = sum(real)
    if rule.treat_missing_data == "breaching":
        return "ALARM" if breaching + missing >= wanted else "OK"
    if breaching >= wanted:
        return "ALARM"
    if rule.treat_missing_data == "notBreaching":
        return "OK"
    if rule.treat_missing_data == "ignore":
        return "OK" if breaching < len(real) else state
    return _judge_missing(newest_first[:needed], real, wanted, state)


def _judge_missing(
    recent: Sequence[bool | None], real: Sequence[bool], wanted: int, state: str
) -> str:
    """`missing`: nothing at all is INSUFFICIENT_DATA; a lone breach alarms once it is old."""
    if not real:
        return "INSUFFICIENT_DATA"
    if not all(real):
        return "OK"
    oldest = max((age for age, breach in enumerate(recent, start=1) if breach), default=0)
    if oldest >= wanted:
        return "ALARM"
    return "OK" if state == "INSUFFICIENT_DATA" else state
