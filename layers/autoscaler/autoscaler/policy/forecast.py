"""What a month will probably cost: what is spent, and what the same weekdays cost lately. Pure.

Of each weekday a mean is kept in which the newest counts half, so that four weeks are nearly all of
it. The rest of the month is the sum of its days; a day costs at least what the schedule and a hold
ask for by themselves, because that is known and not guessed. Before a whole day was seen nothing is
foretold, and the day of the first instance is none: it began when that was asked for. It sees no
trend, no holiday, and no traffic that has not been there in the last weeks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from ..spec import EndpointSpec
from .budget import period_end
from .schedule import bounds_at, changes_between
from .types import Hold

_DAY = timedelta(days=1)
_WEEK = 7
_NEWEST = Decimal("0.5")
_WEEKS_MIXED = 8  # what is older is less than a hundredth of a mean
_MICRO = Decimal("0.000001")
# Of an endpoint that nobody metered for longer, each weekday was forgotten and is zero.
_LONGEST_FOLDED = 70


@dataclass(frozen=True)
class Spending:
    """Dollars of the UTC day `on`, and what the whole days before it cost, by weekday from
    Monday; None: a weekday that was not seen yet. Open meters are not in it.

    `first`: the day of the first instance, of which only a part was seen: it is in no mean. None:
    nothing was seen yet, or a release stored it that took that day for a whole one.
    """

    on: date | None = None
    usd: Decimal = Decimal(0)
    by_weekday: tuple[Decimal | None, ...] = (None,) * _WEEK
    first: date | None = None

    def at(self, day: date) -> Spending:
        """The same on a later day: the days in between are over, those without a cost too."""
        if self.on is None:
            return replace(self, on=day, first=day)
        means, over, usd = list(self.by_weekday), self.on, self.usd
        if (day - over).days > _LONGEST_FOLDED:
            return Spending(day, by_weekday=(Decimal(0),) * _WEEK, first=self.first)
        while over < day:
            if over != self.first:
                means[over.weekday()] = _mixed(means[over.weekday()], usd)
            over, usd = over + _DAY, Decimal(0)
        return Spending(over, usd, tuple(means), self.first)

    def having(self, day: date, usd: Decimal) -> Spending:
        """With dollars of a day more. What is told of a day that is over comes too late."""
        moved = self.at(day)
        return replace(moved, usd=moved.usd + usd) if moved.on == day else moved

    def usual(self, day: date) -> Decimal | None:
        """What such a weekday costs; one that was not seen, as much as the others do."""
        own = self.by_weekday[day.weekday()]
        known = [one for one in self.by_weekday if one is not None]
        if own is not None or not known:
            return own
        return sum(known, Decimal(0)) / len(known)


def at_todays_price(
    spending: Spending, price_on: Callable[[date], Decimal | None], since: date, today: date
) -> Spending:
    """The means as they would be at the price of `today`: each has its days in it by the weights
    with which `_mixed` took them, none before `since`, nor the first that was seen. As they are
    where a price is not known."""
    seen, price = spending.at(today), price_on(today)
    since = since if seen.first is None else seen.first + _DAY
    means: list[Decimal | None] = []
    for number, mean in enumerate(seen.by_weekday):
        last = today - _DAY * ((today.weekday() - number - 1) % _WEEK + 1)
        days = [last - n * _WEEK * _DAY for n in range(_WEEKS_MIXED)]
        paid = _mean_price([price_on(day) for day in days if day >= since])
        if mean is not None and price and paid and paid != price:
            mean = (mean * price / paid).quantize(_MICRO)
        means.append(mean)
    return replace(seen, by_weekday=tuple(means))


def _mean_price(newest_first: Sequence[Decimal | None]) -> Decimal | None:
    mean: Decimal | None = None
    for price in reversed(newest_first):
        if price is None:
            return None
        mean = price if mean is None else mean * (1 - _NEWEST) + price * _NEWEST
    return mean


def _mixed(mean: Decimal | None, usd: Decimal) -> Decimal:
    mixed = usd if mean is None else mean * (1 - _NEWEST) + usd * _NEWEST
    return mixed.quantize(_MICRO)


def foretold(
    spec: EndpointSpec,
    spending: Spending,
    spent_usd: Decimal,
    usd_per_hour: Decimal | None,
    now: datetime,
    hold: Hold | None = None,
    copies_per_instance: int = 1,
) -> Decimal | None:
    """Returns the dollars of the whole UTC month; None: too little was seen.

    `spent_usd`: of the month until now, open meters included; `usd_per_hour`: of an instance.
    """
    utc = now.astimezone(UTC)
    seen = spending.at(utc.date())
    end, total = period_end("month", utc), spent_usd
    asked = asked_for(spec, hold, utc, end, copies_per_instance)
    price = usd_per_hour or Decimal(0)
    for day, share in _days(utc, end):
        usual = seen.usual(day)
        if usual is None:
            return None
        total += max(usual * share, asked.get(day, Decimal(0)) * price)
    return total


def asked_for(
    spec: EndpointSpec,
    hold: Hold | None,
    start: datetime,
    end: datetime,
    copies_per_instance: int = 1,
) -> dict[date, Decimal]:
    """Instance-hours by UTC day that the schedule and a hold keep, whatever comes: whole instances,
    or of shared ones the part that the copies take."""
    changes = changes_between(spec, start, end)
    marks = {start, end, *(moment for moment, _ in changes)}
    marks |= {_midnight(start) + n * _DAY for n in range(1, (end - start).days + 2)}
    marks |= {hold.until} if hold else set()
    inside = sorted(mark for mark in marks if start <= mark <= end)
    copies_from = {moment: bounds.min_copies for moment, bounds in changes}
    hours: dict[date, Decimal] = {}
    scheduled = bounds_at(spec, start).min_copies
    for since, until in pairwise(inside):
        scheduled = copies = copies_from.get(since, scheduled)
        if hold is not None and since < hold.until:
            copies = max(copies, hold.min_copies)
        whole = Decimal(-(-copies // copies_per_instance))
        part = Decimal(copies) / copies_per_instance
        spent = (whole if spec.instances.shared is None else part) * _hours(until - since)
        hours[since.date()] = hours.get(since.date(), Decimal(0)) + spent
    return hours


def _days(start: datetime, end: datetime) -> Iterator[tuple[date, Decimal]]:
    """The UTC days from `start` to `end`, each with the part of it that is to come."""
    at = start
    while at < end:
        after = _midnight(at) + _DAY
        yield at.date(), Decimal((after - at) // timedelta(seconds=1)) / 86400
        at = after


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _hours(span: timedelta) -> Decimal:
    return Decimal(span // timedelta(seconds=1)) / 3600
