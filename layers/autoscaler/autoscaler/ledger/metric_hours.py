"""In how many hours the controller's own metrics had a value, which is what CloudWatch bills.

Counted from the books, since CloudWatch tells nobody: two at every tick, `WaitSeconds` in hours
with answers, and one that counts wakes in hours with one. Those of failures, some hours a month,
are left out. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from ..endpoints.status import Traffic, UsageKind, UsageSegment, utc_hour

OF_THE_STACK = 2  # Copies and SpentTodayUsd
_HOUR = timedelta(hours=1)


def metric_hours(
    segments: Iterable[UsageSegment], traffic: Iterable[Traffic], start: datetime, until: datetime
) -> Decimal:
    """`segments`: of the fleet within [start, until), open meters too."""
    woken = {utc_hour(one.start) for one in segments if one.kind is UsageKind.PROVISIONING}
    answered = {
        one.start + n * _HOUR
        for one in traffic
        if one.requests and one.start < until and one.end > start
        for n in range(one.hours)
    }
    stack = Decimal((until - start) // timedelta(seconds=1)) / 3600 * OF_THE_STACK
    return stack + len(woken) + len(answered)
