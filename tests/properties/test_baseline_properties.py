"""What holds of the always-on baseline, whatever an endpoint and those of its name before went
through.

1. It is as long as the endpoint that there is had an instance or could have kept it: from its first
   to its failure, and from the instance with which it answered again; until it answers, only what
   it used.
2. A period's is that of its days together, over failures and re-creations too.
3. Of each endpoint of the name that is gone it lasts from its first to its last instance within the
   period, and never between two.
4. The bars of a report add up to its total.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.endpoints.lives import FailedSpan
from autoscaler.endpoints.status import EndpointRecord, UsageSegment
from autoscaler.ledger.billed import Span, hours
from autoscaler.ledger.costs import Books, summarize
from autoscaler.ledger.figures import CostReport
from autoscaler.ledger.periods import Period
from autoscaler.policy.types import Phase
from tests.ledger_books import BOOK, MONDAY, PRICES, segment
from tests.samples import asleep, spec

PRICE = PRICES["ml.g6e.xlarge"]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WEEK = Period.week(MONDAY.date())
LATER = MONDAY + 30 * DAY
LAST = 120  # the hour of the week at which those before are gone


@dataclass(frozen=True)
class Life:
    """An endpoint's record, what it used, and when there was something to keep on."""

    record: EndpointRecord
    used: tuple[UsageSegment, ...]
    on: tuple[Span, ...]


def at(hour: int) -> datetime:
    return MONDAY + hour * HOUR


@st.composite
def lives(draw: st.DrawFn, since: int = -72) -> Life:
    """Applied, its first instance, and then in turn: it failed, was created anew, had the instance
    with which it answered; it may end with any of these."""
    drawn = st.lists(st.integers(since, 9 * 24), unique=True, min_size=2, max_size=12)
    made, began, *turns = (at(hour) for hour in sorted(draw(drawn)))
    spans, on, back = [], [], began
    while len(turns) >= 2:
        failed, anew = turns[:2]
        answered = turns[2] if len(turns) > 2 else None
        spans.append(FailedSpan(start=failed, end=anew, back_at=answered))
        on, turns = [*on, (back, failed)], turns[3:]
        if answered is None:
            back = LATER
            break
        back = answered
    end = turns[0] if turns else LATER
    used = [run for start, stop in [*on, (back, end)] for run in _runs(draw, start, stop, made)]
    tries: list[UsageSegment] = []
    if back == LATER:  # created anew, and not answering: each try had an instance for a while
        tries = _runs(draw, spans[-1].end, LATER, made)[1:]
    on += [(back, end), *((one.start, one.end) for one in tries)]
    status = asleep(
        "llama",
        phase=Phase.FAILED if turns else Phase.ASLEEP,
        phase_since=end if turns else back,
        created_at=spans[-1].end if spans else made,
        applied_at=made,
        began_at=began,
        last_awake_at=max(one.start for one in used) + timedelta(minutes=5),
        failed_spans=tuple(spans),
    )
    record = EndpointRecord(spec=spec("llama", team="search"), status=status)
    return Life(record, tuple(used + tries), tuple(span for span in on if span[0] < span[1]))


def _runs(draw: st.DrawFn, start: datetime, end: datetime, made: datetime) -> list[UsageSegment]:
    """Instances within [start, end), the first of which comes with its start."""
    after = draw(st.lists(st.integers(1, 90), max_size=3, unique=True))
    begins = [start, *(start + hour * HOUR for hour in sorted(after))]
    runs = [(begin, min(end, begin + HOUR)) for begin in begins if begin < end]
    return [segment(a, (b - a) / timedelta(minutes=1), made_at=made) for a, b in runs]


@st.composite
def gone(draw: st.DrawFn) -> list[list[UsageSegment]]:
    """What up to three endpoints of the name used before they were removed, one after another."""
    moments = sorted(draw(st.lists(st.integers(-200, -1), unique=True, max_size=12)))
    moved = draw(st.integers(0, LAST))  # all of it before the week, all within, or some
    found = []
    for first in range(0, len(moments), 4):
        made, *runs = (at(hour + moved) for hour in moments[first : first + 4])
        found.append([segment(begin, 45, made_at=made) for begin in runs])
    return [life for life in found if life]


def report(period: Period, used: Sequence[UsageSegment], *records: EndpointRecord) -> CostReport:
    return summarize(Books(records, used), period, LATER, BOOK)


def baseline(found: CostReport) -> Decimal:
    """In hours of the one instance."""
    return (found.total.baseline_usd or Decimal(0)) / PRICE


def within(spans: Sequence[Span], period: Period) -> Decimal:
    """Hours of the spans in the period."""
    cut = [(max(a, period.start), min(b, period.end)) for a, b in spans]
    return sum((hours(b - a) for a, b in cut if a < b), Decimal(0))


def same(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) < Decimal("1e-9")


@settings(max_examples=200, deadline=None)
@given(lives())
def test_a_day_and_a_week_have_the_hours_in_which_it_could_have_been_kept_on(one: Life) -> None:
    days = [Period.day((MONDAY + n * DAY).date()) for n in range(7)]
    each = [baseline(report(day, one.used, one.record)) for day in days]
    assert all(same(a, within(one.on, day)) for a, day in zip(each, days, strict=True))
    whole = report(WEEK, one.used, one.record)
    assert same(baseline(whole), within(one.on, WEEK))
    assert same(sum(each, Decimal(0)), baseline(whole))


@settings(max_examples=200, deadline=None)
@given(gone(), st.none() | lives(since=LAST))
def test_those_that_are_gone_have_what_lies_between_their_own_instances(
    before: list[list[UsageSegment]], present: Life | None
) -> None:
    used = [one for life in before for one in life]
    if present is not None:
        used += present.used
    found = report(WEEK, used, *([present.record] if present else []))
    spans = []
    for life in before:
        inside = [one for one in life if one.end > WEEK.start and one.start < WEEK.end]
        spans += [(inside[0].start, inside[-1].end)] if inside else []
    own = within(present.on, WEEK) if present else Decimal(0)
    assert same(baseline(found), within(spans, WEEK) + own)
    bars = [slot.baseline_usd or Decimal(0) for slot in found.slots]
    assert same(sum(bars, Decimal(0)) / PRICE, baseline(found))
