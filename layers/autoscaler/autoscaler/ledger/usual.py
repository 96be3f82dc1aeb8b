"""What the weeks before a report were like: days, the period before, and what a budget comes to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from ..alerts.wording import usd as dollars
from ..endpoints.spending import foretold_of
from ..endpoints.status import EndpointRecord, Traffic, UsageSegment
from .anomalies import WEEKS, Anomaly, Series, anomalies
from .billed import clip, usd
from .budget_use import BudgetUse
from .figures import Unusual
from .periods import Period, PeriodKind, local_midnight

# What has to be read before a period, for all of this.
LOOK_BACK = timedelta(weeks=WEEKS, days=1)
_LEAST_USD, _LEAST_REQUESTS = 1.0, 20.0

Days = Mapping[str, Mapping[date, Decimal]]


def by_day(segments: Iterable[UsageSegment], time_zone: str = "UTC") -> Days:
    """Dollars by endpoint and local day; unknown prices count as nothing."""
    zone = ZoneInfo(time_zone)
    sums: dict[str, dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for segment in segments:
        for piece, day in _by_midnight(segment, zone, time_zone):
            sums[segment.endpoint][day] += usd(piece)
    return sums


def together(days: Days) -> Mapping[date, Decimal]:
    """Dollars of all endpoints by day."""
    sums: dict[date, Decimal] = defaultdict(Decimal)
    for of_one in days.values():
        for day, money in of_one.items():
            sums[day] += money
    return sums


def unusual(
    ever: Sequence[UsageSegment],
    traffic: Sequence[Traffic],
    records: Sequence[EndpointRecord],
    period: Period,
    until: datetime,
) -> tuple[Unusual, ...]:
    """The days of the period that are over and were unlike the same weekdays before them. What a
    day cost in which something of an unknown price ran, nobody knows."""
    if period.kind is PeriodKind.ALL:
        return ()
    zone = period.time_zone
    costs, since = by_day(ever, zone), _since(ever, records, zone)
    unknown = by_day((s for s in ever if s.usd_per_hour is None), zone)
    asked: dict[str, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    for one in traffic:
        middle = one.start + (one.end - one.start) / 2
        asked[one.endpoint][middle.astimezone(ZoneInfo(zone)).date()] += one.requests
    series = []
    for name, first in since.items():
        spent = {day: float(money) for day, money in costs.get(name, {}).items()}
        series += [
            Series(name, "cost", spent, first, _LEAST_USD, _spent, set(unknown.get(name, ()))),
            Series(name, "requests", asked.get(name, {}), first, _LEAST_REQUESTS, _asked),
        ]
    return tuple(_told(one) for one in anomalies(series, list(_days(period, until))))


def before(period: Period, until: datetime) -> tuple[datetime, datetime] | None:
    """The period before this one; of one that still runs, as much of it as has run of this."""
    if period.kind is PeriodKind.ALL:
        return None
    earlier = Period.holding(period.kind, period.first_day - timedelta(days=1), period.time_zone)
    end = earlier.end if until >= period.end else earlier.start + (until - period.start)
    return earlier.start, min(end, earlier.end)


@dataclass(frozen=True)
class Earlier:
    """What was used in the period before, and who was `there` when that began. Sums are None where
    nobody was, or where a price is unknown."""

    pieces: tuple[UsageSegment, ...] = ()
    there: frozenset[str] = frozenset()

    def of(self, endpoint: str) -> Decimal | None:
        """One endpoint's."""
        return self._sum({endpoint}, [s for s in self.pieces if s.endpoint == endpoint])

    def of_team(self, team: str, endpoints: Iterable[str]) -> Decimal | None:
        """What the team paid for then, of endpoints that have gone or are another's now too."""
        theirs = [s for s in self.pieces if s.team == team]
        return self._sum({*endpoints, *(s.endpoint for s in theirs)}, theirs)

    def of_all(self) -> Decimal | None:
        """Everybody's, also of those who came or went meanwhile."""
        return self._sum(self.there, self.pieces)

    def _sum(self, names: Collection[str], pieces: Sequence[UsageSegment]) -> Decimal | None:
        if self.there.isdisjoint(names) or any(one.usd_per_hour is None for one in pieces):
            return None
        return sum(map(usd, pieces), Decimal(0))


def earlier(
    ever: Iterable[UsageSegment], period: Period, until: datetime, since: Mapping[str, datetime]
) -> Earlier:
    """The period before this one; nothing for one that has none. `since`: `first_moments`. Who came
    midway is not compared: a part of a day is no day."""
    span = before(period, until)
    if span is None:
        return Earlier()
    pieces = (clip(segment, *span) for segment in ever)
    there = frozenset(name for name, first in since.items() if first <= span[0])
    return Earlier(tuple(one for one in pieces if one is not None), there)


def with_forecast(use: BudgetUse, record: EndpointRecord, now: datetime) -> BudgetUse:
    """The budget with what the month will have cost, as the tick foretells it."""
    return use.model_copy(update={"forecast_usd": foretold_of(record, use.spent_usd, now)})


def first_moments(
    ever: Iterable[UsageSegment], records: Iterable[EndpointRecord]
) -> Mapping[str, datetime]:
    """When each endpoint was there first, as far as anybody knows."""
    first: dict[str, datetime] = {r.spec.name: r.status.first_applied_at for r in records}
    for segment in ever:
        known = first.get(segment.endpoint, segment.start)
        first[segment.endpoint] = min(known, segment.start)
    return dict(sorted(first.items()))


def _since(
    ever: Iterable[UsageSegment], records: Iterable[EndpointRecord], time_zone: str
) -> dict[str, date]:
    zone, first = ZoneInfo(time_zone), first_moments(ever, records)
    return {name: moment.astimezone(zone).date() for name, moment in first.items()}


def _by_midnight(
    segment: UsageSegment, zone: ZoneInfo, time_zone: str
) -> Iterator[tuple[UsageSegment, date]]:
    start = segment.start
    while start < segment.end:
        day = start.astimezone(zone).date()
        end = min(segment.end, local_midnight(day + timedelta(days=1), time_zone))
        piece = clip(segment, start, end)
        if piece is not None:
            yield piece, day
        start = end


def _days(period: Period, until: datetime) -> Iterator[date]:
    day = period.first_day
    while local_midnight(day + timedelta(days=1), period.time_zone) <= min(until, period.end):
        yield day
        day += timedelta(days=1)


def _spent(value: float) -> str:
    return dollars(Decimal(str(value)))


def _asked(value: float) -> str:
    return f"{value:,.0f} request{'' if value == 1 else 's'}"


def _told(one: Anomaly) -> Unusual:
    return Unusual(
        endpoint=one.endpoint,
        day=one.day,
        what=one.what,
        value=one.value,
        usual=one.usual,
        sentence=one.sentence,
    )
