"""EventBridge buses: rules, inputs, targets, dead letters."""

from __future__ import annotations

import json
import re
import time

import pytest

from tests.embedded.test_pump_world import World, eventually, world
from tools.embedded.pump.transform import target_payload
from tools.embedded.types import ACCOUNT_ID

BUS_ARN = f"arn:aws:events:us-east-1:{ACCOUNT_ID}:event-bus/"


def rule(at: World, pattern: dict, *targets: dict, bus: str = "default", name: str = "r") -> str:
    events = at.boto("events")
    arn = events.put_rule(Name=name, EventPattern=json.dumps(pattern), EventBusName=bus)["RuleArn"]
    events.put_targets(
        Rule=name,
        EventBusName=bus,
        Targets=[{"Id": str(n), **target} for n, target in enumerate(targets)],
    )
    return arn


def put(at: World, detail: dict, bus: str = "default", source: str = "me", **more: object) -> dict:
    return at.boto("events").put_events(
        Entries=[
            {
                "Source": source,
                "DetailType": "Said",
                "Detail": json.dumps(detail),
                "EventBusName": bus,
                **more,
            }
        ]
    )


def test_a_function_is_sent_the_whole_envelope():
    with world() as at:
        arn = at.function("hear")
        rule(at, {"source": ["me"], "detail": {"n": [{"numeric": [">", 1]}]}}, {"Arn": arn})
        put(at, {"n": 1})
        answer = put(at, {"n": 2}, Resources=["arn:x"])
        event = eventually(lambda: at.functions.events("hear"))[0]
        assert answer["FailedEntryCount"] == 0
        assert event == {
            "version": "0",
            "id": answer["Entries"][0]["EventId"],
            "detail-type": "Said",
            "source": "me",
            "account": ACCOUNT_ID,
            "time": event["time"],
            "region": "us-east-1",
            "resources": ["arn:x"],
            "detail": {"n": 2},
        }
        assert re.fullmatch(r"2026-03-02T12:0\d:\d\dZ", event["time"])
        time.sleep(0.05)
        assert len(at.functions.events("hear")) == 1


def test_an_event_reaches_queues_topics_logs_and_other_buses_once():
    with world() as at:
        url, queue = at.queue("q")
        topic_url, topic_queue = at.queue("from-topic")
        sns = at.boto("sns")
        topic = sns.create_topic(Name="t")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=topic_queue)
        at.boto("logs").create_log_group(logGroupName="/events")
        group = f"arn:aws:logs:us-east-1:{ACCOUNT_ID}:log-group:/events"
        at.boto("events").create_event_bus(Name="other")
        other_url, other_queue = at.queue("other")
        rule(
            at,
            {"source": ["me"]},
            {"Arn": queue},
            {"Arn": topic},
            {"Arn": group},
            {"Arn": BUS_ARN + "other"},
        )
        rule(at, {"source": ["me"]}, {"Arn": other_queue}, bus="other", name="far")
        put(at, {"n": 1})
        direct = json.loads(at.received(url)[0]["Body"])
        assert direct["detail"] == {"n": 1}
        told = json.loads(at.received(topic_url)[0]["Body"])
        assert told["TopicArn"] == topic and json.loads(told["Message"])["detail"] == {"n": 1}
        assert json.loads(at.received(other_url)[0]["Body"])["detail"] == {"n": 1}
        lines = eventually(
            lambda: at.boto("logs").filter_log_events(logGroupName="/events")["events"]
        )
        assert json.loads(lines[0]["message"])["source"] == "me"
        assert at.received(url, 1, 0.2) == []


def test_an_event_starts_a_state_machine():
    with world() as at:
        at.function("role-maker")
        states = at.boto("stepfunctions")
        machine = states.create_state_machine(
            name="m",
            roleArn=f"arn:aws:iam::{ACCOUNT_ID}:role/role",
            definition='{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}',
        )["stateMachineArn"]
        rule(at, {"source": ["me"]}, {"Arn": machine, "InputPath": "$.detail"})
        put(at, {"n": 1})
        found = eventually(lambda: states.list_executions(stateMachineArn=machine)["executions"])
        assert json.loads(
            states.describe_execution(executionArn=found[0]["executionArn"])["input"]
        ) == {"n": 1}


def test_disabled_rules_and_rules_of_other_buses_stay_silent():
    with world() as at:
        arn = at.function("hear")
        at.boto("events").create_event_bus(Name="own")
        rule(at, {"source": ["me"]}, {"Arn": arn}, name="off")
        at.boto("events").disable_rule(Name="off")
        rule(at, {"source": ["me"]}, {"Arn": arn}, bus="own", name="on")
        put(at, {"at": "default"})
        put(at, {"at": "own"}, bus="own")
        put(at, {"at": "own by ARN"}, bus=BUS_ARN + "own")
        eventually(lambda: len(at.functions.events("hear")) == 2)
        assert {e["detail"]["at"] for e in at.functions.events("hear")} == {"own", "own by ARN"}


def test_an_undeliverable_event_goes_to_the_dead_letter_queue_and_is_counted():
    with world() as at:
        url, dead = at.queue("dead")
        arn = rule(
            at,
            {"source": ["me"]},
            {
                "Arn": f"arn:aws:lambda:us-east-1:{ACCOUNT_ID}:function:none",
                "DeadLetterConfig": {"Arn": dead},
            },
        )
        put(at, {"n": 1})
        message = at.received(url)[0]
        assert json.loads(message["Body"])["detail"] == {"n": 1}
        assert message["MessageAttributes"]["RULE_ARN"]["StringValue"] == arn
        metrics = at.boto("cloudwatch").list_metrics(
            Namespace="AWS/Events", MetricName="FailedInvocations"
        )["Metrics"]
        assert metrics[0]["Dimensions"] == [{"Name": "RuleName", "Value": "r"}]


def test_bad_entries_are_refused_one_by_one():
    with world() as at:
        answer = at.boto("events").put_events(
            Entries=[
                {"Source": "me", "DetailType": "x", "Detail": "{}"},
                {"Source": "me", "DetailType": "x", "Detail": "{no"},
                {"Source": "me", "DetailType": "x", "Detail": "[1]"},
                {"DetailType": "x", "Detail": "{}"},
            ]
        )
        assert answer["FailedEntryCount"] == 3
        codes = [e.get("ErrorCode") for e in answer["Entries"]]
        assert codes == [None, "MalformedDetail", "MalformedDetail", "InvalidArgument"]


def test_the_account_puts_events_of_its_own():
    with world() as at:
        arn = at.function("hear")
        rule(at, {"source": ["aws.sagemaker"], "resources": ["arn:e"]}, {"Arn": arn})
        at.pump.put_event(
            "aws.sagemaker",
            "SageMaker Endpoint State Change",
            {"EndpointStatus": "IN_SERVICE"},
            resources=["arn:e"],
        )
        event = eventually(lambda: at.functions.events("hear"))[0]
        assert event["detail-type"] == "SageMaker Endpoint State Change"


EVENT = {
    "id": "1",
    "source": "me",
    "detail-type": "Said",
    "time": "2026-03-02T12:00:00Z",
    "detail": {"name": 'a "b"', "n": 3, "list": [1, {"x": "y"}], "o": {"k": "v"}},
}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({}, EVENT),
        ({"Input": '{"fixed": 1}'}, {"fixed": 1}),
        ({"InputPath": "$.detail.list[1].x"}, "y"),
        ({"InputPath": "$.detail.none"}, None),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {
                        "n": "$.detail.n",
                        "name": "$.detail.name",
                        "o": "$.detail.o",
                    },
                    "InputTemplate": '{"n": <n>, "name": <name>, '
                    '"text": "n is <n> of <name>", "o": <o>}',
                }
            },
            {"n": 3, "name": 'a "b"', "text": 'n is 3 of a "b"', "o": {"k": "v"}},
        ),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"t": "$.detail-type", "none": "$.detail.none"},
                    "InputTemplate": '"<t> by <aws.events.rule-name>, <none>."',
                }
            },
            "Said by rule-a, .",
        ),
        ({"InputTransformer": {"InputTemplate": '{"e": <aws.events.event.json>}'}}, {"e": EVENT}),
    ],
)
def test_what_a_target_is_sent(target, expected):
    arn = "arn:aws:events:us-east-1:1:rule/bus/rule-a"
    assert json.loads(target_payload(target, EVENT, arn)) == expected
