"""Alerts through the deployed stack: bus, queue, function, table, schedule, Slack, topic."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from autoscaler.alerts.events.base import Event
from autoscaler.alerts.events.life import EndpointFailed, WakeRequested
from autoscaler.aws.held import HELD
from autoscaler.endpoints.status import Cause
from autoscaler.policy.types import Phase
from tests.embedded.stack import Stack, deployed, wait_for

MANY = 30
TOPIC = "arn:aws:sns:us-east-1:123456789012:search"  # read by one team
ASKED_SECONDS = 600  # more than the queue's own 360 s


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account"), AlertTopicArns=TOPIC) as found:
        secret = {
            "url": found.slack.url,
            "group_seconds": 900,  # ten seconds of the wall
            "routes": [{"sns": TOPIC, "team": "search"}],
        }
        found.account.boto("secretsmanager").put_secret_value(
            SecretId=found.outputs["SlackSecretName"], SecretString=json.dumps(secret)
        )
        yield found


def announce(stack: Stack, *events: Event) -> None:
    entries = [
        {
            "Source": "autoscaler",
            "DetailType": event.detail_type,
            "Detail": event.model_dump_json(),
            "EventBusName": stack.outputs["BusName"],
        }
        for event in events
    ]
    for first in range(0, len(entries), 10):
        stack.account.boto("events").put_events(Entries=entries[first : first + 10])


def who(stack: Stack, name: str, **more: str) -> dict[str, Any]:
    at = datetime.fromtimestamp(stack.account.clock.time(), tz=UTC)
    return {"endpoint": name, "generation": 1, "at": at, **more}


def failed(stack: Stack, name: str, **more: str) -> Event:
    told = who(stack, name, **more)
    return EndpointFailed(**told, failed_in=Phase.CREATING, failure="It died.")


def mailbox(stack: Stack, topic: str) -> str:
    """A queue of what a topic tells, as somebody's mail."""
    sns, sqs = stack.account.boto("sns"), stack.account.boto("sqs")
    url = str(sqs.create_queue(QueueName=f"mail-of-{topic.rpartition(':')[2]}")["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    return url


def mail(stack: Stack, url: str) -> list[dict[str, Any]]:
    """What came since the last look."""
    found = stack.account.boto("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [json.loads(one["Body"]) for one in found.get("Messages", [])]


def held(stack: Stack) -> int:
    reply = stack.account.boto("dynamodb").query(
        TableName=stack.outputs["TableName"],
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": HELD}},
        Select="COUNT",
    )
    return int(reply["Count"])


def test_thirty_that_wake_are_one_message_and_a_failure_does_not_wait_for_it(stack: Stack) -> None:
    wakes = [
        WakeRequested(
            **who(stack, f"e{number:02}"), cause=Cause.WINDOW, copies=1, expected_seconds=300
        )
        for number in range(MANY)
    ]
    announce(stack, *wakes, failed(stack, "broken"))
    wait_for(stack.slack.titles, lambda told: "🚨 broken failed while CREATING" in told, "failure")
    grouped = f"{MANY} endpoints are waking"
    wait_for(stack.slack.titles, lambda told: grouped in told, grouped)
    wait_for(lambda: held(stack), lambda count: count == 0, "an empty table")
    assert [title for title in stack.slack.titles() if "waking" in title] == [grouped]
    assert stack.slack.rejected == []


def test_wakes_are_counted_by_their_cause(stack: Stack) -> None:
    cloudwatch = stack.account.boto("cloudwatch")
    now = stack.account.clock.time()

    def counted() -> float:
        reply = cloudwatch.get_metric_statistics(
            Namespace="Autoscaler",
            MetricName="WakesBySchedule",
            Dimensions=[{"Name": "Stack", "Value": "autoscaler"}],
            StartTime=now - 7200,
            EndTime=now + 7200,
            Period=60,
            Statistics=["Sum"],
        )
        return sum(point["Sum"] for point in reply["Datapoints"])

    assert wait_for(counted, lambda count: count >= MANY, "metrics") == MANY


def test_slack_that_asks_for_time_gets_it_and_then_the_alert_once(stack: Stack) -> None:
    before, began = stack.slack.posts, stack.account.clock.time()
    stack.slack.busy(retry_after=ASKED_SECONDS)
    announce(stack, failed(stack, "patient"))
    told = "🚨 patient failed while CREATING"
    wait_for(stack.slack.titles, lambda titles: told in titles, told)
    assert stack.account.clock.time() - began >= ASKED_SECONDS, "not sooner than it asked for"
    assert stack.slack.titles().count(told) == 1
    assert stack.slack.posts == before + 2, "one that was sent away, and one that was taken"


def test_a_new_process_gives_it_the_same_time(stack: Stack) -> None:
    before, began = stack.slack.posts, stack.account.clock.time()
    stack.slack.busy(retry_after=ASKED_SECONDS)
    announce(stack, failed(stack, "sent-away"))
    wait_for(lambda: stack.slack.posts, lambda posts: posts == before + 1, "a post in vain")
    stack.account.runtime.change_environment("autoscaler-notify", RENEWED="yes")
    announce(stack, failed(stack, "newcomer"))
    first, second = (f"🚨 {name} failed while CREATING" for name in ("newcomer", "sent-away"))
    wait_for(stack.slack.titles, lambda titles: first in titles, first)
    assert stack.account.clock.time() - began >= ASKED_SECONDS, "not sooner than it asked for"
    wait_for(stack.slack.titles, lambda titles: second in titles, second)
    assert stack.slack.posts == before + 3, "nobody asked meanwhile"


def test_a_team_with_a_topic_of_its_own_is_told_there_and_nobody_else_is(stack: Stack) -> None:
    assert stack.account.boto("sns").create_topic(Name="search")["TopicArn"] == TOPIC
    url, before = mailbox(stack, TOPIC), stack.slack.titles()
    announce(stack, failed(stack, "finder", team="search"), failed(stack, "ours"))
    (told,) = wait_for(lambda: mail(stack, url), bool, "mail of the team")
    assert told["Subject"] == "[critical] finder failed while CREATING"
    assert told["MessageAttributes"]["severity"]["Value"] == "critical"
    here = "🚨 ours failed while CREATING"
    wait_for(stack.slack.titles, lambda titles: here in titles, here)
    assert stack.slack.titles() == [*before, here]


def test_a_revoked_webhook_is_said_by_the_topic_and_by_an_alarm(stack: Stack) -> None:
    topics = stack.account.boto("sns").list_topics()["Topics"]
    (own,) = [one["TopicArn"] for one in topics if one["TopicArn"] != TOPIC]
    url = mailbox(stack, own)
    stack.slack.revoke()
    announce(stack, failed(stack, "another"))
    read: list[str] = []

    def subjects() -> list[str]:
        for body in mail(stack, url):
            read.append(body.get("Subject") or json.loads(body["Message"])["AlarmName"])
            assert stack.slack.url not in body["Message"]
        return read

    wanted = {
        "[critical] Alerts do not reach a Slack webhook",
        "[critical] another failed while CREATING",
        "autoscaler-controller-alerts-refused",
    }
    wait_for(subjects, lambda told: wanted <= set(told), "the alert, why, and the alarm")
