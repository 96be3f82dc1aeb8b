"""What holds of every report, whatever the ledger has.

1. The sums over endpoints, over teams, over days and over kinds are the total.
2. A report of a month is its days' reports together; a week's is too, also over a clock change.
3. An unknown price is in no savings figure, and a priced endpoint beside it keeps its own.
4. What lies outside the period changes none of its dollars.
5. A segment that is cut in two, or has a price of its own day, changes nothing but its own part.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.endpoints.status import (
    EndpointRecord,
    EndpointStatus,
    UsageKind,
    UsageSegment,
)
from autoscaler.ledger.costs import Books, summarize
from autoscaler.ledger.figures import CostReport
from autoscaler.ledger.periods import Period
from tests.ledger_books import BOOK
from tests.samples import asleep, spec

# Both clock changes of the zones below, and the ends of months, lie near these days.
DAYS = [
    date(2026, 3, 29),
    date(2026, 10, 25),
    date(2026, 10, 31),
    date(2026, 4, 5),
    date(2026, 3, 8),
]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]
CENT = Decimal("0.01")
LATER = datetime(2027, 1, 1, tzinfo=UTC)
NAMES = ("llama", "qwen", "gone")


@st.composite
def one_segment(draw: st.DrawFn, around: datetime, priced: bool = True) -> UsageSegment:
    start = around + timedelta(minutes=draw(st.integers(-40 * 1440, 40 * 1440)))
    midnight = (start + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    end = min(start + timedelta(seconds=draw(st.integers(1, 100_000))), midnight)
    prices = [Decimal("2.6054"), Decimal("1.861"), Decimal("0.3333333")]
    return UsageSegment(
        endpoint=draw(st.sampled_from(NAMES)),
        team=draw(st.sampled_from(["search", "legal", "unassigned"])),
        instance_type="ml.g6e.xlarge",
        instances=draw(st.integers(1, 3)),
        kind=draw(st.sampled_from(UsageKind)),
        start=start,
        end=end,
        usd_per_hour=draw(st.sampled_from(prices if priced else [*prices, None])),
        over_gap=draw(st.booleans()),
    )


@st.composite
def ledgers(draw: st.DrawFn, priced: bool = True) -> tuple[Books, date, str]:
    day, zone = draw(st.sampled_from(DAYS)), draw(st.sampled_from(ZONES))
    around = datetime(day.year, day.month, day.day, tzinfo=UTC)
    segments = draw(st.lists(one_segment(around, priced), max_size=12))
    records = []
    for name in NAMES[:2]:  # the third one was removed
        status = asleep(name, created_at=around - timedelta(days=30), last_awake_at=around)
        records.append(_record(name, status))
    return Books(records, segments), day, zone


def _record(name: str, status: EndpointStatus) -> EndpointRecord:
    return EndpointRecord(spec=spec(name, team="search"), status=status)


def report(books: Books, period: Period) -> CostReport:
    return summarize(books, period, LATER, BOOK)


def total(parts: list[Decimal]) -> Decimal:
    return sum(parts, Decimal(0))


def same(one: Decimal, other: Decimal) -> bool:
    """To far below a cent: thousands of such differences are none either."""
    return abs(one - other) < CENT / 1_000_000


@settings(max_examples=60, deadline=None)
@given(ledgers(priced=False))
def test_every_way_to_sum_gives_the_total(drawn: tuple[Books, date, str]) -> None:
    books, day, zone = drawn
    for period in (Period.day(day, zone), Period.week(day, zone), Period.month(day, zone)):
        found = report(books, period)
        whole = found.total.cost.total
        assert same(total([e.cost.total for e in found.endpoints]), whole)
        assert same(total([t.cost.total for t in found.teams]), whole)
        assert same(total([s.cost.total for s in found.slots]), whole)
        if (baseline := found.total.baseline_usd) is not None:
            assert same(total([t.baseline_usd or Decimal(0) for t in found.teams]), baseline)
        assert same(total([m for s in found.slots for m in s.teams.values()]), whole)
        for team in found.teams:
            by_slot = total([s.teams.get(team.team, Decimal(0)) for s in found.slots])
            assert same(by_slot, team.cost.total)
        assert same(total([e.gaps.usd for e in found.endpoints]), found.total.gaps.usd)
        assert found.total.gaps.usd <= whole or same(found.total.gaps.usd, whole)


@settings(max_examples=40, deadline=None)
@given(ledgers())
def test_the_days_of_a_month_are_the_month(drawn: tuple[Books, date, str]) -> None:
    books, day, zone = drawn
    month = Period.month(day, zone)
    days, one = [], month.first_day
    while one.month == month.first_day.month:
        days.append(report(books, Period.day(one, zone)))
        one += timedelta(days=1)
    assert all(a.period.end == b.period.start for a, b in pairwise(days))
    whole = report(books, month)
    assert same(total([d.total.cost.total for d in days]), whole.total.cost.total)
    bars = [slot.cost.total for slot in whole.slots]
    assert len(bars) == len(days)
    assert all(same(d.total.cost.total, b) for d, b in zip(days, bars, strict=True))


@settings(max_examples=60, deadline=None)
@given(ledgers(priced=False))
def test_an_unknown_price_is_in_no_savings(drawn: tuple[Books, date, str]) -> None:
    books, day, zone = drawn
    found = report(books, Period.week(day, zone))
    missing = {e.name for e in found.endpoints if e.unpriced}
    for endpoint in found.endpoints:
        unknown = endpoint.name in missing or endpoint.baseline_usd is None
        assert (endpoint.savings_usd is None) == unknown
    assert (found.total.savings_usd is None) == (bool(missing) or found.total.baseline_usd is None)
    if found.total.savings_usd is not None:
        each = total([e.savings_usd or Decimal(0) for e in found.endpoints])
        assert same(each, found.total.savings_usd)


@settings(max_examples=40, deadline=None)
@given(ledgers())
def test_what_lies_outside_changes_no_dollar(drawn: tuple[Books, date, str]) -> None:
    books, day, zone = drawn
    week = Period.week(day, zone)
    inside = [s for s in books.segments if s.end > week.start and s.start < week.end]
    bare = report(Books(books.records, inside), week)
    assert same(report(books, week).total.cost.total, bare.total.cost.total)


@settings(max_examples=40, deadline=None)
@given(ledgers(), st.data())
def test_a_segment_in_two_is_the_same(drawn: tuple[Books, date, str], data: st.DataObject) -> None:
    books, day, zone = drawn
    cut = []
    for one in books.segments:
        inside = data.draw(st.integers(0, int((one.end - one.start).total_seconds())))
        middle = one.start + timedelta(seconds=inside)
        parts = [(one.start, middle), (middle, one.end)]
        cut += [one.model_copy(update={"start": a, "end": b}) for a, b in parts if a < b]
    period = Period.month(day, zone)
    before, after = report(books, period), report(Books(books.records, cut), period)
    assert same(before.total.cost.total, after.total.cost.total)
    assert [t.team for t in before.teams] == [t.team for t in after.teams]


@settings(max_examples=40, deadline=None)
@given(ledgers(), st.sampled_from([Decimal("9.5"), Decimal("0.01")]))
def test_a_new_price_moves_only_what_was_closed_with_it(
    drawn: tuple[Books, date, str], price: Decimal
) -> None:
    books, day, zone = drawn
    turn = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    dearer = [
        s.model_copy(update={"usd_per_hour": price}) if s.start >= turn else s
        for s in books.segments
    ]
    period = Period.week(day, zone)
    before, after = report(books, period), report(Books(books.records, dearer), period)
    for one, other in zip(before.slots, after.slots, strict=True):
        if other.slot.end <= turn:
            assert one.cost.total == other.cost.total
    assert before.total.instance_hours == after.total.instance_hours
