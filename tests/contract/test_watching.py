"""What the template says about watching the controller itself, and about its costs."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from autoscaler.alerts.events.registry import EVENTS
from autoscaler.aws.events import SOURCE
from autoscaler.endpoints.kinds import dimensions, manner
from autoscaler.endpoints.names import ResourceNames
from autoscaler.spec import Kind
from tests.contract.test_statemachines import ROOT, template

STACK_TAG = [{"Key": "autoscaler:stack", "Value": "AWS::StackName"}]
BILLED = {
    "AWS::DynamoDB::Table",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
    "AWS::Logs::LogGroup",
}


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    resources = template()["Resources"]
    return {name: r["Properties"] for name, r in resources.items() if r["Type"] == kind}


def test_every_alarm_tells_somebody() -> None:
    alarms = of_type("AWS::CloudWatch::Alarm")
    assert len(alarms) >= 4
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == ["AlarmTopic"], name


@pytest.mark.parametrize(
    "function", ["ReconcileFunction", "DispatchRequestsFunction", "NotifyFunction"]
)
def test_the_errors_of_what_never_stops_are_watched(function: str) -> None:
    watched = [
        alarm
        for alarm in of_type("AWS::CloudWatch::Alarm").values()
        if alarm["MetricName"] == "Errors"
        and alarm["Dimensions"] == [{"Name": "FunctionName", "Value": function}]
    ]
    assert len(watched) == 1


def test_an_alert_that_nobody_took_stays_for_fourteen_days_and_is_alarmed() -> None:
    queues, days = of_type("AWS::SQS::Queue"), 24 * 3600
    redrive = queues["NotifyQueue"]["RedrivePolicy"]
    assert redrive["deadLetterTargetArn"] == "NotifyDeadLetterQueue.Arn"
    assert queues["NotifyDeadLetterQueue"]["MessageRetentionPeriod"] == 14 * days
    tries = redrive["maxReceiveCount"] * queues["NotifyQueue"]["VisibilityTimeout"]
    assert tries < 4 * days, "it is there before SQS forgets it in the first queue"
    watched = [
        alarm["Dimensions"][0]["Value"] for alarm in of_type("AWS::CloudWatch::Alarm").values()
    ]
    assert "NotifyDeadLetterQueue.QueueName" in watched


@pytest.mark.parametrize("kind", Kind)
def test_the_dashboard_shows_the_load_of_every_kind(kind: Kind) -> None:
    body = json.loads(of_type("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"])
    said = [
        one[0]["expression"]
        for widget in body["widgets"]
        for one in widget["properties"].get("metrics", [])
        if isinstance(one[0], dict)
    ]
    metric = manner(kind).concurrency
    names = [one["Name"] for one in dimensions(kind, ResourceNames("s", "e"), metric)]
    schema = ",".join(["AWS/SageMaker", *names])
    assert any(f'SEARCH(\'{{{schema}}} MetricName="{metric}"' in one for one in said), said


def test_the_widgets_of_the_dashboard_lie_beside_each_other() -> None:
    body = json.loads(of_type("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"])
    cells = [
        (x, y)
        for one in body["widgets"]
        for x in range(one["x"], one["x"] + one["width"])
        for y in range(one["y"], one["y"] + one["height"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_people_are_not_told_what_is_not_for_them_and_a_wait_calls_the_tick() -> None:
    rules = of_type("AWS::Events::Rule")
    ((excluded,),) = [rules["AlertRule"]["EventPattern"]["detail-type"]]
    untold = {name for name, event in EVENTS.items() if not event.told}
    assert set(excluded["anything-but"]) == untold
    wait = rules["RequestWaitedRule"]
    assert wait["EventPattern"] == {"source": [SOURCE], "detail-type": ["RequestWaited"]}
    assert wait["EventBusName"] == "Bus"
    assert [target["Arn"] for target in wait["Targets"]] == ["ReconcileFunction.Arn"]
    assert of_type("AWS::Lambda::Permission")["RequestWaitedPermission"] == {
        "Action": "lambda:InvokeFunction",
        "FunctionName": "ReconcileFunction",
        "Principal": "events.amazonaws.com",
        "SourceArn": "RequestWaitedRule.Arn",
    }


def test_the_report_knows_every_function_and_alarm_of_the_stack() -> None:
    told = of_type("AWS::Serverless::Function")["ReportCostsFunction"]["Environment"]["Variables"]
    default = template()["Globals"]["Function"]["MemorySize"]
    there = {
        f["FunctionName"].removeprefix("${AWS::StackName}-"): f.get("MemorySize", default)
        for f in of_type("AWS::Serverless::Function").values()
    }
    assert json.loads(told["FUNCTION_MEMORY_MB"]) == there
    assert int(told["STACK_ALARMS"]) == len(of_type("AWS::CloudWatch::Alarm"))


def chosen(value: Any, conditions: set[str]) -> Any:
    """Evaluates `!If [condition, this, that]` of the tag-less template."""
    if isinstance(value, str):
        return value
    condition, this, that = value
    return chosen(this if condition in conditions else that, conditions)


@pytest.mark.parametrize(
    "given", [set(), {"MakeSlackSecret"}, {"MakeHubSecret"}, {"MakeSlackSecret", "MakeHubSecret"}]
)
def test_the_report_knows_how_many_secrets_the_stack_has_made(given: set[str]) -> None:
    told = of_type("AWS::Serverless::Function")["ReportCostsFunction"]["Environment"]["Variables"]
    resources = template()["Resources"].values()
    made = [r for r in resources if r["Type"] == "AWS::SecretsManager::Secret"]
    assert int(chosen(told["STACK_SECRETS"], given)) == sum(r["Condition"] in given for r in made)


def holds(condition: Any, parameters: dict[str, str]) -> bool:
    """Evaluates `!Not [!Equals [!Ref X, literal]]` of the tag-less template."""
    ((name, literal),) = condition
    return parameters[name] != literal


@pytest.mark.parametrize(
    ("budget", "address", "accepted"),
    [("0", "", True), ("0", "a@b.c", True), ("500", "a@b.c", True), ("500", "", False)],
)
def test_a_budget_without_an_address_is_refused(budget: str, address: str, accepted: bool) -> None:
    rule = template()["Rules"]["BudgetNeedsAddress"]
    given = {"MonthlyBudgetUsd": budget, "AlarmEmail": address}
    (assertion,) = rule["Assertions"]
    assert "AlarmEmail" in assertion["AssertDescription"]
    applies = holds(rule["RuleCondition"], given)
    assert (not applies or holds(assertion["Assert"], given)) is accepted


def test_what_is_billed_carries_the_tag_of_its_own_stack_and_the_budget_asks_for_it() -> None:
    for kind in BILLED:
        found = of_type(kind)
        assert found
        for name, properties in found.items():
            assert properties["Tags"] == STACK_TAG, name
    for machine in of_type("AWS::Serverless::StateMachine").values():
        assert machine["Tags"] == {"autoscaler:stack": "AWS::StackName"}
    budget = of_type("AWS::Budgets::Budget")["StackBudget"]["Budget"]
    assert budget["CostFilters"]["TagKeyValue"] == ["user:autoscaler:stack$${AWS::StackName}"]
    saved = tomllib.loads((ROOT / "samconfig.toml").read_text())
    assert "tags" not in saved["default"]["deploy"]["parameters"], "it would not follow the name"
