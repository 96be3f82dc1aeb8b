"""In how many hours the controller's own metrics had a value, which is what CloudWatch bills. Pure.

Counted from the books, since CloudWatch tells nobody: two of the stack at every tick, `Copies` of
each endpoint while it has instances, `WaitSeconds` in hours with answers. Those of wakes and
failures, some hours a month, are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from ..endpoints.status import Traffic, UsageSegment, utc_hour

OF_THE_STACK = 2  # StuckEndpoints and SpentTodayUsd
_HOUR = timedelta(hours=1)


def metric_hours(
    segments: Iterable[UsageSegment], traffic: Iterable[Traffic], start: datetime, until: datetime
) -> Decimal:
    """`segments`: of the fleet within [start, until), open meters too."""
    awake = {(one.endpoint, hour) for one in segments for hour in _hours_of(one)}
    counted = sum(t.hours for t in traffic if t.requests and t.start < until and t.end > start)
    stack = Decimal((until - start) // timedelta(seconds=1)) / 3600 * OF_THE_STACK
    return stack + len(awake) + counted


def _hours_of(segment: UsageSegment) -> Iterable[datetime]:
    hour = utc_hour(segment.start)
    while hour < segment.end:
        yield hour
        hour += _HOUR
