"""When a report is reconciled, from what, and what is kept of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from pydantic import ValidationError

from ..aws.cost_explorer import CostExplorer, NoBillError
from ..ledger.bill import LAG, Bill
from ..ledger.periods import Period
from .logs import logger


class Kept(Protocol):
    """Where a bill that was paid for is kept."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, body: bytes, content_type: str) -> str: ...


def days_of(period: Period) -> tuple[date, date]:
    """The UTC days that a period touches, as [first, after): a bill has no finer ones."""
    start, end = period.start.astimezone(UTC), period.end.astimezone(UTC)
    return start.date(), (end - timedelta(microseconds=1)).date() + timedelta(days=1)


def is_closed(period: Period, now: datetime) -> bool:
    """Whether Cost Explorer should know all of it."""
    _, after = days_of(period)
    return now >= datetime(after.year, after.month, after.day, tzinfo=UTC) + LAG


def bill_of(
    kept: Kept, explorer: CostExplorer, period: Period, folder: str, now: datetime
) -> Bill | str:
    """The bill of a period that is closed, asked for once; or why there is none, as a sentence."""
    if not is_closed(period, now):
        return (
            f"Not reconciled yet: Cost Explorer is asked {LAG.days} days after the last UTC day "
            "of the period."
        )
    key = f"{folder}/bill.json"
    days = days_of(period)
    known = _read(kept, key)
    if known is not None and (known.first, known.after) == days:  # else of another time zone
        return known
    try:
        bill = explorer.read(*days, now)
    except NoBillError as missing:
        return f"Not reconciled: {missing}."
    if bill.final and bill.lines:  # else there is more to come
        kept.put(key, bill.model_dump_json(indent=2).encode(), "application/json")
    return bill


def _read(kept: Kept, key: str) -> Bill | None:
    body = kept.get(key)
    if body is None:
        return None
    try:
        return Bill.model_validate_json(body)
    except ValidationError as wrong:
        logger.warning("a kept bill cannot be read; it is asked for again", extra={"key": key})
        logger.debug("the bill", extra={"trouble": str(wrong)})
        return None
