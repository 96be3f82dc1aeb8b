"""A pause that Slack asks for is kept by every process, not only by the one that was told."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from autoscaler.alerts.events.base import Severity
from autoscaler.alerts.message import Message, own_message
from autoscaler.alerts.pace import Pace
from autoscaler.alerts.sinks import RetryLater, Sink
from autoscaler.aws.pauses import TablePauses
from autoscaler.aws.slack import BotSink, WebhookSink
from tests.memory import NOON, StandingClock
from tests.tables import in_moto
from tools.receiver import SlackReceiver


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with in_moto() as client:
        yield client


@pytest.fixture
def slack() -> Iterator[SlackReceiver]:
    with SlackReceiver() as found:
        yield found


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


def message() -> Message:
    return own_message(Severity.INFO, "llama is awake", "It answered.", NOON)


def came(slack: SlackReceiver, way: str) -> int:
    return len(slack.messages if way == "webhook" else slack.bot.channels[0].messages)


class Sender:
    """What one process of `notify` sends with; another one knows nothing of it but the table."""

    def __init__(self, slack: SlackReceiver, clock: StandingClock, dynamodb: Any) -> None:
        pace = Pace(clock.now, pauses=TablePauses("table", dynamodb))
        self.webhook: Sink = WebhookSink(slack.url, "alerts", pace)
        self.bot: Sink = BotSink(slack.bot.token, "#gpu", "alerts", pace, slack.api)


@pytest.mark.parametrize("way", ["webhook", "bot"])
def test_a_new_process_does_not_post_before_slack_lets_it(slack, clock, dynamodb, way) -> None:
    told, new = (Sender(slack, clock, dynamodb) for _ in range(2))
    slack.busy(retry_after=30)
    with pytest.raises(RetryLater) as later:
        getattr(told, way).send(message())
    assert (later.value.seconds, slack.posts) == (30, 1)
    for passed, left in ((0, 30), (20, 10), (9, 1)):
        clock.forward(seconds=passed)
        with pytest.raises(RetryLater) as later:
            getattr(new, way).send(message())
        assert later.value.seconds == pytest.approx(left), "it comes back just then"
        newest = Sender(slack, clock, dynamodb)
        with pytest.raises(RetryLater):
            getattr(newest, way).send(message())
    assert slack.posts == 1, "nobody asked meanwhile"
    clock.forward(seconds=1)
    getattr(new, way).send(message())
    assert (slack.posts, came(slack, way)) == (2, 1)


def test_another_place_is_told_meanwhile(slack, clock, dynamodb) -> None:
    slack.busy(retry_after=30)
    with pytest.raises(RetryLater):
        Sender(slack, clock, dynamodb).webhook.send(message())
    Sender(slack, clock, dynamodb).bot.send(message())
    assert (came(slack, "webhook"), came(slack, "bot")) == (0, 1)


def test_the_longer_of_two_pauses_is_kept(clock, dynamodb) -> None:
    pauses = TablePauses("table", dynamodb)
    assert pauses.until("#gpu") is None
    pauses.keep("#gpu", NOON + timedelta(seconds=60))
    pauses.keep("#gpu", NOON + timedelta(seconds=5))
    assert pauses.until("#gpu") == NOON + timedelta(seconds=60)
    pauses.keep("#gpu", NOON + timedelta(seconds=61.5))
    assert pauses.until("#gpu") == NOON + timedelta(seconds=61.5)
    (item,) = dynamodb.scan(TableName="table")["Items"]
    assert int(item["expires_at"]["N"]) == NOON.timestamp() + 62, "DynamoDB removes it"


def test_nothing_in_the_table_tells_a_webhook(slack, clock, dynamodb) -> None:
    slack.busy()
    with pytest.raises(RetryLater):
        Sender(slack, clock, dynamodb).webhook.send(message())
    (item,) = dynamodb.scan(TableName="table")["Items"]
    assert item["pk"]["S"].startswith("PAUSE#")
    assert slack.url not in str(item) and "services" not in str(item)


class Broken:
    """A table that does not answer."""

    def get_item(self, **_: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://dynamodb")

    put_item = get_item


def test_a_table_that_does_not_answer_costs_no_message(slack, clock, caplog) -> None:
    sender = Sender(slack, clock, Broken())
    with caplog.at_level(logging.WARNING):
        sender.webhook.send(message())
        slack.busy(retry_after=30)
        with pytest.raises(RetryLater) as later:
            sender.webhook.send(message())
        assert later.value.seconds == 30
        with pytest.raises(RetryLater):
            sender.webhook.send(message())
    assert slack.posts == 2, "this process keeps to it all the same"
    assert "could not be read" in caplog.text and "was not kept" in caplog.text
