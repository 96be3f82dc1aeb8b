"""What a budget's period will have cost at its end, from what the weeks before it were like. Pure.

Simple on purpose, so that a person can check it: for every day that is left, the mean of the same
weekday in the last weeks, and for the rest of today the same part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

WEEKS = 4
LEAST_DAYS = 3  # fewer whole days say nothing
_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Forecast:
    """`usd` at the period's end, of which `spent_usd` are gone; `based_on`: how, as words."""

    usd: Decimal
    spent_usd: Decimal
    based_on: str


def forecast(
    spent_usd: Decimal,
    by_day: Mapping[date, Decimal],
    since: date,
    now: datetime,
    end: datetime,
) -> Forecast | None:
    """Returns what it comes to at `end`, or None with too little history.

    `by_day`: dollars of UTC days; one that is not in it cost nothing, from `since` on, when the
    endpoint was there first. Today is no part of the pattern, because it is not over.
    """
    today = now.astimezone(UTC).date()
    first = max(since + timedelta(days=1), today - timedelta(weeks=WEEKS))
    known = {
        day: by_day.get(day, Decimal(0))
        for day in (first + timedelta(days=n) for n in range((today - first).days))
    }
    if len(known) < LEAST_DAYS:
        return None
    left = sum((_usual(known, day) * part for day, part in _days_left(now, end)), Decimal(0))
    whole = len(known) >= 7 * WEEKS
    based_on = f"the last {WEEKS} weeks, by weekday" if whole else f"{len(known)} days"
    return Forecast(spent_usd + left, spent_usd, based_on)


def _usual(known: Mapping[date, Decimal], day: date) -> Decimal:
    """The mean of the same weekday; of all days while that weekday was not seen."""
    same = [usd for one, usd in known.items() if one.weekday() == day.weekday()]
    pool = same or list(known.values())
    return sum(pool, Decimal(0)) / len(pool)


def _days_left(now: datetime, end: datetime) -> list[tuple[date, Decimal]]:
    """Every UTC day that is left, with the part of it that is."""
    left, moment = [], now.astimezone(UTC)
    while moment < end:
        after = datetime.combine(moment.date() + timedelta(days=1), time(), tzinfo=UTC)
        seconds = (min(after, end) - moment).total_seconds()
        left.append((moment.date(), Decimal(str(seconds)) / _DAY_SECONDS))
        moment = after
    return left
