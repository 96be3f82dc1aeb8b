"""What an endpoint's days cost lately, as its forecast takes them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal

from ..policy.forecast import Spending, at_todays_price, foretold
from .status import EndpointRecord

_NOON = time(12, tzinfo=UTC)


def foretold_of(record: EndpointRecord, spent_usd: Decimal, now: datetime) -> Decimal | None:
    """What its UTC month will probably cost, of which so much is spent; None: too little was
    seen."""
    status = record.status
    return foretold(
        record.spec,
        spending_of(record, now),
        spent_usd,
        record.usd_per_hour,
        now,
        status.hold,
        status.copies_per_instance,
    )


def spending_of(record: EndpointRecord, now: datetime) -> Spending:
    """At the price of now: days before a price fell or rose would foretell the old one."""
    status, book = record.status, record.prices
    kind = status.instance_type or record.first_type
    if not book.former.get(kind):
        return status.spending

    def price_on(day: date) -> Decimal | None:
        return book.at(kind, min(now, datetime.combine(day, _NOON)))

    today = now.astimezone(UTC).date()
    return at_todays_price(status.spending, price_on, status.first_applied_at.date(), today)
