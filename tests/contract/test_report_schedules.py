"""When the template has reports written, and that the bill is known when it is asked for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from autoscaler.ledger.periods import Period, PeriodKind
from autoscaler.runtime.bills import is_closed
from autoscaler.runtime.reports import ReportOrder
from tests.contract.test_statemachines import template

ZONES = ["UTC", "Pacific/Kiritimati", "Pacific/Honolulu", "Asia/Kolkata", "Europe/Berlin"]


def schedules() -> dict[str, dict[str, Any]]:
    """Of the report's function, by name."""
    resources = template()["Resources"]
    return {
        name: one
        for name, one in resources.items()
        if one["Type"] == "AWS::Scheduler::Schedule"
        and "ReportCostsFunction" in one["Properties"]["Target"]["Arn"]
    }


def test_days_weeks_and_months_are_written_and_two_again_beside_the_bill() -> None:
    orders = {
        name: ReportOrder.model_validate(json.loads(one["Properties"]["Target"]["Input"]))
        for name, one in schedules().items()
    }
    assert {(o.period.value, o.closed) for o in orders.values()} == {
        ("day", False), ("week", False), ("month", False), ("week", True), ("month", True),
    }  # fmt: skip
    advised = {o.period.value for o in orders.values() if o.advice}
    assert advised == {"week", "month"}, "what was found stays, when the bill comes beside it"
    assert not any(o.advice for o in orders.values() if o.closed)
    conditions = {name: one.get("Condition") for name, one in schedules().items()}
    assert all(
        orders[n].closed == (condition == "ReadsBill") for n, condition in conditions.items()
    )


@pytest.mark.parametrize("name", sorted(schedules()))
def test_they_are_of_the_stacks_time_zone(name: str) -> None:
    assert schedules()[name]["Properties"]["ScheduleExpressionTimezone"] == "DefaultTimeZone"


@pytest.mark.parametrize("zone", ZONES)
def test_on_friday_the_bill_of_last_week_is_known_and_on_the_sixth_that_of_last_month(
    zone: str,
) -> None:
    assert schedules()["WeekBillSchedule"]["Properties"]["ScheduleExpression"] == (
        "cron(20 6 ? * FRI *)"
    )
    assert schedules()["MonthBillSchedule"]["Properties"]["ScheduleExpression"] == (
        "cron(25 6 6 * ? *)"
    )
    friday = datetime(2026, 11, 27, 6, 20, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    assert is_closed(Period.last(PeriodKind.WEEK, friday, zone), friday)
    assert not is_closed(Period.last(PeriodKind.WEEK, friday, zone), friday - timedelta(days=2))
    sixth = datetime(2026, 11, 6, 6, 25, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    assert is_closed(Period.last(PeriodKind.MONTH, sixth, zone), sixth)
