"""The notify function: events from its queue, to Slack or, without a webhook, to the log."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..alerts.events.registry import parse_event
from ..alerts.message import Message
from ..alerts.notify import RetryLater, Sink, notify
from ..aws.seen import TableSeen
from ..aws.slack import SlackSink
from .logs import logger


class NotifySettings(BaseModel):
    """What the template tells the function."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    table_name: str = Field(alias="TABLE_NAME")
    slack_secret: str = Field(default="", alias="SLACK_SECRET")
    alert_channel: Literal["slack", "none"] = Field(default="slack", alias="ALERT_CHANNEL")


class LogSink:
    """Alerts as log lines; says once why they go nowhere else."""

    def __init__(self, why: str) -> None:
        self._why: str | None = why

    def send(self, message: Message) -> None:
        if self._why:
            logger.warning("alerts are only logged", reason=self._why)
            self._why = None
        logger.info("alert", severity=message.severity, text=message.fallback)


@cache
def _settings() -> NotifySettings:
    return NotifySettings.model_validate(dict(os.environ))


@cache
def _seen() -> TableSeen:
    return TableSeen(_settings().table_name)


@cache
def _sink() -> Sink:
    env = _settings()
    if env.alert_channel == "none" or not env.slack_secret:
        return LogSink("the alert channel is none, or no Slack secret is named")
    return SlackSink(
        env.slack_secret, LogSink(f"no webhook URL has been put into secret {env.slack_secret!r}")
    )


def tell(event: Mapping[str, Any]) -> dict[str, Any]:
    """Tells a batch; names the messages that stay in the queue.

    When Slack asks to wait, the rest of the batch is not tried: all of it comes back after the
    queue's visibility timeout, which is longer than what Slack usually asks for.
    """
    stay: list[str] = []
    wait = False
    for record in event["Records"]:
        message_id = record["messageId"]
        if wait:
            stay.append(message_id)
            continue
        try:
            _tell_one(record)
        except RetryLater as later:
            logger.warning("Slack asks to wait", seconds=later.seconds)
            stay.append(message_id)
            wait = True
        except Exception:  # noqa: BLE001 - one alert must not hold its neighbours back
            logger.exception("alert not delivered", message_id=message_id)
            stay.append(message_id)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in stay]}


def _tell_one(record: Mapping[str, Any]) -> None:
    envelope = json.loads(record["body"])
    event = parse_event(envelope["detail-type"], envelope["detail"])
    told = notify(event, _seen(), _sink(), record["messageId"])
    logger.info("alert", detail_type=event.detail_type, endpoint=event.endpoint, told=told)
