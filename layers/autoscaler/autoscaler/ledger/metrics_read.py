"""How many metrics the tick reads, which CloudWatch bills one by one. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from ..endpoints.status import UsageKind, UsageSegment

PER_LOOK = 2  # of an endpoint: requests at work, and how many it answered in which time
# How often one instance is looked at so (`policy.attention`): as seldom as may be while nothing is
# asked of it; with requests as measured on ten recorded traffics (docs/decisions/0016).
_KEPT_WARM_EVERY = timedelta(minutes=8)
_SERVING_EVERY = timedelta(minutes=5)


def metrics_read(segments: Iterable[UsageSegment], tick: timedelta) -> Decimal:
    """`segments`: of the fleet, clipped to the period, open meters too. `tick`: between two looks;
    several instances are read at each; what starts or goes to sleep is not read."""
    served: dict[tuple[str, timedelta], list[tuple[datetime, datetime]]] = defaultdict(list)
    for one in segments:
        if one.kind is not UsageKind.PROVISIONING:
            served[one.endpoint, max(tick, _every(one))].append((one.start, one.end))
    looks = sum((times(covered(spans), every) for (_, every), spans in served.items()), Decimal(0))
    return PER_LOOK * looks


def _every(segment: UsageSegment) -> timedelta:
    if segment.instances > 1:
        return timedelta(0)
    return _KEPT_WARM_EVERY if segment.kind is UsageKind.KEPT_WARM else _SERVING_EVERY


def times(lasted: timedelta, every: timedelta) -> Decimal:
    """How often something that is done every so often was done."""
    micro = timedelta(microseconds=1)
    return Decimal(lasted // micro) / (every // micro) if every else Decimal(0)


def covered(spans: Iterable[tuple[datetime, datetime]]) -> timedelta:
    """The time that lies in at least one of the spans: an endpoint may run two types at once."""
    total, reached = timedelta(), None
    for start, end in sorted(spans):
        begin = start if reached is None else max(start, reached)
        total += max(end - begin, timedelta())
        reached = end if reached is None else max(reached, end)
    return total
