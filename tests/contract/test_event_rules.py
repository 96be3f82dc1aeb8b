"""Which events the stack's rules take, and whom they call: judged as EventBridge judges them.

A rule that takes too little is not missed, because the tick does the same later; one that takes too
much calls it for nothing.
"""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.aws.events import SOURCE
from autoscaler.endpoints.names import ResourceNames
from tests.contract.test_statemachines import template
from tests.contract.test_watching import of_type
from tools.embedded.pump.patterns import matches

STACK = "autoscaler"
NAMES = ResourceNames(STACK, "llama")
SHARED = ResourceNames(STACK, "llama", shared="pair")
OTHERS = ResourceNames("other", "llama")
Event = dict[str, Any]


def alarm(name: str, state: str) -> Event:
    return {
        "source": "aws.cloudwatch",
        "detail-type": "CloudWatch Alarm State Change",
        "detail": {"alarmName": name, "state": {"value": state}, "previousState": {"value": "OK"}},
    }


def endpoint(name: str, kind: str = "SageMaker Endpoint State Change") -> Event:
    return {"source": "aws.sagemaker", "detail-type": kind, "detail": {"EndpointName": name}}


def own(kind: str, source: str = SOURCE) -> Event:
    return {"source": source, "detail-type": kind, "detail": {"endpoint": "llama"}}


# rule, event, whether it is taken
TAKEN = [
    *(("LookNowRule", alarm(name, "ALARM"), True) for name in NAMES.alarms),
    ("LookNowRule", alarm(NAMES.queue_alarm, "OK"), False),  # the trouble is over
    ("LookNowRule", alarm(NAMES.queue_alarm, "INSUFFICIENT_DATA"), False),
    ("LookNowRule", alarm(OTHERS.queue_alarm, "ALARM"), False),
    ("LookNowRule", alarm("autoscaler2-llama-oldest-request", "ALARM"), False),
    ("LookNowRule", {**alarm(NAMES.queue_alarm, "ALARM"), "source": "mine"}, False),
    ("LookNowRule", {**alarm(NAMES.queue_alarm, "ALARM"), "detail-type": "another"}, False),
    ("EndpointChangedRule", endpoint(NAMES.endpoint), True),
    ("EndpointChangedRule", endpoint(SHARED.endpoint), True),
    ("EndpointChangedRule", endpoint(OTHERS.endpoint), False),
    ("EndpointChangedRule", endpoint("autoscaler2-llama"), False),
    ("EndpointChangedRule", endpoint(NAMES.endpoint, "SageMaker Model State Change"), False),
    ("EndpointChangedRule", {**endpoint(NAMES.endpoint), "source": "mine"}, False),
    ("RequestWaitedRule", own("RequestWaited"), True),
    ("RequestWaitedRule", own("RequestAnswered"), False),
    ("RequestWaitedRule", own("RequestWaited", "mine"), False),
    ("AlertRule", own("EndpointFailed"), True),
    ("AlertRule", own("RequestWaited"), False),
    ("AlertRule", own("RequestAnswered"), False),
    ("AlertRule", own("EndpointFailed", "mine"), False),
]
# rule, its bus (None: the account's own, to which AWS's services publish), what it calls
CALLED = {
    "LookNowRule": (None, "ReconcileFunction.Arn"),
    "EndpointChangedRule": (None, "ReconcileFunction.Arn"),
    "RequestWaitedRule": ("Bus", "ReconcileFunction.Arn"),
    "AlertRule": ("Bus", "NotifyQueue.Arn"),
}


def filled(value: Any) -> Any:
    """With the stack's name in it."""
    if isinstance(value, dict):
        return {key: filled(one) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one) for one in value]
    return value.replace("${AWS::StackName}", STACK) if isinstance(value, str) else value


@pytest.mark.parametrize(("rule", "event", "taken"), TAKEN)
def test_a_rule_takes_its_own_events_and_no_others(rule: str, event: Event, taken: bool) -> None:
    pattern = filled(of_type("AWS::Events::Rule")[rule]["EventPattern"])
    assert matches(pattern, event) is taken


def test_every_rule_is_judged_and_calls_what_it_is_for() -> None:
    rules = of_type("AWS::Events::Rule")
    assert {rule for rule, _, taken in TAKEN if taken} == rules.keys()
    found = {
        name: (one.get("EventBusName"), *(target["Arn"] for target in one["Targets"]))
        for name, one in rules.items()
    }
    assert found == CALLED
    assert all(one.get("State", "ENABLED") == "ENABLED" for one in rules.values())


@pytest.mark.parametrize("rule", [name for name, (_, to) in CALLED.items() if "Function" in to])
def test_a_function_lets_in_the_one_rule_that_calls_it(rule: str) -> None:
    """Not whatever EventBridge carries for anybody."""
    permission = {
        "Action": "lambda:InvokeFunction",
        "FunctionName": "ReconcileFunction",
        "Principal": "events.amazonaws.com",
        "SourceArn": f"{rule}.Arn",
    }
    assert permission in of_type("AWS::Lambda::Permission").values()


def test_the_queue_of_alerts_lets_in_the_one_rule_that_fills_it() -> None:
    policy = template()["Resources"]["NotifyQueuePolicy"]["Properties"]["PolicyDocument"]
    (let_in,) = (one for one in policy["Statement"] if one["Effect"] == "Allow")
    assert let_in == {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "NotifyQueue.Arn",
        "Condition": {"ArnEquals": {"aws:SourceArn": "AlertRule.Arn"}},
    }
