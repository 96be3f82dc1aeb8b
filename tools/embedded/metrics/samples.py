"""Samples and the statistics of a window of them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")


@dataclass(frozen=True, slots=True)
class Sample:
    """A value seen `count` times, or a statistic set (then minimum and maximum may differ)."""

    time: float
    total: float
    minimum: float
    maximum: float
    count: float = 1.0
    unit: str = "None"

    @staticmethod
    def of(time: float, value: float, count: float = 1.0, unit: str = "None") -> Sample:
        return Sample(time, value * count, value, value, count, unit)


class StatisticError(ValueError):
    """A statistic that CloudWatch does not know."""


def statistic(name: str, samples: Sequence[Sample]) -> float | None:
    """A statistic of a window; None when the window is empty (or a percentile is not defined)."""
    if not samples:
        return None
    if name == "Sum":
        return math.fsum(s.total for s in samples)
    if name == "SampleCount":
        return math.fsum(s.count for s in samples)
    if name == "Average":
        count = math.fsum(s.count for s in samples)
        return math.fsum(s.total for s in samples) / count if count else None
    if name == "Minimum":
        return min(s.minimum for s in samples)
    if name == "Maximum":
        return max(s.maximum for s in samples)
    return _percentile(percent(name), samples)


def percent(name: str) -> float:
    """The number in p99 or p99.9. Raises StatisticError."""
    found = re.fullmatch(r"p(\d{1,3}(?:\.\d+)?)", name)
    if not found or float(found[1]) > 100:
        raise StatisticError(f"the statistic {name} is not supported")
    return float(found[1])


def _percentile(rank: float, samples: Sequence[Sample]) -> float | None:
    """Linear between the closest ranks; statistic sets of differing values have none."""
    if any(s.minimum != s.maximum for s in samples):
        return None
    values = sorted((s.minimum, s.count) for s in samples)
    position = rank / 100 * (sum(count for _, count in values) - 1)
    low, high = (_nth(values, math.floor(position)), _nth(values, math.ceil(position)))
    return low + (high - low) * (position - math.floor(position))


def _nth(values: Sequence[tuple[float, float]], index: int) -> float:
    passed = 0.0
    for value, count in values:
        passed += count
        if index < passed:
            return value
    return values[-1][0]
