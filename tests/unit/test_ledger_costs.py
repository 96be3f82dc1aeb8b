"""The report's arithmetic, on books small enough to check by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.endpoints.status import Cause, ColdStart, HistoryEntry, Meter, Traffic, UsageKind
from autoscaler.ledger.costs import Books, summarize
from autoscaler.ledger.figures import CostReport
from autoscaler.ledger.periods import Period
from autoscaler.policy.types import Phase
from tests.ledger_books import BOOK, MONDAY, PRICES, fleet_books, segment
from tests.memory import memory_world
from tests.samples import asleep, put, spec

DAY = Period.day(MONDAY.date())
EVENING = MONDAY + timedelta(days=1, hours=6)
NO_FORECAST = {"forecast_usd": None}
PRICE = PRICES["ml.g6e.xlarge"]


def record(**changes: Any) -> Any:
    wanted = changes.pop("spec", None) or spec("llama", team="search")
    fields: dict[str, Any] = {
        "created_at": MONDAY - timedelta(days=3),
        "last_awake_at": MONDAY - timedelta(days=1),
        "at": EVENING,
    }
    return put(memory_world(), asleep("llama", **{**fields, **changes}), wanted)


def summary(books: Books, now: datetime = EVENING, period: Period = DAY) -> CostReport:
    return summarize(books, period, now, BOOK)


def test_cost_by_kind_against_one_instance_that_is_always_on() -> None:
    segments = [
        segment(MONDAY, 60, kind=UsageKind.PROVISIONING),
        segment(MONDAY + timedelta(hours=1), 120, instances=2),
        segment(MONDAY + timedelta(hours=3), 30, kind=UsageKind.IDLE_TAIL),
    ]
    total = summary(Books([record()], segments)).total
    assert total.cost.provisioning == PRICE
    assert total.cost.serving == 4 * PRICE
    assert total.cost.idle_tail == PRICE / 2
    assert total.baseline_usd == 24 * PRICE
    assert total.savings_usd == Decimal("18.5") * PRICE
    assert (total.awake_hours, total.instance_hours) == (2.5, 5.5)


def test_savings_may_be_negative_and_are_said_so() -> None:
    books = Books([record()], [segment(MONDAY, 24 * 60, instances=3)])
    report = summary(books)
    assert report.total.savings_usd == -48 * PRICE
    assert any("Savings are negative" in note for note in report.notes)


def test_an_unknown_price_is_listed_and_makes_savings_unknown() -> None:
    odd = segment(MONDAY, 60, instance_type="ml.new.xlarge", usd_per_hour=None)
    report = summary(Books([record()], [odd, segment(MONDAY + timedelta(hours=2), 60)]))
    assert report.total.cost.total == PRICE
    assert report.total.unpriced[0].instance_hours == 1
    assert report.total.savings_usd is None and report.total.usd_per_1000_requests is None
    assert any("ml.new.xlarge is unknown" in note for note in report.notes)


def test_a_baseline_without_a_price_is_not_known() -> None:
    strange = record(spec=spec("llama", instances={"types": ["ml.new.xlarge"]}))
    total = summary(Books([strange], [segment(MONDAY, 60)])).total
    assert total.baseline_usd is None and total.savings_usd is None


def test_segments_are_clipped_to_the_period() -> None:
    books = Books([record()], [segment(MONDAY - timedelta(hours=1), 120)])
    assert summary(books).total.cost.serving == PRICE


def test_the_open_meter_counts_until_now() -> None:
    meter = Meter(instances=1, instance_type="ml.g6e.xlarge", kind=UsageKind.SERVING, since=MONDAY)
    report = summary(Books([record(meters=(meter,))], []), now=MONDAY + timedelta(hours=2))
    assert report.total.cost.serving == 2 * PRICE
    assert report.until == MONDAY + timedelta(hours=2)
    assert report.total.baseline_usd == 2 * PRICE


def test_a_segment_that_closed_between_the_two_reads_counts_once() -> None:
    meter = Meter(instances=1, instance_type="ml.g6e.xlarge", kind=UsageKind.SERVING, since=MONDAY)
    books = Books([record(meters=(meter,))], [segment(MONDAY, 90)])
    now = MONDAY + timedelta(hours=2)
    assert summary(books, now=now).total.cost.serving == 2 * PRICE


def test_an_endpoint_that_never_had_an_instance_saves_nothing() -> None:
    failed = record(phase=Phase.FAILED, last_awake_at=None)
    assert summary(Books([failed], [])).total.savings_usd == 0


def test_an_endpoint_created_within_the_period_is_compared_from_its_first_instance() -> None:
    new = record(created_at=MONDAY + timedelta(hours=10), last_awake_at=MONDAY)
    books = Books([new], [segment(MONDAY + timedelta(hours=12), 60)])
    assert summary(books).total.baseline_usd == 12 * PRICE


def test_a_failed_endpoint_is_compared_until_it_failed() -> None:
    failed = record(phase=Phase.FAILED, phase_since=MONDAY + timedelta(hours=6))
    assert summary(Books([failed], [])).total.baseline_usd == 6 * PRICE


def test_a_retired_endpoint_is_compared_while_it_used_instances() -> None:
    books = Books([], [segment(MONDAY, 60), segment(MONDAY + timedelta(hours=4), 60)])
    (line,) = summary(books).endpoints
    assert (line.baseline_usd, line.model, line.team) == (5 * PRICE, None, "search")


def test_wakes_lead_times_and_causes() -> None:
    def start(hour: int, seconds: int, cause: Cause) -> ColdStart:
        asked = MONDAY + timedelta(hours=hour)
        ready = asked + timedelta(seconds=seconds)
        return ColdStart(requested_at=asked, ready_at=ready, cause=cause, copies=1)

    def line(hour: int, generation: int, phase: Phase = Phase.WAKING) -> HistoryEntry:
        at = MONDAY + timedelta(hours=hour)
        return HistoryEntry(endpoint="llama", at=at, generation=generation, phase=phase, text="")

    starts = (
        start(-30, 999, Cause.HOLD),
        start(8, 300, Cause.MESSAGE),
        start(10, 200, Cause.WINDOW),
        start(12, 250, Cause.MESSAGE),
    )
    lines = [line(8, 4), line(8, 4), line(10, 6), line(11, 7, Phase.SLEEPING), line(12, 8)]
    lines += [line(14, 10), line(-30, 2)]
    books = Books([record(cold_starts=starts)], [], history={"llama": lines})
    wakes = summary(books).total.wakes
    assert wakes.count == 4
    assert wakes.causes == {"message": 2, "window": 1}
    assert (wakes.lead_p50_seconds, wakes.lead_p90_seconds) == (250, 300)


def test_requests_tokens_and_waits() -> None:
    traffic = [
        Traffic(
            endpoint="llama",
            start=MONDAY + timedelta(days=n, hours=23),
            requests=500,
            input_tokens=1_500_000,
            output_tokens=500_000,
            waited_seconds=1000,
        )
        for n in (-1, 0, 1)
    ]
    total = summary(Books([record()], [segment(MONDAY, 60)], traffic)).total
    assert total.served.requests == 500 and total.served.mean_wait_seconds == 2
    assert total.usd_per_1000_requests == 2 * PRICE
    assert total.usd_per_million_tokens == PRICE / 2


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])
def test_requests_of_a_local_day_cover_its_own_hours_as_dollars_do(zone: str) -> None:
    day = Period.day((MONDAY + timedelta(days=1)).date(), zone)
    hours = [MONDAY + timedelta(hours=n) for n in range(72)]
    traffic = [Traffic(endpoint="llama", start=hour, requests=1) for hour in hours]
    segments = [segment(hour, 60) for hour in hours]
    total = summary(Books([record()], segments, traffic), hours[-1], day).total
    assert total.served.requests == total.instance_hours == 24
    first = next(hour for hour in hours if day.holds(hour, hour + timedelta(hours=1)))
    assert abs(first - day.start) <= timedelta(minutes=30)


def test_what_was_counted_by_day_belongs_where_its_noon_lies() -> None:
    old = [Traffic(endpoint="llama", start=MONDAY, hours=24, requests=7)]
    assert summary(Books([record()], [], old)).total.served.requests == 7
    sunday = Period.day((MONDAY - timedelta(days=1)).date(), "America/New_York")
    assert summary(Books([record()], [], old), period=sunday).total.served.requests == 0


def test_without_requests_nothing_is_divided() -> None:
    total = summary(Books([record()], [segment(MONDAY, 60)])).total
    assert total.usd_per_1000_requests is None and total.served.mean_wait_seconds is None


def test_the_budget_of_the_month() -> None:
    meter = Meter(instances=1, instance_type="ml.g6e.xlarge", kind=UsageKind.SERVING, since=MONDAY)
    limited = record(
        spec=spec("llama", budget={"monthly_usd": "100.00"}),
        spent_in="2026-11",
        spent_usd=Decimal(40),
        meters=(meter,),
    )
    (line,) = summary(Books([limited], []), now=MONDAY + timedelta(hours=10)).endpoints
    assert line.budget is not None
    assert line.budget.spent_usd == 40 + 10 * PRICE
    assert line.budget.share == pytest.approx(0.66, abs=0.01)


def test_dollars_stay_with_the_team_of_the_time() -> None:
    books = Books(
        [record()], [segment(MONDAY, 60, team="old"), segment(MONDAY + timedelta(hours=2), 60)]
    )
    teams = {team.team: team for team in summary(books).teams}
    assert teams["old"].cost.total == PRICE and teams["old"].endpoints == ()
    assert teams["search"].cost.total == PRICE and teams["search"].endpoints == ("llama",)
    assert (teams["old"].baseline_usd, teams["old"].savings_usd) == (PRICE, 0)
    assert teams["search"].baseline_usd == 23 * PRICE and teams["search"].savings_usd == 22 * PRICE


def _asked(hour: int, requests: int) -> Traffic:
    return Traffic(endpoint="llama", start=MONDAY + timedelta(hours=hour), requests=requests)


def _woken(hour: int, generation: int) -> HistoryEntry:
    at, text = MONDAY + timedelta(hours=hour), "Woken."
    return HistoryEntry(
        endpoint="llama", at=at, generation=generation, phase=Phase.WAKING, text=text
    )


def test_baseline_requests_and_wakes_go_with_the_dollars() -> None:
    books = Books(
        [record()],
        [
            segment(MONDAY, 12 * 60, team="old"),
            segment(MONDAY + timedelta(hours=12), 6 * 60),
        ],
        [_asked(11, 1_200), _asked(12, 500), _asked(20, 100)],
        {"llama": [_woken(0, 2), _woken(11, 4), _woken(12, 6)]},
    )
    report = summary(books)
    teams = {team.team: team for team in report.teams}
    old, new = teams["old"], teams["search"]
    assert (old.cost.total, old.baseline_usd, old.savings_usd) == (12 * PRICE, 12 * PRICE, 0)
    assert (new.cost.total, new.baseline_usd) == (6 * PRICE, 12 * PRICE)
    assert new.savings_usd == 6 * PRICE
    assert (old.served.requests, new.served.requests) == (1_200, 600)
    assert old.usd_per_1000_requests == new.usd_per_1000_requests == 10 * PRICE
    assert (old.wakes.count, new.wakes.count) == (2, 1)
    _same_sums(report)


def test_after_its_last_instance_an_endpoint_is_of_the_next_team() -> None:
    ran = segment(MONDAY + timedelta(hours=2), 60, team="old")
    report = summary(Books([record()], [ran], [_asked(2, 10), _asked(9, 5)]))
    teams = {team.team: team for team in report.teams}
    assert (teams["old"].baseline_usd, teams["search"].baseline_usd) == (3 * PRICE, 21 * PRICE)
    assert (teams["old"].served.requests, teams["search"].served.requests) == (10, 5)
    _same_sums(report)


def test_an_endpoint_that_slept_all_day_is_of_the_team_that_it_has_now() -> None:
    before = segment(MONDAY - timedelta(hours=5), 60, team="old")
    (team,) = summary(Books([record()], [before])).teams
    assert (team.team, team.baseline_usd) == ("search", 24 * PRICE)


def test_a_team_that_came_after_the_period_has_nothing_in_it() -> None:
    after = segment(MONDAY + timedelta(hours=24), 60)
    ran = [segment(MONDAY, 24 * 60, team="old"), after]
    teams = {team.team: team for team in summary(Books([record()], ran)).teams}
    assert teams["old"].baseline_usd == 24 * PRICE
    assert (teams["search"].cost.total, teams["search"].baseline_usd) == (0, 0)


def test_a_name_that_is_used_anew_after_the_period_is_another_endpoint() -> None:
    later = record(created_at=MONDAY + timedelta(hours=25))
    ran = [segment(MONDAY, 60, team="old"), segment(MONDAY + timedelta(hours=25), 60)]
    (team,) = summary(Books([later], ran)).teams
    assert (team.team, team.baseline_usd, team.endpoints) == ("old", PRICE, ("llama",))


def test_a_team_may_have_an_endpoint_twice() -> None:
    hours = [(0, "search"), (6, "old"), (12, "search")]
    ran = [segment(MONDAY + timedelta(hours=h), 6 * 60, team=team) for h, team in hours]
    report = summary(Books([record()], ran))
    assert {t.team: t.baseline_usd for t in report.teams} == {
        "old": 6 * PRICE,
        "search": 18 * PRICE,
    }
    _same_sums(report)


def _same_sums(report: CostReport) -> None:
    total, teams = report.total, report.teams
    assert sum(t.baseline_usd or 0 for t in teams) == total.baseline_usd
    assert sum(t.savings_usd or 0 for t in teams) == total.savings_usd
    assert sum(t.served.requests for t in teams) == total.served.requests
    assert sum(t.wakes.count for t in teams) == total.wakes.count


def test_an_hour_with_two_types_is_one_hour_awake() -> None:
    other = {"instance_type": "ml.g6e.12xlarge", "usd_per_hour": PRICES["ml.g6e.12xlarge"]}
    ran = [
        segment(MONDAY, 60),
        segment(MONDAY + timedelta(minutes=30), 60, **other),
        segment(MONDAY, 90, endpoint="qwen"),
    ]
    report = summary(Books([record()], ran))
    assert [e.awake_hours for e in report.endpoints] == [1.5, 1.5]
    assert (report.total.awake_hours, report.teams[0].awake_hours) == (3.0, 3.0)
    assert report.total.instance_hours == 3.5


def test_an_empty_fleet_has_an_empty_report() -> None:
    report = summary(Books([], []))
    assert report.endpoints == () and report.total.savings_usd == 0


def test_a_period_that_has_not_begun() -> None:
    report = summary(Books([record()], []), now=MONDAY - timedelta(days=1))
    assert report.until == report.period.start and report.total.cost.total == 0


def test_slots_teams_and_endpoints_add_up_to_the_total() -> None:
    week = Period.week(MONDAY.date(), "Europe/Berlin")
    report = summary(fleet_books(), MONDAY + timedelta(days=8), week)
    total = report.total
    for parts in (report.endpoints, report.teams):
        assert sum(p.cost.total for p in parts) == pytest.approx(total.cost.total)
        assert sum(p.wakes.count for p in parts) == total.wakes.count
        assert sum(p.served.requests for p in parts) == total.served.requests
    assert sum(s.cost.total for s in report.slots) == pytest.approx(total.cost.total)
    slots = sum((s.baseline_usd or Decimal(0) for s in report.slots), Decimal(0))
    assert slots == pytest.approx(total.baseline_usd)


def test_the_days_add_up_to_the_week() -> None:
    books, now = fleet_books(), MONDAY + timedelta(days=8)
    week = summary(books, now, Period.week(MONDAY.date(), "Asia/Kolkata")).total
    days = [
        summary(books, now, Period.day((MONDAY + timedelta(days=n)).date(), "Asia/Kolkata")).total
        for n in range(7)
    ]
    assert sum(day.cost.total for day in days) == pytest.approx(week.cost.total)
    assert sum(day.served.requests for day in days) == week.served.requests
    assert sum(day.wakes.count for day in days) == week.wakes.count


def test_closing_the_books_later_changes_nothing() -> None:
    early = summary(fleet_books(), MONDAY + timedelta(days=9))
    late = summary(fleet_books(), datetime(2026, 11, 29, tzinfo=UTC))
    assert replace_time(early) == replace_time(late)


def replace_time(report: CostReport) -> CostReport:
    """As if written on one day; what a month comes to is looked at from the day of writing."""
    endpoints = [
        e.model_copy(update={"budget": e.budget and e.budget.model_copy(update=NO_FORECAST)})
        for e in report.endpoints
    ]
    return report.model_copy(update={"written_at": MONDAY, "endpoints": endpoints})


def test_what_nobody_saw_is_said_without_blaming_ticks_that_may_have_come() -> None:
    """With `TickMinutes: 5`, or while it slept, none was lost."""
    report = summary(Books([record()], [segment(MONDAY, 10, over_gap=True)]))
    (note,) = [one for one in report.notes if "had changed" in one]
    assert note.startswith("600 instance-seconds ($0.43) lie between two looks more than two and a")
