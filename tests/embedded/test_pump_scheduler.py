"""Schedules and scheduled rules, fired on the account's clock."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from tests.embedded.test_pump_world import START, World, eventually, world
from tools.embedded.types import ACCOUNT_ID

ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/role"
OFF = {"Mode": "OFF"}


def schedule(at: World, expression: str, arn: str, name: str = "s", **more: object) -> None:
    target = {"Arn": arn, "RoleArn": ROLE, **more.pop("target", {})}
    at.boto("scheduler").create_schedule(
        Name=name, ScheduleExpression=expression, FlexibleTimeWindow=OFF, Target=target, **more
    )


def soon(at: World) -> str:
    return (at.clock.now() + timedelta(seconds=60)).strftime("at(%Y-%m-%dT%H:%M:%S)")


def test_a_rate_schedule_fires_at_once_and_then_each_period():
    with world(speed=120) as at:
        arn = at.function("tick")
        schedule(
            at,
            "rate(1 minute)",
            arn,
            target={
                "Input": json.dumps(
                    {
                        "when": "<aws.scheduler.scheduled-time>",
                        "attempt": "<aws.scheduler.attempt-number>",
                        "arn": "<aws.scheduler.schedule-arn>",
                    }
                )
            },
        )
        made = at.clock.now()  # a moment after: the first firing is not one period later
        eventually(lambda: len(at.functions.events("tick")) >= 4)
        events = at.functions.events("tick")
        assert events[0]["attempt"] == "1"
        assert events[0]["arn"].endswith(":schedule/default/s")
        minutes = [e["when"][11:16] for e in events[:4]]
        assert minutes == sorted(set(minutes))
        assert events[0]["when"] <= made.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_cron_schedule_fires_in_its_time_zone_within_simulated_seconds():
    with world(speed=20) as at:
        arn = at.function("tick", lambda event: fired.append(at.clock.time()))
        fired: list[float] = []
        schedule(at, "cron(5 13 * * ? *)", arn, ScheduleExpressionTimezone="Europe/Berlin")
        at.clock.jump(max(0.0, START + 290 - at.clock.time()))
        eventually(lambda: fired)
        assert 0 <= fired[0] - (START + 300) < 40
        event = at.functions.events("tick")[0]
        assert event["source"] == "aws.scheduler"
        assert event["time"] == "2026-03-02T12:05:00Z"


def test_a_clock_that_jumps_over_many_firings_fires_the_last_of_them_once():
    with world() as at:
        arn = at.function("tick")
        schedule(
            at,
            "cron(0 * * * ? *)",
            arn,
            target={"Input": '{"when": "<aws.scheduler.scheduled-time>"}'},
        )
        time.sleep(0.05)
        at.clock.jump(6 * 3600 + 60)
        eventually(lambda: at.functions.events("tick"))
        time.sleep(0.25)
        assert at.functions.events("tick") == [{"when": "2026-03-02T18:00:00Z"}]


def test_a_one_off_schedule_fires_once_and_deletes_itself():
    with world(speed=120) as at:
        url, arn = at.queue("inbox")
        schedule(at, soon(at), arn, target={"Input": '{"a": 1}'}, ActionAfterCompletion="DELETE")
        assert [m["Body"] for m in at.received(url)] == ['{"a": 1}']
        assert at.boto("scheduler").list_schedules()["Schedules"] == []


def test_a_disabled_schedule_does_not_fire_until_it_is_enabled():
    with world(speed=120) as at:
        arn = at.function("tick")
        schedule(at, "rate(1 minute)", arn, State="DISABLED")
        time.sleep(0.7)
        assert at.functions.calls == []
        at.boto("scheduler").update_schedule(
            Name="s",
            ScheduleExpression="rate(1 minute)",
            FlexibleTimeWindow=OFF,
            Target={"Arn": arn, "RoleArn": ROLE},
            State="ENABLED",
        )
        eventually(lambda: at.functions.calls)


def test_start_and_end_date_bound_a_schedule():
    """The clock is jumped, minute by minute: a busy machine may take long to make a schedule."""
    with world() as at:
        arn = at.function("tick")
        schedule(
            at,
            "rate(1 minute)",
            arn,
            StartDate=START + 120,
            EndDate=START + 241,
            target={"Input": '"<aws.scheduler.scheduled-time>"'},
        )

        def fired_by(moment: float) -> list[str]:
            at.clock.jump(max(0.0, moment - at.clock.time()))
            time.sleep(0.2)
            return [e[11:16] for e in at.functions.events("tick")]

        assert fired_by(START + 115) == []
        for minutes in (["12:02"], ["12:02", "12:03"], ["12:02", "12:03", "12:04"]):
            eventually(lambda due=minutes: fired_by(START + 60 + 60 * len(due) + 1) == due)
        assert fired_by(START + 421) == ["12:02", "12:03", "12:04"]


def test_a_failing_target_is_retried_and_then_buried():
    with world(speed=200) as at:
        url, arn = at.queue("dead")
        schedule(
            at,
            soon(at),
            "arn:aws:lambda:us-east-1:1:function:none",
            target={"Input": "{}", "DeadLetterConfig": {"Arn": arn}},
        )
        message = at.received(url)[0]
        attributes = {k: v["StringValue"] for k, v in message["MessageAttributes"].items()}
        assert attributes["ERROR_CODE"] == "RESOURCE_NOT_FOUND"
        assert attributes["SCHEDULE_ARN"].endswith("schedule/default/s")


def test_retries_are_counted():
    attempts: list[str] = []

    def throttled(event):
        attempts.append(event)
        raise RuntimeError("TooManyRequestsException")

    with world(speed=200) as at:
        url, dead = at.queue("dead")
        arn = at.function("busy", throttled)
        schedule(
            at,
            soon(at),
            arn,
            target={
                "Input": '"<aws.scheduler.attempt-number>"',
                "DeadLetterConfig": {"Arn": dead},
                "RetryPolicy": {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 3600},
            },
        )
        message = at.received(url)[0]
        assert attempts == ["1", "2", "3"]
        found = message["MessageAttributes"]
        assert found["RETRY_ATTEMPTS"]["StringValue"] == "2"
        assert found["EXHAUSTED_RETRY_CONDITION"]["StringValue"] == "MaximumRetryAttempts"


def test_universal_targets_call_any_operation():
    with world(speed=120) as at:
        url, _ = at.queue("inbox")
        at.function("tick")
        schedule(
            at,
            soon(at),
            "arn:aws:scheduler:::aws-sdk:sqs:sendMessage",
            name="a",
            target={"Input": json.dumps({"QueueUrl": url, "MessageBody": "hi"})},
        )
        schedule(
            at,
            soon(at),
            "arn:aws:scheduler:::aws-sdk:lambda:invoke",
            name="b",
            target={"Input": json.dumps({"FunctionName": "tick", "Payload": '{"x": 1}'})},
        )
        assert at.received(url)[0]["Body"] == "hi"
        eventually(lambda: at.functions.events("tick") == [{"x": 1}])


def test_a_schedule_can_put_an_event_on_a_bus():
    with world(speed=120) as at:
        arn = at.function("listen")
        events = at.boto("events")
        events.put_rule(Name="r", EventPattern='{"source": ["me"]}')
        events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": arn}])
        schedule(
            at,
            soon(at),
            f"arn:aws:events:us-east-1:{ACCOUNT_ID}:event-bus/default",
            target={
                "Input": '{"n": 1}',
                "EventBridgeParameters": {"Source": "me", "DetailType": "Hello"},
            },
        )
        event = eventually(lambda: at.functions.events("listen"))[0]
        assert (event["source"], event["detail-type"], event["detail"]) == ("me", "Hello", {"n": 1})


def test_a_scheduled_rule_fires_its_targets_each_period():
    with world(speed=120) as at:
        arn = at.function("tick")
        events = at.boto("events")
        events.put_rule(Name="each-minute", ScheduleExpression="rate(1 minute)")
        events.put_targets(
            Rule="each-minute",
            Targets=[{"Id": "1", "Arn": arn}, {"Id": "2", "Arn": arn, "Input": '{"fixed": true}'}],
        )
        eventually(lambda: len(at.functions.events("tick")) >= 4)
        first = next(e for e in at.functions.events("tick") if "source" in e)
        assert first["source"] == "aws.events"
        assert first["detail-type"] == "Scheduled Event"
        assert first["resources"][0].endswith(":rule/each-minute")
        assert {"fixed": True} in at.functions.events("tick")
        events.disable_rule(Name="each-minute")
        time.sleep(0.1)
        count = len(at.functions.calls)
        time.sleep(1.1)
        assert len(at.functions.calls) == count


def test_a_rule_that_cannot_be_read_does_not_stop_the_others():
    with world(speed=120) as at:
        arn = at.function("tick")
        at.boto("events").put_rule(Name="bad", ScheduleExpression="cron(nonsense)")
        schedule(at, "rate(1 minute)", arn, name="good")
        eventually(lambda: at.functions.calls)


def test_a_schedule_starts_a_state_machine():
    with world(speed=120) as at:
        states = at.boto("stepfunctions")
        definition = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
        at.function("role-maker")
        machine = states.create_state_machine(
            name="m", definition=json.dumps(definition), roleArn=ROLE
        )["stateMachineArn"]
        schedule(at, soon(at), machine, target={"Input": '{"n": 1}'})
        found = eventually(lambda: states.list_executions(stateMachineArn=machine)["executions"])
        described = states.describe_execution(executionArn=found[0]["executionArn"])
        assert json.loads(described["input"]) == {"n": 1}


NEVER = [
    ("foo", "UTC", "Invalid Schedule Expression foo. "),
    ("rate(0 minutes)", "UTC", "Invalid Schedule Expression rate(0 minutes). "),
    ("rate(5 seconds)", "UTC", "Invalid Schedule Expression rate(5 seconds). "),
    ("cron(99 0 * * ? *)", "UTC", "minutes: '99' is not between 0 and 59"),
    ("cron(0 0 * * *)", "UTC", "cron has six fields, this one 5"),
    ("cron(0 0 1 * MON *)", "UTC", "one of day-of-month and day-of-week must be '?'"),
    ("at(2026-13-01T00:00:00)", "UTC", "is not a time such as"),
    ("at(2026-12-01)", "UTC", "is not a time such as"),
    ("rate(1 day)", "Mars/Base", "Invalid ScheduleExpressionTimezone: 'Mars/Base' is not a"),
    ("rate(1 day)", "Europe", "Invalid ScheduleExpressionTimezone: 'Europe' is not a"),
]


@pytest.mark.parametrize(("expression", "zone", "says"), NEVER)
def test_a_schedule_that_could_never_fire_is_refused(expression: str, zone: str, says: str) -> None:
    with world() as at:
        arn, client = at.function("tick"), at.boto("scheduler")
        with pytest.raises(ClientError) as refused:
            schedule(at, expression, arn, ScheduleExpressionTimezone=zone)
        assert refused.value.response["Error"]["Code"] == "ValidationException"
        assert says in refused.value.response["Error"]["Message"]
        assert client.list_schedules()["Schedules"] == []
        schedule(at, "rate(1 day)", arn)
        with pytest.raises(ClientError, match="ValidationException"):
            client.update_schedule(
                Name="s",
                ScheduleExpression=expression,
                ScheduleExpressionTimezone=zone,
                FlexibleTimeWindow=OFF,
                Target={"Arn": arn, "RoleArn": ROLE},
            )
        assert client.get_schedule(Name="s")["ScheduleExpression"] == "rate(1 day)"
