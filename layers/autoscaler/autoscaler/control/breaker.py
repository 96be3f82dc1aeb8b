"""The breaker: an endpoint that does what its file does not allow is stopped by itself. Pure.

Two things are looked at. Dollars an hour, as its meters count them now: far more than the most
copies that its file allows could cost means that somebody, or something, holds instances that
nobody asked for. And wakes an hour: an endpoint that comes up and goes down again and again pays
for starts and answers nobody. Both say what they saw.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ..endpoints.status import EndpointRecord
from ..policy.ladder import KEPT_FOR, TRIES_KEPT, TryOutcome
from ..policy.wording import counted
from ..spec import EndpointSpec
from .metering import most_instances

# Twice the most, and an instance more: a copy that is replaced has its successor beside it.
FAR_ABOVE = Decimal(2)
# One in five minutes: a small model takes as long to come up and to go.
WAKES_AN_HOUR = 12
# After a file that allows less: a look decides, and SageMaker takes a while to give back.
_GIVES_BACK = timedelta(hours=1)


def runaway(record: EndpointRecord, now: datetime) -> str | None:
    """Returns what was seen and what the limit is, as a sentence; None: nothing of the kind."""
    return _too_dear(record, now) or _too_often(record, now)


def usd_per_hour(record: EndpointRecord) -> Decimal:
    """What its instances cost now; those without a known price count as nothing."""
    prices = record.prices
    return sum(
        (
            (prices.usd_per_hour(meter.instance_type) or Decimal(0)) * meter.instances * meter.share
            for meter in record.status.meters
        ),
        Decimal(0),
    )


def most_wakes(record: EndpointRecord) -> int:
    """An eighth of the day's wakes may come in one hour, and a dozen in any case."""
    return max(WAKES_AN_HOUR, record.spec.budget.wakes_per_day // 8)


def outgrown(
    record: EndpointRecord, after: EndpointSpec, now: datetime, copies_per_instance: int = 0
) -> dict[str, Any]:
    """What a status notes when another file takes effect that allows less than what may be there by
    this one: that goes in good order, and is no runaway. `copies_per_instance` 0: as they are."""
    status = record.status
    most, price = _most(record, record.spec, status.copies_per_instance)
    later, price_later = _most(record, after, copies_per_instance or status.copies_per_instance)
    if price is None or price_later is None or later * price_later >= most * price:
        return {}
    before = status.outgrown_usd if _counts(status.outgrown_until, now) else Decimal(0)
    return {
        "outgrown_usd": max(before, most * price * FAR_ABOVE),
        "outgrown_until": now + _GIVES_BACK,
    }


def _most(
    record: EndpointRecord, spec: EndpointSpec, copies_per_instance: int
) -> tuple[int, Decimal | None]:
    """Instances, and the price of the dearest. Machines that another file of it named stay until
    it sleeps (`updating.rungs_anew`)."""
    status = record.status
    types = {name for rung in spec.rungs for name in rung.types}
    if status.shape.rungs_build != status.shaped.rungs_build:
        types |= {meter.instance_type for meter in status.meters}
    prices = [record.prices.usd_per_hour(name) for name in types]
    dearest = max((price for price in prices if price is not None), default=None)
    return most_instances(spec, copies_per_instance) + 1, dearest


def _counts(until: datetime | None, now: datetime) -> bool:
    return until is not None and now < until


def _too_dear(record: EndpointRecord, now: datetime) -> str | None:
    status = record.status
    most, dearest = _most(record, record.spec, status.copies_per_instance)
    if dearest is None:
        return None
    limit, costs = most * dearest * FAR_ABOVE, usd_per_hour(record)
    if _counts(status.outgrown_until, now):
        limit = max(limit, status.outgrown_usd)
    if costs <= limit:
        return None
    return (
        f"Its instances cost ${costs:,.2f} an hour, and {counted(most, 'instance')} at "
        f"${dearest:,.2f} is the most that its file allows."
    )


def _too_often(record: EndpointRecord, now: datetime) -> str | None:
    """Starts that were paid for. No more than the last twenty are remembered, so that a file with
    160 wakes or more a day has no such limit."""
    status, most = record.status, most_wakes(record)
    since = max(now - KEPT_FOR, record.stack.calm_from.get(status.name, now - KEPT_FOR))
    paid = [one for one in status.tries if one.outcome is not TryOutcome.CAPACITY]
    wakes = sum(one.at > since for one in paid)
    if most >= TRIES_KEPT or wakes <= most:
        return None
    return f"It was started {wakes} times within an hour, and {most} times is the most."
