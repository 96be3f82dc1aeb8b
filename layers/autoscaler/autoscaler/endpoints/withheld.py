"""What was decided in observe mode and not done, as a status keeps it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

# Days of `would_save` that are kept: a monthly report is written a few days after its month.
DAYS_KEPT = 40


class Would(StrEnum):
    """What would have been done."""

    WAKE = "wake"
    SLEEP = "sleep"
    RESIZE = "resize"  # another number of copies


class Withheld(BaseModel):
    """A decision that differs from what is there, since when, and what it would have changed."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="ignore")

    would: Would
    copies: Annotated[int, Field(ge=0)]  # that there would be
    since: AwareDatetime
    # Dollars an hour that it would cost less than what is there; negative: more. None: not known.
    saves_usd_per_hour: Decimal | None = None
    saved_usd: Decimal = Decimal(0)  # from `since` until it was counted last


DollarsByDay = dict[date, Decimal]  # UTC days


class EarlierDays(BaseModel):
    """What fell out of the days of the observing that is under way, as one sum."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="ignore")

    first: date
    last: date
    usd: Decimal


def added(
    days: DollarsByDay, start: datetime, end: datetime, usd_per_hour: Decimal
) -> DollarsByDay:
    """The days with that many dollars an hour from `start` to `end` (UTC), oldest first."""
    found = dict(days)
    while start < end:
        midnight = (start + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        until = min(end, midnight)
        hours = Decimal(str((until - start).total_seconds())) / 3600
        found[start.date()] = found.get(start.date(), Decimal(0)) + usd_per_hour * hours
        start = until
    return dict(sorted(found.items()))


def folded(
    days: DollarsByDay, earlier: EarlierDays | None, since: datetime | None
) -> tuple[DollarsByDay, EarlierDays | None]:
    """The newest days, and the sum of those that fell out of them. `since` (UTC): when the
    observing that is under way began, as far as known; what was before is forgotten by and by."""
    begun = since.date() if since else date.min
    if earlier is not None and earlier.first < begun:
        earlier = None
    old = {day: usd for day, usd in sorted(days.items())[:-DAYS_KEPT] if day >= begun}
    if old:
        usd = sum(old.values(), earlier.usd if earlier else Decimal(0))
        earlier = EarlierDays(first=earlier.first if earlier else min(old), last=max(old), usd=usd)
    return dict(sorted(days.items())[-DAYS_KEPT:]), earlier
