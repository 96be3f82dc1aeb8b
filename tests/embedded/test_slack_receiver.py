"""From the queue to Slack's webhook over real HTTP: slack_sdk posts to a receiver as strict as
Slack."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from autoscaler.alerts.events.base import Event, Severity
from autoscaler.alerts.message import message_of
from autoscaler.alerts.notify import Told, notify
from autoscaler.alerts.office import Held
from autoscaler.alerts.pace import Pace
from autoscaler.alerts.routing import Target, default_target
from autoscaler.alerts.secret import AlertConfig
from autoscaler.alerts.sinks import RetryLater, Sink
from autoscaler.aws import alert_secret
from autoscaler.aws.alert_secret import AlertSecret
from autoscaler.aws.sinks import Sinks
from autoscaler.aws.slack import SlackRejectedError
from autoscaler.runtime import notify as notifying
from autoscaler.runtime.metrics import Measures
from tests.alerts_events import ONE_OF_EACH
from tests.alerts_office import DiedError, MemoryOffice, MemorySink
from tools.receiver import SlackReceiver

AWOKE = next(event for event in ONE_OF_EACH if event.detail_type == "EndpointAwoke")
FAILED = next(event for event in ONE_OF_EACH if event.detail_type == "EndpointFailed")
NAME = "stack/slack-webhook"


@dataclass
class Secrets:
    """Secrets Manager with one secret; None: it does not exist."""

    text: str | None
    code: str = "ResourceNotFoundException"
    reads: int = 0

    def get_secret_value(self, SecretId: str) -> dict[str, str]:
        self.reads += 1
        if self.text is None:
            raise ClientError({"Error": {"Code": self.code}}, "GetSecretValue")
        return {"SecretString": self.text}


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackReceiver]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with SlackReceiver() as receiver:
        yield receiver


class Wired:
    """An office in memory whose ways out and whose secret are the real ones."""

    def __init__(self, secret: str | None, api: str = "", burst: int = 1000) -> None:
        self.memory, self.log = MemoryOffice(), MemorySink()
        self.secrets = Secrets(secret)
        self.pace = Pace(lambda: self.memory.now, burst=burst)
        self.sinks = Sinks(NAME, "", self.log, self.pace, api)
        secret_source = AlertSecret(NAME, self.secrets)
        self.office = replace(self.memory.office, configs=secret_source, sink_of=self.sinks.of)

    def sink(self) -> Sink:
        config = self.office.configs.current()
        return self.sinks.of(default_target(config), config)


def sink(secret: str | None) -> Sink:
    return Wired(secret).sink()


def test_every_event_arrives(slack: SlackReceiver) -> None:
    webhook = sink(slack.url)
    for event in ONE_OF_EACH:
        webhook.send(message_of(event))
    assert slack.rejected == [] and len(slack.messages) == len(ONE_OF_EACH)
    assert "llama is awake" in slack.titles() and "🚨 llama does not get to zero" in slack.titles()


def test_the_secret_may_be_json(slack: SlackReceiver) -> None:
    sink(json.dumps({"url": slack.url})).send(message_of(AWOKE))
    assert slack.titles() == ["llama is awake"]


@pytest.mark.parametrize("secret", ["unset", " unset\n", "", '{"url": "unset"}'])
def test_without_a_webhook_alerts_are_logged(slack: SlackReceiver, secret: str) -> None:
    wired = Wired(secret)
    wired.sink().send(message_of(AWOKE))
    assert wired.log.titles == ["llama is awake"] and slack.posts == 0


def test_a_secret_that_may_not_be_read_is_a_problem_and_no_silence() -> None:
    wired = Wired(None)
    wired.secrets.code = "AccessDeniedException"
    config = wired.office.configs.current()
    assert config.problems == ("it cannot be read: AccessDeniedException",) and not config.is_unset


def test_a_secret_that_is_not_there_sends_alerts_to_the_topic_with_the_way_out() -> None:
    """Its name was mistyped, or somebody deleted it: nobody said that alerts are not wanted."""
    wired = Wired(None)
    assert notify(FAILED, wired.office, "m1") is Told.SENT
    trouble, alert = wired.memory.last.sent
    assert trouble.title == "Alerts do not reach the default of the alerts' secret"
    assert alert.title == message_of(FAILED).title and wired.log.sent == []
    for way_out in (NAME, "is not there", "SlackSecretName"):
        assert way_out in trouble.body
    assert wired.memory.refusals == 1  # which is alarmed


def test_a_webhook_that_is_put_in_later_is_found(
    slack: SlackReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    wired = Wired("unset")
    wired.sink().send(message_of(AWOKE))
    wired.secrets.text = slack.url
    wired.sink().send(message_of(AWOKE))
    assert len(wired.log.sent) == 2 and wired.secrets.reads == 1
    monkeypatch.setattr(alert_secret, "SECRET_SECONDS", 0)
    wired.sink().send(message_of(AWOKE))
    assert slack.titles() == ["llama is awake"]


def test_retry_after_is_handed_on_and_nobody_asks_before(slack: SlackReceiver) -> None:
    slack.busy(retry_after=17)
    wired = Wired(slack.url)
    with pytest.raises(RetryLater) as later:
        wired.sink().send(message_of(AWOKE))
    assert later.value.seconds == 17 and slack.posts == 1
    wired.memory.forward(seconds=10)
    with pytest.raises(RetryLater) as later:
        wired.sink().send(message_of(AWOKE))
    assert later.value.seconds == 7 and slack.posts == 1
    wired.memory.forward(seconds=7)
    wired.sink().send(message_of(AWOKE))
    assert slack.titles() == ["llama is awake"]


def test_a_burst_is_sent_at_the_pace_that_slack_allows(slack: SlackReceiver) -> None:
    wired = Wired(slack.url, burst=4)
    for _ in range(4):
        wired.sink().send(message_of(AWOKE))
    with pytest.raises(RetryLater) as later:
        wired.sink().send(message_of(AWOKE))
    assert later.value.seconds == 1 and slack.posts == 4
    wired.memory.forward(seconds=1)
    wired.sink().send(message_of(AWOKE))
    assert slack.posts == 5


def test_slack_in_trouble_or_out_of_reach_is_tried_later(slack: SlackReceiver) -> None:
    slack.broken(503)
    with pytest.raises(RetryLater):
        sink(slack.url).send(message_of(AWOKE))
    with pytest.raises(RetryLater):
        sink("http://127.0.0.1:1/services/T/B/x").send(message_of(AWOKE))


@pytest.mark.parametrize(
    ("status", "said", "mend"),
    [
        (404, "no_service", "make a new one"),
        (403, "invalid_token", "rotated"),
        (410, "channel_is_archived", "another one"),
        (403, "action_prohibited", "administrators"),
        (404, "something new", "make a new webhook"),
    ],
)
def test_a_revoked_webhook_is_named_without_its_url(
    slack: SlackReceiver, caplog: pytest.LogCaptureFixture, status: int, said: str, mend: str
) -> None:
    caplog.set_level(logging.DEBUG)
    slack.revoke(status, said)
    with pytest.raises(SlackRejectedError, match=mend) as rejected:
        sink(slack.url).send(message_of(AWOKE))
    assert NAME in str(rejected.value) and said in str(rejected.value) and rejected.value.lasting
    assert "/services/" not in str(rejected.value) + caplog.text


def test_a_message_that_slack_does_not_like_is_not_the_webhooks_fault(slack: SlackReceiver) -> None:
    slack.broken(400)
    with pytest.raises(SlackRejectedError) as rejected:
        sink(slack.url).send(message_of(AWOKE))
    assert not rejected.value.lasting


def batch(events: Sequence[Event], times: int = 1) -> dict[str, Any]:
    """What the queue hands to the function: EventBridge's envelopes."""
    envelopes = [
        {
            "source": "autoscaler",
            "detail-type": event.detail_type,
            "detail": json.loads(event.model_dump_json()),
        }
        for event in events
    ]
    return {
        "Records": [
            {
                "messageId": f"m{n}",
                "receiptHandle": f"r{n}",
                "body": json.dumps(envelope),
                "attributes": {"ApproximateReceiveCount": str(times)},
            }
            for n, envelope in enumerate(envelopes)
        ]
    }


@dataclass
class Queue:
    """Keeps when each message was told to come back."""

    waits: dict[str, float] = field(default_factory=dict)

    def put_off(self, receipt: str, seconds: float) -> None:
        self.waits[receipt] = seconds


@dataclass
class Function:
    """The notify function with its queue and an office in memory."""

    wired: Wired
    queue: Queue
    slack: SlackReceiver


@pytest.fixture
def function(slack: SlackReceiver, monkeypatch: pytest.MonkeyPatch) -> Function:
    wired, queue = Wired(slack.url), Queue()
    monkeypatch.setenv("TABLE_NAME", "t")
    monkeypatch.setattr(notifying, "_office", lambda: wired.office)
    monkeypatch.setattr(notifying, "_queue", lambda: queue)
    monkeypatch.setattr(notifying, "_measures", lambda: Measures("stack"))
    return Function(wired, queue, slack)


def failures(reply: dict[str, Any]) -> list[str]:
    return [failure["itemIdentifier"] for failure in reply["batchItemFailures"]]


LOUD = [event for event in ONE_OF_EACH if event.severity is Severity.CRITICAL]


def test_a_batch_is_told_once_and_single_answers_are_not(function: Function) -> None:
    assert failures(notifying.handle(batch(ONE_OF_EACH))) == []
    assert failures(notifying.handle(batch(ONE_OF_EACH))) == []
    function.wired.memory.forward(seconds=61)
    assert notifying.handle({"flush": "held"}, "one")["waiting"] == 0
    assert len(function.slack.messages) == sum(event.told for event in ONE_OF_EACH)


def test_when_slack_asks_to_wait_the_rest_comes_back_then_one_after_the_other(
    function: Function,
) -> None:
    function.slack.busy(retry_after=20)
    assert failures(notifying.handle(batch(LOUD[:3]))) == ["m0", "m1", "m2"]
    assert function.slack.posts == 1
    assert function.queue.waits == {"r0": 20, "r1": 21, "r2": 22}
    function.wired.memory.forward(seconds=22)
    assert failures(notifying.handle(batch(LOUD[:3]))) == []
    assert len(function.slack.messages) == 3


def test_who_comes_in_vain_waits_longer_each_time(function: Function) -> None:
    function.slack.busy(retry_after=1)
    notifying.handle(batch(LOUD[:1], times=7))
    assert function.queue.waits == {"r0": 64}


def test_what_cannot_be_read_stays_for_the_dead_letter_queue(function: Function) -> None:
    event = batch(LOUD[:2])
    event["Records"].insert(1, {"messageId": "bad", "body": "{}"})
    event["Records"].insert(2, {"messageId": "worse", "body": "not JSON"})
    assert failures(notifying.handle(event)) == ["bad", "worse"]
    assert len(function.slack.messages) == 2


def test_a_revoked_webhook_leaves_the_news_in_the_queue_and_mails_what_matters(
    function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    report = next(event for event in ONE_OF_EACH if event.detail_type == "ReportWritten")
    function.slack.revoke()
    assert failures(notifying.handle(batch([report, LOUD[0]]))) == ["m0"]
    mailed = function.wired.memory.last.titles
    assert mailed[0] == "Alerts do not reach a Slack webhook" and len(mailed) == 2
    assert function.wired.memory.refusals == 2


def test_two_flushes_at_once_do_not_tell_twice(function: Function) -> None:
    """One that took long is still at it when the next minute's begins."""
    memory = function.wired.memory
    notifying.handle(batch([AWOKE]))
    memory.forward(seconds=61)
    drop, meanwhile = memory.held.drop, []

    def slow_drop(told: Sequence[Held]) -> None:
        memory.forward(seconds=61)
        meanwhile.append(notifying.handle({"flush": "held"}, "two"))
        drop(told)

    memory.held.drop = slow_drop
    assert notifying.handle({"flush": "held"}, "one")["messages"] == 1
    assert meanwhile == [{"messages": 0, "waiting": 0}] and len(function.slack.messages) == 1


@pytest.mark.parametrize("died_at", ["marked", "keep", "drop"])
def test_after_a_flush_that_died_the_held_are_told_within_minutes(
    function: Function, died_at: str
) -> None:
    memory = function.wired.memory
    notifying.handle(batch([AWOKE]))
    memory.forward(seconds=61)
    memory.held.dies_at = memory.seen.dies_at = died_at
    with pytest.raises(DiedError):
        notifying.handle({"flush": "held"}, "one")
    memory.held.dies_at = memory.seen.dies_at = ""
    assert notifying.handle({"flush": "held"}, "two")["messages"] == 0
    memory.forward(minutes=5)
    again = {"marked": 1, "keep": 1, "drop": 0}[died_at]  # what was told and noted is told no more
    assert notifying.handle({"flush": "held"}, "three")["messages"] == again
    assert len(function.slack.messages) == 1 + (died_at == "keep")
    assert not memory.held.items


@dataclass
class Lines:
    """A logger that keeps what it is told."""

    warnings: list[str] = field(default_factory=list)
    infos: list[str] = field(default_factory=list)

    def warning(self, text: str, /, **more: str) -> None:
        self.warnings.append(f"{text}: {more['reason']}")

    def info(self, text: str, /, **more: str) -> None:
        self.infos.append(f"{more['severity']}: {more['text']}")


def test_why_alerts_are_only_logged_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = Lines()
    monkeypatch.setattr(notifying, "logger", lines)
    log = notifying.LogSink("no webhook yet")
    log.send(message_of(AWOKE))
    log.send(message_of(AWOKE))
    assert lines.warnings == ["alerts are only logged: no webhook yet"]
    assert lines.infos[0].startswith("info: llama is awake. It answered") and len(lines.infos) == 2


@pytest.mark.parametrize(("channel", "secret"), [("none", NAME), ("slack", "")])
def test_without_a_channel_alerts_are_logged(
    channel: str, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = {"TABLE_NAME": "t", "SLACK_SECRET": secret, "ALERT_CHANNEL": channel}
    settings = notifying.NotifySettings.model_validate(env)
    monkeypatch.setattr(notifying, "_settings", lambda: settings)
    office = notifying._office.__wrapped__()
    config = office.configs.current()
    assert config == AlertConfig()
    assert isinstance(office.sink_of(Target("default", None), config), notifying.LogSink)
