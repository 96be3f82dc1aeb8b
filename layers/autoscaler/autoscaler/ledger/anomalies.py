"""What of a period was unlike the same weekdays before it. Pure, and silent with little history.

Robust, so that one odd week does not make the next one usual: the median of the same weekday of
the last weeks, and their median absolute deviation (MAD) as the measure of what is usual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

WEEKS = 8
LEAST_WEEKS = 4
# 1.4826 × MAD is the standard deviation of what is normally distributed; 3.5 of them is the usual
# bound for an outlier (Iglewicz and Hoaglin, 1993).
_MAD_TO_SIGMA = 1.4826
_MOST_SIGMAS = 3.5
_LEAST_SPREAD = 0.15  # of the median: what differs by half is no anomaly, however alike the weeks


@dataclass(frozen=True)
class Series:
    """Figures of one endpoint by local day, from `since` on; a day that is missing had none. What
    is `unknown` is neither judged nor usual.

    `least`: a difference below it is nothing that a person would want to read of.
    """

    endpoint: str
    what: str
    by_day: Mapping[date, float]
    since: date
    least: float
    spoken: Callable[[float], str]
    unknown: Set[date] = frozenset()


@dataclass(frozen=True)
class Anomaly:
    """One day of one endpoint that was unlike its usual ones."""

    endpoint: str
    day: date
    what: str
    value: float
    usual: float
    weeks: int
    sentence: str


def anomalies(series: Sequence[Series], days: Sequence[date]) -> tuple[Anomaly, ...]:
    """Of these days, the most unusual first in time and by name."""
    found = [anomaly for one in series for day in days for anomaly in _of_day(one, day)]
    return tuple(sorted(found, key=lambda one: (one.day, one.endpoint, one.what)))


def _of_day(series: Series, day: date) -> Iterator[Anomaly]:
    before = [
        series.by_day.get(earlier, 0.0)
        for earlier in (day - timedelta(weeks=n) for n in range(1, WEEKS + 1))
        if earlier > series.since and earlier not in series.unknown
    ]
    if len(before) < LEAST_WEEKS or day in series.unknown:
        return
    value, usual = series.by_day.get(day, 0.0), median(before)
    deviation = median(abs(one - usual) for one in before)
    spread = max(_MAD_TO_SIGMA * deviation, _LEAST_SPREAD * usual)
    apart = abs(value - usual)
    if apart < series.least or apart <= _MOST_SIGMAS * spread:
        return
    sentence = (
        f"{series.endpoint}: {series.spoken(value)} on {day:%A} {day.day} {day:%b}, "
        f"{_compared(value, usual)}; a usual {day:%A} has {series.spoken(usual)} "
        f"(median of {len(before)} weeks)."
    )
    yield Anomaly(series.endpoint, day, series.what, value, usual, len(before), sentence)


def _compared(value: float, usual: float) -> str:
    if not usual:
        return "where there usually is nothing"
    times = value / usual
    return f"{times:.1f} times as much as usual" if times >= 1 else f"{times:.0%} of the usual"
