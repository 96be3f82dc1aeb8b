"""Budgets in a report: of endpoints and of the stack, by the month and by the day."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.alerts.message import message_of
from autoscaler.endpoints.status import EndpointRecord, UsageSegment
from autoscaler.ledger.announcement import announcement
from autoscaler.ledger.budgets import BudgetDates, StackMoney, daily_budget
from autoscaler.ledger.costs import Books, summarize
from autoscaler.ledger.csv import render_csv
from autoscaler.ledger.figures import CostReport
from autoscaler.ledger.html import render_html
from autoscaler.ledger.periods import Period, PeriodKind
from autoscaler.ledger.report import read_books
from autoscaler.spec import StackBudget
from tests.ledger_books import BOOK, MONDAY, PRICES, segment
from tests.memory import memory_world
from tests.samples import asleep, spec

HOURLY = PRICES["ml.g6e.xlarge"]
DAY, WEEK = timedelta(days=1), Period.week(MONDAY.date())
WEDNESDAY = MONDAY + 2 * DAY
LATER = MONDAY + 8 * DAY
ZERO = Decimal(0)
BERLIN = Period.day(MONDAY.date(), "Europe/Berlin")


@pytest.mark.parametrize(
    ("spent", "period", "now", "expected"),
    [
        ({}, WEEK, MONDAY, None),  # no day
        ({0: 5}, Period.day(MONDAY.date()), MONDAY + DAY, (0, 5, 1, 0)),
        ({0: 11, 1: 10, 2: 12}, WEEK, LATER, (6, 0, 7, 2)),  # ten of ten is not over it
        ({0: 11, 2: 4}, WEEK, WEDNESDAY + DAY / 2, (2, 4, 3, 1)),  # still running
        ({-1: 30, 0: 4}, BERLIN, MONDAY + DAY / 2, (0, 4, 2, 1)),  # days are UTC's
        ({-1: 30, 0: 4}, BERLIN, MONDAY + DAY, (0, 4, 1, 0)),  # Sunday is Sunday's report's
        ({0: 4}, Period.since(MONDAY, MONDAY + DAY / 4), MONDAY + DAY / 3, (0, 4, 1, 0)),
    ],
)
def test_of_each_day_there_is_a_share_and_the_days_above_are_counted(
    spent: dict[int, int], period: Period, now: datetime, expected: tuple[int, ...] | None
) -> None:
    by_day = {MONDAY.date() + n * DAY: Decimal(usd) for n, usd in spent.items()}
    use = daily_budget(Decimal(10), by_day, BudgetDates.of(period, now).days)
    if use is None or expected is None:
        assert use is expected
        return
    day, usd, days, over = expected
    assert use.day == MONDAY.date() + day * DAY
    assert (use.spent_usd, use.days, use.days_over) == (usd, days, over)
    assert use.share == pytest.approx(usd / 10)


def test_without_a_budget_there_is_nothing_to_say() -> None:
    assert daily_budget(None, {}, [MONDAY.date()]) is None


def report(
    segments: Sequence[UsageSegment], stack: StackMoney | None = None, **budget: Any
) -> CostReport:
    status = asleep("llama", created_at=MONDAY - DAY, last_awake_at=MONDAY)
    record = EndpointRecord(spec=spec("llama", team="search", budget=budget), status=status)
    return summarize(Books([record], segments), WEEK, LATER, BOOK, None, stack)


RAN = [
    segment(MONDAY, 10 * 60),
    segment(WEDNESDAY, 2 * 60),
    segment(WEDNESDAY, 3 * 60, endpoint="removed"),
]
STACK = StackMoney(
    StackBudget(monthly_usd=Decimal(5000), daily_usd=Decimal(20)), Decimal(420), Decimal(5200)
)


def test_an_endpoint_is_held_against_its_own_day_and_the_stack_against_all() -> None:
    found = report(RAN, STACK, daily_usd="6")
    (llama, _) = found.endpoints
    assert llama.daily_budget and found.stack_daily_budget and found.stack_budget
    assert (llama.daily_budget.days, llama.daily_budget.days_over) == (7, 1)
    assert llama.daily_budget.day == date(2026, 11, 22) and llama.daily_budget.spent_usd == 0
    assert found.stack_daily_budget.days_over == 1, "ten hours on Monday are above $20"
    assert 5 * HOURLY < 20 < 10 * HOURLY
    assert (found.stack_budget.spent_usd, found.stack_budget.forecast_usd) == (420, 5200)
    assert found.stack_budget.month == "2026-11"
    again = CostReport.model_validate_json(found.model_dump_json())
    assert again.stack_budget == found.stack_budget


def test_the_page_has_them_in_one_table() -> None:
    html = render_html(report(RAN, STACK, monthly_usd="900", daily_usd="6"))
    assert "<h2>Budgets</h2>" in html
    for cell in ("$5,000.00 in 2026-11", "$5,200.00, over it", "$20.00 a day", "1 of 7",
                 "$900.00 in 2026-11", "$6.00 a day"):  # fmt: skip
        assert f"<span>{cell}</span>" in html
    for owner in ("The stack, month", "The stack, day", "llama, month", "llama, day"):
        assert f"<td>{owner}</td>" in html
    assert "over it on 1 of 7 days" in html, "beside the other figures of the endpoint"
    assert "<h2>Budgets</h2>" not in render_html(report(RAN))


def test_the_table_has_an_endpoints_on_its_row_and_the_stacks_on_that_of_all() -> None:
    text = render_csv(report(RAN, STACK, daily_usd="6"))
    rows = {row["endpoint"]: row for row in csv.DictReader(io.StringIO(text))}
    llama, whole = rows["llama"], rows["(all)"]
    assert (llama["budget_monthly_usd"], llama["budget_daily_usd"]) == ("", "6.000000")
    assert (llama["budget_days_over"], whole["budget_days_over"]) == ("1", "1")
    assert (whole["budget_monthly_usd"], whole["budget_share"]) == ("5000.000000", "0.084")
    assert rows["removed"]["budget_daily_usd"] == ""


def budgets_told(found: CostReport) -> str:
    message = message_of(announcement(found, "s3://r/costs.html"))
    return dict(message.facts).get("budgets", "")


@pytest.mark.parametrize(
    ("stack", "budget", "told"),
    [
        (None, {}, ""),
        (None, {"daily_usd": "60"}, ""),  # nothing spent of it, and never above it
        (None, {"daily_usd": "6"}, "llama 0 % of $6.00 a day (2026-11-22), over it on 1 day"),
        (
            STACK,
            {"daily_usd": "60"},
            "the stack 8.4 % of $5,000.00 a month (2026-11), forecast $5,200.00; "
            "the stack 0 % of $20.00 a day (2026-11-22), over it on 1 day",
        ),
    ],
)
def test_slack_is_told_of_the_stacks_and_of_those_that_run_short(
    stack: StackMoney | None, budget: dict[str, str], told: str
) -> None:
    assert budgets_told(report(RAN, stack, **budget)) == told


# --- a period that is over

FIRST, DECEMBER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
MORNING = DECEMBER + DAY * 2 / 3  # after the first's reports, also west of UTC
PAST = [
    segment(FIRST - DAY, 9 * 60),  # October's
    segment(FIRST, 10 * 60),
    segment(DECEMBER - DAY, 20 * 60, instances=20),
    segment(DECEMBER - DAY, 60, endpoint="removed"),
    segment(DECEMBER + DAY / 24, 60),
]
NOVEMBER_USD, GONE_USD = 410 * HOURLY, HOURLY


def past(period: Period, now: datetime = MORNING, by_day: str | None = None) -> CostReport:
    """From a store, so that it is known whether what is read of the ledger reaches far enough."""
    world = memory_world()
    december = {"spent_in": "2026-12", "spent_usd": HOURLY}
    status = asleep("llama", created_at=FIRST - 9 * DAY, last_awake_at=FIRST, **december)
    budget = {"monthly_usd": "900", "daily_usd": by_day}
    world.store.create(spec("llama", team="search", budget=budget), status)
    world.store.segments += PAST
    stack = StackMoney(StackBudget(monthly_usd=Decimal(5000)), HOURLY, Decimal(80))
    return summarize(read_books(world.store, period, now), period, now, BOOK, None, stack)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Tokyo"])
@pytest.mark.parametrize(
    ("kind", "day"), [(PeriodKind.MONTH, 1), (PeriodKind.WEEK, 28), (PeriodKind.DAY, 30)]
)
def test_a_report_of_a_month_that_is_over_has_that_months_budgets(
    kind: PeriodKind, day: int, zone: str
) -> None:
    found = past(Period.holding(kind, date(2026, 11, day), zone))
    use, whole = found.endpoints[0].budget, found.stack_budget
    assert use and whole
    assert (use.month, use.spent_usd, use.forecast_usd) == ("2026-11", NOVEMBER_USD, None)
    assert (whole.month, whole.forecast_usd) == ("2026-11", None)
    assert whole.spent_usd == NOVEMBER_USD + GONE_USD, "removed endpoints too"


def test_of_a_week_across_a_months_end_it_is_the_month_in_which_it_ends() -> None:
    week = Period.week(DECEMBER.date())
    running, over = (past(week, now).endpoints[0].budget for now in (MORNING, week.end + DAY))
    assert running and over
    assert (running.month, running.spent_usd) == ("2026-12", HOURLY)
    assert (over.month, over.spent_usd) == ("2026-12", HOURLY), "as the tick has it: it still runs"
    january = past(week, DECEMBER + 40 * DAY).endpoints[0].budget
    assert january and (january.month, january.spent_usd) == ("2026-12", HOURLY)


def test_slack_and_the_page_tell_of_the_month_that_was_overspent() -> None:
    found = past(Period.month(FIRST.date()))
    assert budgets_told(found) == (
        "the stack 21 % of $5,000.00 a month (2026-11); llama 119 % of $900.00 a month (2026-11)"
    )
    html = render_html(found)
    assert "<span>$900.00 in 2026-11</span>" in html and "<span>$1,068.21</span>" in html
    assert "the last day of the report, and the month that it lies in" in html


@pytest.mark.parametrize(
    ("zone", "day", "usd"),
    [
        ("America/Los_Angeles", 30, NOVEMBER_USD - 10 * HOURLY),
        ("America/Los_Angeles", 29, 0),  # the 30th runs until 16:00 there, in the next report
        ("Europe/Berlin", 30, NOVEMBER_USD - 10 * HOURLY),
    ],
)
def test_a_reports_last_day_is_not_one_that_goes_on_after_it(zone: str, day: int, usd: Any) -> None:
    period = Period.day(date(2026, 11, day), zone)
    written = past(period, period.end + 6 * DAY / 24, by_day="50").endpoints[0].daily_budget
    assert written and (written.day, written.days) == (date(2026, 11, day), 1)
    assert (written.spent_usd, written.days_over) == (usd, int(usd > 50))
