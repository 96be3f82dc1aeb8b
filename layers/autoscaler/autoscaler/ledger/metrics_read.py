"""How many metrics the tick reads, which CloudWatch bills one by one. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from ..endpoints.status import UsageKind, UsageSegment

PER_LOOK = 2  # of an endpoint: requests at work, and its misses


def metrics_read(segments: Iterable[UsageSegment], tick: timedelta) -> Decimal:
    """`segments`: of the fleet, clipped to the period, open meters too. `tick`: between two looks
    at an endpoint that serves; one that starts or sleeps is not read."""
    served: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for one in segments:
        if one.kind is not UsageKind.PROVISIONING:
            served[one.endpoint].append((one.start, one.end))
    seconds = sum((covered(spans) for spans in served.values()), timedelta())
    micro = timedelta(microseconds=1)
    return PER_LOOK * Decimal(seconds // micro) / (tick // micro)


def covered(spans: Iterable[tuple[datetime, datetime]]) -> timedelta:
    """The time that lies in at least one of the spans: an endpoint may run two types at once."""
    total, reached = timedelta(), None
    for start, end in sorted(spans):
        begin = start if reached is None else max(start, reached)
        total += max(end - begin, timedelta())
        reached = end if reached is None else max(reached, end)
    return total
