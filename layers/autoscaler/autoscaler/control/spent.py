"""Dollars of usage segments, and what an endpoint's meters and segments have spent. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from ..catalog.prices import PriceBook
from ..endpoints.status import EndpointRecord, Meter, UsageSegment
from ..ledger.billed import hours, usd


def cost(segments: Sequence[UsageSegment]) -> Decimal | None:
    """Dollars of the segments; None when the price of any of them is unknown. Of shared machines
    its part, as it was known when each was closed."""
    if any(segment.usd_per_hour is None for segment in segments):
        return None
    return sum((usd(segment) for segment in segments), Decimal(0))


def spent_this_month(record: EndpointRecord, now: datetime) -> Decimal:
    """Dollars of this UTC month, open segments included; unknown prices count as nothing. Of this
    life of its name alone: what a budget reckons with is `purse.spent_of`."""
    status, prices = record.status, record.prices
    month = f"{now:%Y-%m}"
    closed = status.spent_usd if status.spent_in == month else Decimal(0)
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return closed + sum(
        (_open_usd(meter, prices, first, now) for meter in status.meters), Decimal(0)
    )


def spent_today(record: EndpointRecord, now: datetime) -> Decimal:
    """The same of this UTC day."""
    status, prices = record.status, record.prices
    seen = status.spending.at(now.date())
    closed = seen.usd if seen.on == now.date() else Decimal(0)
    first = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return closed + sum(
        (_open_usd(meter, prices, first, now) for meter in status.meters), Decimal(0)
    )


def _open_usd(meter: Meter, prices: PriceBook, first: datetime, now: datetime) -> Decimal:
    ran = prices.course(meter.instance_type, max(meter.since, first), now)
    each = (hours(one.end - one.start) * (one.usd_per_hour or Decimal(0)) for one in ran)
    return sum(each, Decimal(0)) * meter.instances * meter.share
