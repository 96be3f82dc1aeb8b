"""From the queue to Slack over real HTTP: slack_sdk posts to a receiver as strict as Slack."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from autoscaler.alerts.events.base import Event
from autoscaler.alerts.message import Message, message_of
from autoscaler.alerts.notify import RetryLater
from autoscaler.aws import slack as slack_module
from autoscaler.aws.slack import SlackRejectedError, SlackSink, webhook_url
from autoscaler.runtime import notify as notifying
from tests.alerts_events import ONE_OF_EACH
from tools.receiver import SlackReceiver

AWOKE = next(event for event in ONE_OF_EACH if event.detail_type == "EndpointAwoke")
REAL = "https://hooks.slack.com/services/T1/B2/verysecret"


@dataclass
class Secrets:
    """Secrets Manager with one secret; None: it does not exist."""

    text: str | None
    reads: int = 0

    def get_secret_value(self, SecretId: str) -> dict[str, str]:
        self.reads += 1
        if self.text is None:
            error = {"Error": {"Code": "ResourceNotFoundException"}}
            raise ClientError(error, "GetSecretValue")
        return {"SecretString": self.text}


@dataclass
class Kept:
    messages: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        self.messages.append(message)


@dataclass
class Seen:
    keys: set[str] = field(default_factory=set)

    def first_time(self, key: str, ttl: timedelta, holder: str) -> bool:
        new = key not in self.keys
        self.keys.add(key)
        return new

    def forget(self, key: str) -> None:
        self.keys.discard(key)


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackReceiver]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with SlackReceiver() as receiver:
        yield receiver


def sink(secret: str | None) -> tuple[SlackSink, Kept, Secrets]:
    kept, secrets = Kept(), Secrets(secret)
    return SlackSink("stack/slack-webhook", kept, secrets), kept, secrets


def test_every_event_arrives(slack: SlackReceiver) -> None:
    slack_sink, _, secrets = sink(slack.url)
    for event in ONE_OF_EACH:
        slack_sink.send(message_of(event))
    assert slack.rejected == [] and len(slack.messages) == len(ONE_OF_EACH)
    assert "llama is awake" in slack.titles() and "🚨 llama does not get to zero" in slack.titles()
    assert secrets.reads == 1


def test_the_secret_may_be_json(slack: SlackReceiver) -> None:
    slack_sink, _, _ = sink(json.dumps({"url": slack.url}))
    slack_sink.send(message_of(AWOKE))
    assert slack.titles() == ["llama is awake"]


@pytest.mark.parametrize("secret", [None, "unset", " unset\n", "", '{"url": "unset"}'])
def test_without_a_webhook_alerts_go_elsewhere(slack: SlackReceiver, secret: str | None) -> None:
    slack_sink, kept, _ = sink(secret)
    slack_sink.send(message_of(AWOKE))
    assert [m.title for m in kept.messages] == ["llama is awake"] and slack.posts == 0


def test_a_webhook_that_is_put_in_later_is_found(
    slack: SlackReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    slack_sink, kept, secrets = sink("unset")
    slack_sink.send(message_of(AWOKE))
    secrets.text = slack.url
    monkeypatch.setattr(slack_module, "SECRET_SECONDS", 0)
    slack_sink.send(message_of(AWOKE))
    assert len(kept.messages) == 1 and slack.titles() == ["llama is awake"]


def test_retry_after_is_handed_on(slack: SlackReceiver) -> None:
    slack.busy(retry_after=17)
    slack_sink, _, _ = sink(slack.url)
    with pytest.raises(RetryLater) as later:
        slack_sink.send(message_of(AWOKE))
    assert later.value.seconds == 17 and slack.posts == 1


def test_slack_in_trouble_or_out_of_reach_is_tried_later(slack: SlackReceiver) -> None:
    slack.broken(503)
    slack_sink, _, _ = sink(slack.url)
    with pytest.raises(RetryLater):
        slack_sink.send(message_of(AWOKE))
    nowhere, _, _ = sink("http://127.0.0.1:1/services/T/B/x")
    with pytest.raises(RetryLater):
        nowhere.send(message_of(AWOKE))


def test_a_revoked_webhook_is_named_without_its_url(
    slack: SlackReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    slack.revoke()
    slack_sink, _, secrets = sink(slack.url)
    with pytest.raises(SlackRejectedError, match="no_service") as rejected:
        slack_sink.send(message_of(AWOKE))
    assert "stack/slack-webhook" in str(rejected.value)
    assert "/services/" not in str(rejected.value) + caplog.text
    with pytest.raises(SlackRejectedError):
        slack_sink.send(message_of(AWOKE))
    assert secrets.reads == 2  # a webhook that was rotated meanwhile is found at once


@pytest.mark.parametrize(
    "url", [REAL, "http://127.0.0.1:8080/x", "http://localhost/x", "http://[::1]:9/x"]
)
def test_webhooks_that_may_be(url: str) -> None:
    assert webhook_url(url, "s") == url


@pytest.mark.parametrize(
    "url",
    ["http://hooks.slack.com/services/T1/B2/verysecret", "ftp://x/verysecret", "verysecret", "{"],
)
def test_webhooks_that_may_not_be_are_refused_without_being_shown(url: str) -> None:
    with pytest.raises(SlackRejectedError) as refused:
        webhook_url(url, "stack/slack-webhook")
    assert "verysecret" not in str(refused.value) and "https" in str(refused.value)


def batch(events: Sequence[Event]) -> dict[str, Any]:
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
            {"messageId": f"m{n}", "body": json.dumps(envelope)}
            for n, envelope in enumerate(envelopes)
        ]
    }


@pytest.fixture
def function(slack: SlackReceiver, monkeypatch: pytest.MonkeyPatch) -> SlackReceiver:
    slack_sink, _, _ = sink(slack.url)
    seen = Seen()
    monkeypatch.setattr(notifying, "_sink", lambda: slack_sink)
    monkeypatch.setattr(notifying, "_seen", lambda: seen)
    return slack


def failures(reply: dict[str, Any]) -> list[str]:
    return [failure["itemIdentifier"] for failure in reply["batchItemFailures"]]


def test_a_batch_is_told_once_and_single_answers_are_not(function: SlackReceiver) -> None:
    assert failures(notifying.tell(batch(ONE_OF_EACH))) == []
    assert failures(notifying.tell(batch(ONE_OF_EACH))) == []
    assert function.posts == sum(event.told for event in ONE_OF_EACH)


def test_when_slack_asks_to_wait_the_rest_is_not_tried(function: SlackReceiver) -> None:
    first, second, third = ONE_OF_EACH[:3]
    notifying.tell(batch([first]))
    function.busy()
    assert failures(notifying.tell(batch([second, third]))) == ["m0", "m1"]
    assert function.posts == 2
    assert failures(notifying.tell(batch([second, third]))) == []
    assert len(function.messages) == 3


def test_what_cannot_be_read_stays_for_the_dead_letter_queue(function: SlackReceiver) -> None:
    event = batch(ONE_OF_EACH[:2])
    event["Records"].insert(1, {"messageId": "bad", "body": "{}"})
    event["Records"].insert(2, {"messageId": "worse", "body": "not JSON"})
    assert failures(notifying.tell(event)) == ["bad", "worse"]
    assert len(function.messages) == 2


def test_a_revoked_webhook_leaves_every_alert_in_the_queue(function: SlackReceiver) -> None:
    function.revoke()
    assert failures(notifying.tell(batch(ONE_OF_EACH[:2]))) == ["m0", "m1"]


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


@pytest.mark.parametrize(("channel", "secret"), [("none", "stack/slack-webhook"), ("slack", "")])
def test_without_a_channel_alerts_are_logged(
    channel: str, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = {"TABLE_NAME": "t", "SLACK_SECRET": secret, "ALERT_CHANNEL": channel}
    settings = notifying.NotifySettings.model_validate(env)
    monkeypatch.setattr(notifying, "_settings", lambda: settings)
    assert isinstance(notifying._sink.__wrapped__(), notifying.LogSink)
