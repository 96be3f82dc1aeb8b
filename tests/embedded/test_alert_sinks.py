"""The other ways to people over real HTTP: a bot with its pictures, and SNS."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from autoscaler.alerts.message import message_of
from autoscaler.alerts.pace import Pace
from autoscaler.alerts.plain import subject, text
from autoscaler.alerts.sinks import RetryLater, SinkRejectedError
from autoscaler.aws.slack import BotSink, SlackRejectedError
from autoscaler.aws.topics import TopicSink
from tests.alerts_events import ONE_OF_EACH, report
from tests.alerts_office import NOON
from tools.receiver import SlackReceiver

BY_NAME = {event.detail_type: event for event in ONE_OF_EACH}
FAILED = message_of(BY_NAME["EndpointFailed"])
WEEKLY = message_of(report())


def pace() -> Pace:
    return Pace(lambda: NOON, burst=1000)


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackReceiver]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with SlackReceiver() as receiver:
        yield receiver


def bot(slack: SlackReceiver, channel: str = "#gpu", token: str = "") -> BotSink:
    return BotSink(token or slack.bot.token, channel, "stack/slack", pace(), slack.api)


# ------------------------------------------------------------------------------------------- bot
@pytest.mark.parametrize("channel", ["#gpu", "gpu", "C0000001"])
def test_a_bot_writes_into_its_channel(slack: SlackReceiver, channel: str) -> None:
    for event in ONE_OF_EACH:
        bot(slack, channel).send(message_of(event))
    messages = slack.bot.channels[0].messages
    assert len(messages) == len(ONE_OF_EACH) and slack.rejected == []


def test_the_weekly_report_comes_with_its_picture(slack: SlackReceiver) -> None:
    bot(slack).send(WEEKLY)
    (channel,) = slack.bot.channels
    assert len(channel.messages) == 1 and "```" not in json.dumps(channel.messages)
    (file,) = channel.files
    assert file["title"] == "Cost of 16 to 22 November 2026 by team"
    assert file["body"].startswith(b"\x89PNG")
    upload = ["files.getUploadURLExternal", "upload", "files.completeUploadExternal"]
    assert slack.bot.calls == ["chat.postMessage", *upload]


def test_without_the_scope_for_files_the_chart_comes_as_text(
    slack: SlackReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    slack.bot.scopes.discard("files:write")
    bot(slack).send(WEEKLY)
    said, chart = slack.bot.channels[0].messages
    assert chart["thread_ts"] == said["ts"] and "█" in json.dumps(chart, ensure_ascii=False)
    assert slack.bot.channels[0].files == [] and "missing_scope" in caplog.text


def test_slack_that_is_busy_at_the_upload_does_not_make_the_message_come_twice(
    slack: SlackReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted = slack.bot.answer

    def busy_after_the_post(path: str, *rest: Any) -> Any:
        reply = posted(path, *rest)
        if path.endswith("chat.postMessage") and len(slack.bot.calls) == 1:
            slack.busy(retry_after=9)
        return reply

    monkeypatch.setattr(slack.bot, "answer", busy_after_the_post)
    bot(slack).send(WEEKLY)
    first, chart = slack.bot.channels[0].messages
    assert first["thread_ts"] is None and chart["thread_ts"] == first["ts"]


def test_a_bot_that_is_told_to_wait_waits(slack: SlackReceiver) -> None:
    slack.busy(retry_after=11)
    with pytest.raises(RetryLater) as later:
        bot(slack).send(FAILED)
    assert later.value.seconds == 11 and slack.bot.channels[0].messages == []


def test_slack_in_trouble_is_tried_later(slack: SlackReceiver) -> None:
    slack.broken(503)
    with pytest.raises(RetryLater):
        bot(slack).send(FAILED)
    slack.bot.failing = "internal_error"
    with pytest.raises(RetryLater):
        bot(slack).send(FAILED)
    nowhere = BotSink("xoxb-1", "#gpu", "s", pace(), "http://127.0.0.1:1/api/")
    with pytest.raises(RetryLater):
        nowhere.send(FAILED)


@pytest.mark.parametrize(
    "code",
    ["invalid_auth", "account_inactive", "token_revoked", "missing_scope", "ekm_access_denied"],
)
def test_a_void_token_is_named_without_being_shown(
    slack: SlackReceiver, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    caplog.set_level(logging.DEBUG)
    slack.bot.failing = code
    with pytest.raises(SlackRejectedError) as rejected:
        bot(slack).send(FAILED)
    assert rejected.value.lasting and "stack/slack" in str(rejected.value)
    assert code in str(rejected.value)
    assert slack.bot.token not in str(rejected.value) + caplog.text


def test_a_token_that_slack_does_not_know(slack: SlackReceiver) -> None:
    with pytest.raises(SlackRejectedError, match="invalid_auth"):
        bot(slack, token="xoxb-other").send(FAILED)


def test_channels_that_take_nothing(slack: SlackReceiver) -> None:
    (channel,) = slack.bot.channels
    with pytest.raises(SlackRejectedError, match=r"channel_not_found.*invite"):
        bot(slack, "#nowhere").send(FAILED)
    channel.member = False
    with pytest.raises(SlackRejectedError, match=r"not_in_channel.*/invite"):
        bot(slack).send(FAILED)
    channel.archived = True
    with pytest.raises(SlackRejectedError, match="is_archived"):
        bot(slack).send(FAILED)


# ------------------------------------------------------------------------------------------- SNS
@pytest.fixture
def sns() -> Iterator[Any]:
    with mock_aws():
        access = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        yield boto3.client("sns", region_name="us-east-1", **access)


def test_a_topic_is_told_in_plain_words(sns: Any) -> None:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.sns import sns_backends

    arn = sns.create_topic(Name="alarms")["TopicArn"]
    TopicSink(arn, sns=sns).send(FAILED)
    ((_, body, title, attributes, *_),) = (
        sns_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].topics[arn].sent_notifications
    )
    assert title == "[critical] llama failed while CREATING"
    assert body == text(FAILED) and "Mend the cause" in body
    assert attributes["severity"]["Value"] == "critical"


def test_a_topic_that_nobody_reads_takes_nothing_as_a_last_resort(sns: Any) -> None:
    arn = sns.create_topic(Name="alarms")["TopicArn"]
    with pytest.raises(SinkRejectedError, match="nobody has confirmed"):
        TopicSink(arn, only_if_read=True, sns=sns).send(FAILED)
    sns.subscribe(TopicArn=arn, Protocol="email", Endpoint="a@b.example")
    TopicSink(arn, only_if_read=True, sns=sns).send(FAILED)


def test_a_topic_that_is_not_there_is_named(sns: Any) -> None:
    with pytest.raises(SinkRejectedError, match=r"'nowhere'.*no such topic"):
        TopicSink("arn:aws:sns:us-east-1:123456789012:nowhere", sns=sns).send(FAILED)


class DenyingSns:
    """SNS whose answer is always the same error."""

    def __init__(self, code: str) -> None:
        self._code = code

    def publish(self, **request: Any) -> None:
        raise ClientError({"Error": {"Code": self._code}}, "Publish")


def test_a_topic_that_notify_may_not_use_says_which_parameter_lets_it() -> None:
    arn = "arn:aws:sns:us-east-1:123456789012:gpu"
    with pytest.raises(SinkRejectedError, match="AlertTopicArns"):
        TopicSink(arn, sns=DenyingSns("AuthorizationError")).send(FAILED)
    with pytest.raises(RetryLater):
        TopicSink(arn, sns=DenyingSns("Throttled")).send(FAILED)


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: event.detail_type)
def test_every_event_fits_an_email(event: Any) -> None:
    line = subject(message_of(event))
    assert line.isascii() and "\n" not in line and 0 < len(line) < 100
    assert text(message_of(event)).strip() and "*" not in text(message_of(event))
