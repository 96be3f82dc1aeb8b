"""The notify function: events from its queue to people, and every minute what was held back."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any, Literal

from pydantic import Field

from ..alerts.console import Console
from ..alerts.events.base import Event
from ..alerts.events.registry import parse_event
from ..alerts.message import Message
from ..alerts.notify import flush, notify
from ..alerts.office import Office
from ..alerts.pace import Pace
from ..alerts.sinks import RetryLater
from ..aws.alert_queue import AlertQueue
from ..aws.alert_secret import AlertSecret
from ..aws.clock import SystemClock
from ..aws.held import TableHeld
from ..aws.pauses import TablePauses
from ..aws.seen import TableSeen
from ..aws.sinks import Sinks
from ..aws.teams import TableTeams
from ..aws.topics import NoTopic, TopicSink
from .boundary import Foreign, QueueBatch, QueueRecord, Variables
from .given_up import round_failed
from .logs import logger
from .metrics import Measures, metric_of

# Two flushes at once would tell twice. Longer than one can take (the function's 60 s): who died in
# it keeps the others away for so long, and nothing is lost.
_FLUSH, _FLUSH_CLAIM = "FLUSH", timedelta(minutes=5)
_LONGEST_WAIT = 3600.0  # seconds
_MOST_TIMES = 20  # doubled so often, any wait is the longest
_HEARD_FROM = 3  # times that an alert was not delivered: no hiccup, and a person hears of it
_BUSY_HEARD_FROM = 10  # of a place that asks for patience: each wait is twice the one before


class NotifySettings(Variables):
    """What the template tells the function."""

    stack_name: str = Field(default="", alias="STACK_NAME")
    flow_arn_prefix: str = Field(default="", alias="FLOW_ARN_PREFIX")
    table_name: str = Field(alias="TABLE_NAME")
    slack_secret: str = Field(default="", alias="SLACK_SECRET")
    alert_channel: Literal["slack", "none"] = Field(default="slack", alias="ALERT_CHANNEL")
    alarm_topic_arn: str = Field(default="", alias="ALARM_TOPIC_ARN")
    queue_url: str = Field(default="", alias="NOTIFY_QUEUE_URL")


class Envelope(Foreign):
    """What EventBridge wraps an event in."""

    detail_type: str = Field(alias="detail-type")
    detail: dict[str, Any]


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
def _measures() -> Measures:
    return Measures(_settings().stack_name)


@cache
def _queue() -> AlertQueue:
    return AlertQueue(_settings().queue_url)


@cache
def _office() -> Office:
    env, clock = _settings(), SystemClock()
    secret = env.slack_secret if env.alert_channel == "slack" else ""
    why = (
        f"nothing has been put into secret {secret!r}"
        if secret
        else "the alert channel is none, or no secret is named"
    )
    pace = Pace(clock.now, pauses=TablePauses(env.table_name))
    sinks = Sinks(secret, env.alarm_topic_arn, LogSink(why), pace)
    return Office(
        configs=AlertSecret(secret),
        seen=TableSeen(env.table_name),
        held=TableHeld(env.table_name),
        sink_of=sinks.of,
        last_resort=TopicSink(env.alarm_topic_arn, only_if_read=True)
        if env.alarm_topic_arn
        else NoTopic(),
        team_of=TableTeams(env.table_name).of,
        now=clock.now,
        refused=_measures().alert_refused,
        console=Console.of(env.flow_arn_prefix, env.stack_name) if env.flow_arn_prefix else None,
    )


def handle(event: Any, invocation: str = "") -> dict[str, Any]:
    """A batch of the queue, or the minute's look at what is held back."""
    has_records = isinstance(event, Mapping) and "Records" in event
    return tell(event) if has_records else tell_held(invocation)


def tell(event: Any) -> dict[str, Any]:
    """Tells a batch; names the messages that stay in the queue.

    What a place cannot take now comes back when it asked for it; the other places' alerts are
    told meanwhile.
    """
    stay: list[str] = []
    for record in QueueBatch.model_validate(event).Records:
        message_id = record.messageId
        try:
            _tell_one(record)
        except RetryLater as later:
            stay.append(message_id)
            _put_off(record, later.seconds, len(stay))
            _say(record, _BUSY_HEARD_FROM)
        except Exception:  # noqa: BLE001 - one alert must not hold its neighbours back
            logger.exception("alert not delivered", message_id=message_id)
            stay.append(message_id)
            _say(record, _HEARD_FROM)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in stay]}


def _tell_one(record: QueueRecord) -> None:
    event = _event(record.body)
    _count(event, record)
    told = notify(event, _office(), record.messageId)
    logger.info("alert", detail_type=event.detail_type, endpoint=event.endpoint, told=told)


def _count(event: Event, record: QueueRecord) -> None:
    """What happened is counted once, whoever hears of it and however often."""
    if metric_of(event) is None or record.attributes.ApproximateReceiveCount > 1:
        return
    ttl = timedelta(seconds=event.repeat_seconds)
    if _office().seen.first_time(f"COUNTED#{event.dedupe_key}", ttl, record.messageId):
        _measures().event(event)


def _say(record: QueueRecord, since: int) -> None:
    """A person hears of what was not delivered so many times."""
    if record.attributes.ApproximateReceiveCount >= since:
        _measures().alert_refused()


def _event(body: str) -> Event:
    document = json.loads(body)
    if isinstance(document, Mapping) and "requestContext" in document:
        return round_failed(document, _settings().stack_name)
    envelope = Envelope.model_validate(document)
    return parse_event(envelope.detail_type, envelope.detail)


def _put_off(record: QueueRecord, seconds: float, place_in_line: int) -> None:
    """As long as was asked for, twice as long each time it comes again in vain, and one second
    after the one before it: a receive counts, and eight would be soon used up."""
    times = min(record.attributes.ApproximateReceiveCount, _MOST_TIMES)
    wait = min(_LONGEST_WAIT, max(seconds, 2.0 ** (times - 1)) + place_in_line - 1)
    logger.warning("told to wait", seconds=seconds, waits=wait, message_id=record.messageId)
    try:
        _queue().put_off(record.receiptHandle, wait)
    except Exception:  # noqa: BLE001 - it comes back all the same, after the queue's own timeout
        logger.exception("could not say when it shall come back")


def tell_held(invocation: str) -> dict[str, Any]:
    """Tells what has been held long enough. Raises when some of it could not be told; it stays."""
    office = _office()
    if not office.held.all():
        return {"messages": 0, "waiting": 0}
    if not office.seen.first_time(_FLUSH, _FLUSH_CLAIM, invocation):
        return {"messages": 0, "waiting": 0}
    try:
        done = flush(office, invocation)
    finally:
        office.seen.forget(_FLUSH)
    for trouble in done.troubles:
        logger.error("held alerts not delivered", exc_info=trouble)
    if done.overdue:
        _measures().alert_refused()
    logger.info("held alerts", messages=done.messages, events=done.events, waiting=done.waiting)
    busy = all(isinstance(trouble, RetryLater) for trouble in done.troubles)
    if done.troubles and not busy:
        raise done.troubles[0]
    return {"messages": done.messages, "waiting": done.waiting}
