"""The controller's own cost, from counts."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from autoscaler.endpoints.status import Traffic, UsageKind
from autoscaler.ledger.controller import ControllerUsage, controller_cost
from autoscaler.ledger.costs import summarize
from autoscaler.ledger.metric_hours import metric_hours
from autoscaler.ledger.periods import Period
from tests.histories.template import resources, template
from tests.ledger_books import BOOK, MONDAY, fleet_books, segment

USAGE = ControllerUsage(
    lambda_requests=1_000_000,
    lambda_gb_seconds=60_000,
    state_transitions=40_000,
    alarms=10,
    high_resolution_alarms=0,
    secrets=2,
    table_writes=1_000_000,
    table_reads=1_000_000,
    queue_requests=1_000_000,
    metrics_read=100_000,
    metric_hours=7_305,
    bus_events=100_000,
    log_gb=1,
    stored_gb=100,
    traces=1_000_000,
    schedule_calls=1_000_000,
)


def test_a_month_by_hand() -> None:
    cost = controller_cost(USAGE, Decimal(1))
    by_item = {line.item: line.usd for line in cost.lines}
    assert by_item["Lambda requests"] == Decimal("0.2")
    assert by_item["Lambda GB-seconds"] == Decimal("0.800004"), "on Arm; on x86 it were a dollar"
    assert by_item["Step Functions transitions"] == 1
    assert by_item["CloudWatch alarms"] == 1
    assert by_item["Secrets"] == Decimal("0.8")
    assert round(by_item["Custom metrics, hours"] or 0, 2) == 3
    assert by_item["S3 storage, GB"] == Decimal("2.3")
    assert (by_item["X-Ray traces"], by_item["Scheduler calls"]) == (5, 1)
    assert cost.total_usd == sum(usd for usd in by_item.values() if usd is not None)
    assert cost.unknown == ()


def test_functions_are_of_the_processors_whose_price_is_reckoned() -> None:
    usual = template()["Globals"]["Function"]["Architectures"]
    functions = resources("AWS::Serverless::Function").values()
    assert {*usual}.union(*(one.get("Architectures", usual) for one in functions)) == {"arm64"}
    assert not resources("AWS::Lambda::Function"), "these would not have what is usual"


def test_what_stands_by_the_month_is_shared_out_and_what_is_used_is_not() -> None:
    day = controller_cost(USAGE, Decimal(1) / 30)
    by_item = {line.item: line.usd for line in day.lines}
    assert round(by_item["CloudWatch alarms"] or 0, 4) == Decimal("0.0333")
    assert by_item["Lambda requests"] == Decimal("0.2")


def test_what_was_not_counted_is_named_and_in_no_sum() -> None:
    cost = controller_cost(ControllerUsage(lambda_requests=0), Decimal(1))
    assert cost.total_usd == 0 and len(cost.unknown) == len(cost.lines) - 1
    assert "Secrets" in cost.unknown


def test_net_savings_need_a_controller_that_was_counted_in_full() -> None:
    week, now = Period.week(MONDAY.date()), MONDAY + timedelta(days=8)
    full = summarize(fleet_books(), week, now, BOOK, USAGE)
    part = summarize(fleet_books(), week, now, BOOK, ControllerUsage(alarms=3))
    none = summarize(fleet_books(), week, now, BOOK)
    assert full.controller and full.total.savings_usd
    assert full.net_savings_usd == full.total.savings_usd - full.controller.total_usd
    assert part.net_savings_usd is None and none.net_savings_usd is None
    assert any("lower bound; not known: Lambda requests" in note for note in part.notes)
    assert any("usage was not counted" in note for note in none.notes)


def test_a_metric_is_paid_for_in_the_hours_in_which_it_has_a_value() -> None:
    half_past = MONDAY + timedelta(minutes=30)
    ran = [
        segment(half_past, 5, kind=UsageKind.PROVISIONING),
        segment(half_past + timedelta(hours=1), 10),
    ]
    asked = [
        Traffic(endpoint="llama", start=MONDAY, requests=3),
        Traffic(endpoint="mistral", start=MONDAY, requests=3),  # the same metric
        Traffic(endpoint="llama", start=MONDAY + timedelta(hours=1)),
        Traffic(endpoint="llama", start=MONDAY - timedelta(hours=1), requests=3),  # before it
    ]
    found = metric_hours(ran, asked, MONDAY, MONDAY + timedelta(days=1))
    assert found == 2 * 24 + 1 + 1
