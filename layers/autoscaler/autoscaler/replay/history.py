"""What was asked of an endpoint, as CloudWatch remembers it, as a trace that can be replayed.

CloudWatch tells requests by the minute and service times as a mean of a minute: within a minute
requests are spread evenly, and a request takes as long as those that were answered next.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .trace import Trace

_MINUTE = timedelta(minutes=1)


class TooLittleError(Exception):
    """There is nothing in the history that could be replayed; the message says what is missing."""


@dataclass(frozen=True)
class History(Trace):
    """A trace that began at `start` and lasts at least `lasted_seconds`: what was idle at its
    end was paid for too."""

    start: datetime
    lasted_seconds: float

    @property
    def seconds(self) -> float:
        return max(super().seconds, self.lasted_seconds)


@dataclass
class Recorded:
    """Points of one endpoint: (start of the minute, value)."""

    requests: list[tuple[datetime, float]] = field(default_factory=list)
    latencies: list[tuple[datetime, float]] = field(default_factory=list)  # microseconds

    @property
    def count(self) -> float:
        """All requests."""
        return sum(value for _, value in self.requests)


def history_of(name: str, recorded: Recorded, now: datetime) -> History:
    """The trace of an endpoint, from the first minute that its queue told of until `now`; raises
    TooLittleError when nobody asked, or nothing was answered."""
    minutes = sorted(recorded.requests)
    if not any(round(count) for _, count in minutes):
        raise TooLittleError("no requests in it")
    latencies = sorted((at, value) for at, value in recorded.latencies if value > 0)
    if not latencies:
        asked = sum(round(count) for _, count in minutes)
        raise TooLittleError(f"{asked:,} requests in it, but not how long an answer takes")
    start = minutes[0][0]
    arrivals: list[float] = []
    services: list[float] = []
    for at, value in minutes:
        count, begins = round(value), (at - start).total_seconds()
        step = _MINUTE.total_seconds() / count if count else 0.0
        arrivals += [begins + (number + 0.5) * step for number in range(count)]
        services += [_seconds(latencies, at)] * count
    return History(name, arrivals, services, start, (now - start).total_seconds())


def _seconds(latencies: Sequence[tuple[datetime, float]], at: datetime) -> float:
    """Of the first minute from `at` on that was measured, else of the last one before."""
    place = bisect_left(latencies, (at, 0.0))
    return latencies[min(place, len(latencies) - 1)][1] / 1e6
