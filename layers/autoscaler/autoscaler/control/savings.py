"""What an endpoint has saved since the beginning of the UTC month, for the message of a sleep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from ..endpoints.status import EndpointRecord, UsageSegment
from ..ledger.billed import always_on, billed_segments, usd


def month_of(now: datetime) -> datetime:
    """Its first moment; `now` is UTC."""
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def saved_this_month(
    record: EndpointRecord,
    segments: Sequence[UsageSegment],
    now: datetime,
    fleet: Iterable[EndpointRecord] = (),
) -> Decimal | None:
    """Always on minus what was spent, as the report reckons it; None: a price is unknown.

    `segments`: everything of the fleet that was closed this month, the last one too. `fleet`: of
    one that shares machines, whose open meters have their part of them.
    """
    start, prices = month_of(now), record.prices
    others = [one for one in fleet if one.spec.name != record.spec.name]
    ours = [
        one
        for one in billed_segments(segments, others, prices, start, now, now)
        if one.endpoint == record.spec.name
    ]
    baseline = always_on(record, ours, prices, start, now)
    if baseline is None or any(one.usd_per_hour is None for one in ours):
        return None
    whole = baseline.usd(start, now)
    return None if whole is None else whole - sum(map(usd, ours), Decimal(0))
