"""Budgets in a report: of endpoints and of the stack, by the month and by the day."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.alerts.message import message_of
from autoscaler.endpoints.status import EndpointRecord, UsageSegment
from autoscaler.ledger.announcement import announcement
from autoscaler.ledger.budgets import StackMoney, daily_budget
from autoscaler.ledger.costs import Books, summarize
from autoscaler.ledger.csv import render_csv
from autoscaler.ledger.figures import CostReport
from autoscaler.ledger.html import render_html
from autoscaler.ledger.periods import Period
from autoscaler.spec import StackBudget
from tests.ledger_books import MONDAY, PRICES, segment
from tests.samples import asleep, spec

HOURLY = PRICES["ml.g6e.xlarge"]
DAY, WEEK = timedelta(days=1), Period.week(MONDAY.date())
WEDNESDAY = MONDAY + 2 * DAY
LATER = MONDAY + 8 * DAY
ZERO = Decimal(0)


@pytest.mark.parametrize(
    ("spent", "start", "until", "expected"),
    [
        ({}, MONDAY, MONDAY, None),  # no day
        ({0: 5}, MONDAY, MONDAY + DAY, (0, 5, 1, 0)),
        ({0: 11, 1: 10, 2: 12}, MONDAY, LATER, (7, 0, 8, 2)),  # ten of ten is not over it
        ({0: 11, 2: 4}, MONDAY, WEDNESDAY + DAY / 2, (2, 4, 3, 1)),  # still running
        ({-1: 30, 0: 4}, MONDAY - DAY / 24, MONDAY + DAY / 2, (0, 4, 2, 1)),  # days are UTC's
    ],
)
def test_of_each_day_there_is_a_share_and_the_days_above_are_counted(
    spent: dict[int, int], start: datetime, until: datetime, expected: tuple[int, ...] | None
) -> None:
    by_day = {MONDAY.date() + n * DAY: Decimal(usd) for n, usd in spent.items()}
    use = daily_budget(Decimal(10), by_day, start, until)
    if use is None or expected is None:
        assert use is expected
        return
    day, usd, days, over = expected
    assert use.day == MONDAY.date() + day * DAY
    assert (use.spent_usd, use.days, use.days_over) == (usd, days, over)
    assert use.share == pytest.approx(usd / 10)


def test_without_a_budget_there_is_nothing_to_say() -> None:
    assert daily_budget(None, {}, MONDAY, LATER) is None


def report(
    segments: Sequence[UsageSegment], stack: StackMoney | None = None, **budget: Any
) -> CostReport:
    status = asleep("llama", created_at=MONDAY - DAY, last_awake_at=MONDAY)
    record = EndpointRecord(spec=spec("llama", team="search", budget=budget), status=status)
    return summarize(Books([record], segments), WEEK, LATER, PRICES.get, None, stack)


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
        (None, {"daily_usd": "6"}, "llama 0 % of $6.00 a day, over it on 1 day"),
        (
            STACK,
            {"daily_usd": "60"},
            "the stack 8.4 % of $5,000.00 a month, forecast $5,200.00; "
            "the stack 0 % of $20.00 a day, over it on 1 day",
        ),
    ],
)
def test_slack_is_told_of_the_stacks_and_of_those_that_run_short(
    stack: StackMoney | None, budget: dict[str, str], told: str
) -> None:
    assert budgets_told(report(RAN, stack, **budget)) == told
