"""When the stack's own alarms go off, and when AWS's budget tells. A term that is wrong stays
unseen: an alarm that never goes off looks like a stack that is well."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from tests.contract.test_statemachines import template
from tests.contract.test_watching import of_type


class Terms(NamedTuple):
    """As CloudWatch evaluates them."""

    metric: str
    statistic: str
    comparison: str
    threshold: int
    periods: int
    missing: str
    seconds: int = 300


BELOW, FROM, ABOVE = (
    "LessThanThreshold",
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
)
CALM = "notBreaching"
TERMS = {
    # silence is the trouble itself: who is not invoked writes no metric
    "TickMissingAlarm": Terms("Invocations", "Sum", BELOW, 1, 4, "breaching"),
    # not one hiccup, nor two: the next tick looks anyway
    "TickFailingAlarm": Terms("Errors", "Sum", FROM, 3, 2, CALM),
    # any one bills; the metric is only there while there is one
    "StuckAlarm": Terms("StuckEndpoints", "Maximum", ABOVE, 0, 1, CALM),
    # not one hiccup: the requests come back
    "DispatchFailingAlarm": Terms("Errors", "Sum", FROM, 3, 2, CALM),
    # not one hiccup: the next minute tells
    "NotifyFailingAlarm": Terms("Errors", "Sum", FROM, 3, 2, CALM),
    # any one was given up; a queue that nobody uses has no metrics
    "AlertsLostAlarm": Terms("ApproximateNumberOfMessagesVisible", "Maximum", ABOVE, 0, 1, CALM),
    # any one was to reach somebody
    "AlertsRefusedAlarm": Terms("AlertsRefused", "Sum", ABOVE, 0, 1, CALM),
}


def test_every_alarm_of_the_stack_has_its_terms() -> None:
    assert of_type("AWS::CloudWatch::Alarm").keys() == TERMS.keys()


@pytest.mark.parametrize("name", TERMS)
def test_an_alarm_goes_off_on_its_own_terms(name: str) -> None:
    alarm = of_type("AWS::CloudWatch::Alarm")[name]
    assert TERMS[name] == Terms(
        metric=alarm["MetricName"],
        statistic=alarm["Statistic"],
        comparison=alarm["ComparisonOperator"],
        threshold=alarm["Threshold"],
        periods=alarm["EvaluationPeriods"],
        missing=alarm["TreatMissingData"],
        seconds=alarm["Period"],
    )
    assert "DatapointsToAlarm" not in alarm, "all of its periods"
    assert alarm.get("ActionsEnabled", True) is True


def test_a_tick_as_seldom_as_the_stack_allows_is_not_taken_for_a_missing_one() -> None:
    terms = TERMS["TickMissingAlarm"]
    seldom = template()["Parameters"]["TickMinutes"]["MaxValue"]
    assert terms.periods * terms.seconds > seldom * 60


def test_the_budget_tells_the_address_what_was_spent_at_four_fifths_and_at_all_of_it() -> None:
    budget = of_type("AWS::Budgets::Budget")["StackBudget"]
    terms = {k: budget["Budget"][k] for k in ("BudgetType", "TimeUnit", "BudgetLimit")}
    limit = {"Amount": "MonthlyBudgetUsd", "Unit": "USD"}
    assert terms == {"BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": limit}
    told: list[dict[str, Any]] = budget["NotificationsWithSubscribers"]
    actual = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN"}
    assert [one["Notification"] for one in told] == [
        {**actual, "Threshold": 80},  # percent, in time to do something
        {**actual, "Threshold": 100},
    ]
    for one in told:
        assert one["Subscribers"] == [{"SubscriptionType": "EMAIL", "Address": "AlarmEmail"}]
