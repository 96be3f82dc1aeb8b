"""What a report says of other weeks: forecasts, days unlike others, the period before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.control.purse import forecast
from autoscaler.endpoints.status import EndpointRecord, Traffic, UsageKind, UsageSegment
from autoscaler.ledger.announcement import announcement
from autoscaler.ledger.costs import Books, summarize
from autoscaler.ledger.figures import CostReport
from autoscaler.ledger.periods import Period
from autoscaler.ledger.sections import against_before
from autoscaler.policy.forecast import Spending
from tests.ledger_books import BOOK, MONDAY, PRICES, segment
from tests.samples import asleep, spec

PRICE = PRICES["ml.g6e.xlarge"]
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


def fleet(created: datetime, budget: str | None = None) -> list[EndpointRecord]:
    wanted = spec("llama", team="search", budget={"monthly_usd": budget} if budget else {})
    return [EndpointRecord(spec=wanted, status=asleep("llama", created_at=created))]


def hours_of(day: datetime, hours: float) -> UsageSegment:
    return segment(day + timedelta(hours=1), hours * 60)


def weeks_of(count: int, hours: float = 4) -> list[UsageSegment]:
    """So many Mondays before MONDAY, an equal time each."""
    return [hours_of(MONDAY - timedelta(weeks=n), hours) for n in range(1, count + 1)]


def day_report(segments: list[UsageSegment], traffic: list[Traffic] | None = None) -> CostReport:
    books = Books(fleet(MONDAY - timedelta(weeks=20)), segments, traffic or [])
    now = MONDAY + timedelta(days=1, hours=6)
    return summarize(books, Period.day(MONDAY.date()), now, BOOK)


# --- forecast


def test_the_budget_of_a_report_foretells_what_the_tick_does() -> None:
    now = MONDAY + timedelta(days=1)
    seen = Spending(now.date(), Decimal(0), (Decimal(5),) * 7)
    (record,) = fleet(MONDAY - timedelta(days=60), budget="900")
    record = record.having(record.status.model_copy(update={"spending": seen}))
    books = Books([record], [hours_of(MONDAY, 2)])
    (line,) = summarize(books, Period.day(MONDAY.date()), now, BOOK).endpoints
    assert line.budget is not None
    left = (DECEMBER - now) // timedelta(days=1)
    assert line.budget.forecast_usd == line.budget.spent_usd + left * 5
    assert line.budget.forecast_usd == forecast(record, now)


# --- unlike other weeks


def test_a_day_of_three_times_the_usual_is_said_with_figures() -> None:
    found = day_report([*weeks_of(6), hours_of(MONDAY, 12)]).unusual
    assert [one.sentence for one in found] == [
        "llama: $31.26 on Monday 16 Nov, 3.0 times as much as usual; a usual Monday has $10.42 "
        "(median of 8 weeks)."
    ]
    assert found[0].what == "cost"


def test_a_usual_day_is_not_said() -> None:
    assert day_report([*weeks_of(8), hours_of(MONDAY, 4.5)]).unusual == ()


def test_one_odd_week_does_not_make_the_next_one_usual() -> None:
    odd = [hours_of(MONDAY - timedelta(weeks=1), 20)]
    found = day_report([*odd, *weeks_of(8)[1:], hours_of(MONDAY, 20)]).unusual
    assert [one.usual for one in found] == [pytest.approx(float(4 * PRICE))]


def test_with_three_weeks_of_history_nothing_is_said() -> None:
    books = Books(fleet(MONDAY - timedelta(weeks=3, days=3)), [*weeks_of(3), hours_of(MONDAY, 20)])
    report = summarize(books, Period.day(MONDAY.date()), MONDAY + timedelta(days=2), BOOK)
    assert report.unusual == ()


def test_a_day_that_is_not_over_is_not_judged() -> None:
    books = Books(fleet(MONDAY - timedelta(weeks=20)), weeks_of(8))
    report = summarize(books, Period.day(MONDAY.date()), MONDAY + timedelta(hours=3), BOOK)
    assert report.unusual == (), "at three in the morning nobody has asked yet"
    over = summarize(books, Period.day(MONDAY.date()), MONDAY + timedelta(days=1), BOOK)
    assert [one.what for one in over.unusual] == ["cost"]


def test_requests_are_judged_too() -> None:
    usual = [
        Traffic(endpoint="llama", start=MONDAY - timedelta(weeks=n, hours=-9), requests=100 + n)
        for n in range(1, 9)
    ]
    many = Traffic(endpoint="llama", start=MONDAY + timedelta(hours=9), requests=1200)
    (found,) = day_report([*weeks_of(8), hours_of(MONDAY, 4)], [*usual, many]).unusual
    assert found.what == "requests" and "1,200 requests on Monday 16 Nov" in found.sentence


# --- prices that are not known


def unpriced(day: datetime, hours: float, **changes: Any) -> UsageSegment:
    kind = {"instance_type": "ml.p5e.48xlarge", "usd_per_hour": None}
    return segment(day + timedelta(hours=1), hours * 60, **kind, **changes)


def test_a_day_of_an_unknown_price_is_no_day_without_a_cost() -> None:
    """It was told as `$0.00 on Monday, 0% of the usual`; its requests are known all the same."""
    assert day_report([*weeks_of(8, 10), unpriced(MONDAY, 10)]).unusual == ()
    partly = [hours_of(MONDAY, 1), unpriced(MONDAY + timedelta(hours=9), 2)]
    assert day_report([*weeks_of(8, 10), *partly]).unusual == ()
    usual = [
        Traffic(endpoint="llama", start=MONDAY - timedelta(weeks=n, hours=-9), requests=100)
        for n in range(1, 9)
    ]
    found = day_report([*weeks_of(8, 10), unpriced(MONDAY, 10)], usual).unusual
    assert [one.what for one in found] == ["requests"]


def test_earlier_days_of_an_unknown_price_are_no_part_of_what_is_usual() -> None:
    earlier = [unpriced(MONDAY - timedelta(weeks=n), 10) for n in range(1, 6)]
    known = [hours_of(MONDAY - timedelta(weeks=n), 10) for n in range(6, 9)]
    assert day_report([*earlier, *known, hours_of(MONDAY, 10)]).unusual == (), "three are too few"
    known += [hours_of(MONDAY - timedelta(weeks=5), 10)]
    (found,) = day_report([*earlier[:4], *known, hours_of(MONDAY, 2)]).unusual
    assert found.sentence.endswith("a usual Monday has $26.05 (median of 4 weeks).")


def test_days_of_another_endpoints_unknown_price_are_judged() -> None:
    other = unpriced(MONDAY, 10, endpoint="mistral")
    (found,) = day_report([*weeks_of(8), hours_of(MONDAY, 12), other]).unusual
    assert found.endpoint == "llama"


# --- the period before


def test_what_has_no_price_now_is_not_held_against_what_had_one() -> None:
    """The page said `$182.38, -$182.38 (-100 %)` of a week that cost more."""
    report = day_report([hours_of(MONDAY - timedelta(days=1), 3), unpriced(MONDAY, 10)])
    (endpoint,) = report.endpoints
    assert endpoint.before_usd == 3 * PRICE
    assert against_before(endpoint) == "$7.82; the difference is not known"
    (line,) = announcement(report, "s3://r/x.html").lines
    assert (line.at_least, line.moved_usd) == (True, None)


def test_the_cost_is_held_against_the_day_before() -> None:
    report = day_report([hours_of(MONDAY - timedelta(days=1), 3), hours_of(MONDAY, 5)])
    assert report.total.before_usd == 3 * PRICE
    assert report.endpoints[0].before_usd == 3 * PRICE


def test_a_period_that_runs_is_held_against_as_much_of_the_one_before() -> None:
    yesterday = MONDAY - timedelta(days=1)
    books = Books(fleet(yesterday - timedelta(days=9)), [segment(yesterday, 20 * 60)])
    now = MONDAY + timedelta(hours=6)
    report = summarize(books, Period.day(MONDAY.date()), now, BOOK)
    assert report.total.before_usd == 6 * PRICE


def test_who_was_not_there_before_is_not_compared() -> None:
    books = Books(fleet(MONDAY), [hours_of(MONDAY, 5)])
    report = summarize(books, Period.day(MONDAY.date()), MONDAY + timedelta(days=1), BOOK)
    assert report.total.before_usd is None


def test_who_came_midway_through_the_period_before_is_not_compared() -> None:
    """Nine hours of the day before are no day to compare with."""
    yesterday = MONDAY - timedelta(days=1)
    used = [segment(yesterday + timedelta(hours=15), 9 * 60), hours_of(MONDAY, 5)]
    came = [yesterday + timedelta(hours=hour) for hour in (0, 15)]
    now = MONDAY + timedelta(days=1)
    day = Period.day(MONDAY.date())
    found = [summarize(Books(fleet(at), used), day, now, BOOK).endpoints[0] for at in came]
    assert [one.before_usd for one in found] == [9 * PRICE, None]


def test_whether_it_was_there_goes_by_the_periods_own_midnight() -> None:
    """Sunday in Berlin begins at 23:00 UTC on Saturday."""
    sunday = datetime(2026, 11, 14, 23, tzinfo=UTC)
    day = Period.day(MONDAY.date(), "Europe/Berlin")
    used = [hours_of(MONDAY - timedelta(days=1), 3), hours_of(MONDAY, 5)]
    found = [
        summarize(Books(fleet(sunday + late), used), day, day.end, BOOK).endpoints[0].before_usd
        for late in (timedelta(), timedelta(minutes=1))
    ]
    assert found == [3 * PRICE, None]


# --- waits and use


def test_waits_are_known_by_the_edges_of_their_bins() -> None:
    counted = Traffic(
        endpoint="llama", start=MONDAY, requests=100, waits={0: 60, 4: 35, 8: 4, 12: 1}
    )
    served = day_report([], [counted]).total.served
    found = (served.wait_p50_seconds, served.wait_p95_seconds, served.wait_most_seconds)
    assert found == (1.0, 20.0, 900.0)


def test_of_requests_that_were_counted_without_their_waits_nothing_is_said() -> None:
    report = day_report([], [Traffic(endpoint="llama", start=MONDAY, requests=100)])
    assert report.total.served.wait_p95_seconds is None
    assert any("Waits by share are known of 0 of 100" in note for note in report.notes)


def test_utilisation_is_the_share_that_served() -> None:
    idle = segment(MONDAY + timedelta(hours=5), 60, kind=UsageKind.IDLE_TAIL)
    assert day_report([hours_of(MONDAY, 3), idle]).total.utilisation == 0.75
    assert day_report([]).total.utilisation is None


def test_what_has_gone_or_came_meanwhile_was_paid_for_before_all_the_same() -> None:
    before = MONDAY - timedelta(days=1)
    used = [
        hours_of(before, 3),
        segment(before, 120, endpoint="gone"),
        segment(before + timedelta(hours=2), 60, endpoint="other", team="research"),
        hours_of(MONDAY, 5),
    ]
    there = [segment(before - timedelta(days=3), 60, endpoint="gone")]
    report = day_report([*there, *used])
    assert report.total.before_usd == 6 * PRICE
    assert [(e.name, e.before_usd) for e in report.endpoints] == [("llama", 3 * PRICE)]
    assert [(t.team, t.before_usd) for t in report.teams] == [("search", 5 * PRICE)]


def test_a_price_that_was_unknown_is_no_zero_in_the_period_before() -> None:
    before = MONDAY - timedelta(days=1)
    used = [hours_of(before, 3), segment(before, 60, endpoint="new", usd_per_hour=None)]
    report = day_report([*used, hours_of(MONDAY, 5)])
    assert report.total.before_usd is None
    assert report.endpoints[0].before_usd == 3 * PRICE
