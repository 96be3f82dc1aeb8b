"""A report that is told is not told again because its picture could not be made."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from autoscaler.alerts.events.base import Severity
from autoscaler.alerts.message import own_message
from autoscaler.alerts.pace import Pace
from autoscaler.alerts.sentences.base import Bars
from autoscaler.aws.slack import BotSink
from tests.alerts_office import NOON
from tools.receiver import SlackReceiver


def test_a_chart_that_cannot_be_drawn_is_no_reason_to_tell_a_report_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    uneven = Bars("Cost of a week", ("Mon", "Tue"), (("a", (1.0, 2.0)), ("b", (1.0,))))
    message = replace(own_message(Severity.INFO, "Cost", "of a week", NOON), bars=uneven)
    with SlackReceiver() as slack, caplog.at_level(logging.WARNING):
        sink = BotSink(slack.bot.token, "#gpu", "secret", Pace(lambda: NOON, 100), slack.api)
        sink.send(message)
        (channel,) = slack.bot.channels
    assert len(channel.messages) == 1
    assert "was not uploaded (ValueError)" in caplog.text
