"""From a queued message to a stored answer. A message is deleted only after its result is stored.

While the endpoint is not awake its messages are put back with a visibility timeout that shrinks
as the wake comes nearer; such a receive is no failure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from ..alerts.events import RequestAnswered, RequestRefused
from ..endpoints.status import Cause, EndpointRecord, Traffic
from ..policy.foresight import lead_time
from ..policy.types import Phase
from ..ports import (
    Answer,
    ConflictError,
    ModelError,
    ModelInvoker,
    NoCapacityError,
    Requests,
    ResultStore,
)
from .observe import history, remaining_lead
from .wishes import backoff, request_wake
from .world import World

TRIES = 5
FIRST_RETRY = timedelta(seconds=5)
LONGEST_RETRY = timedelta(minutes=5)
SOONEST = timedelta(seconds=2)
UNKNOWN_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=10)
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
_SERVING = {Phase.AWAKE, Phase.UPDATING}


@dataclass(frozen=True)
class Message:
    """One received SQS message."""

    message_id: str
    receipt_handle: str
    body: str
    sent_at: datetime


@dataclass(frozen=True)
class Desk:
    """The world and what the dispatcher needs besides."""

    world: World
    models: ModelInvoker
    results: ResultStore
    requests: Requests


class Fate(StrEnum):
    """What became of one message."""

    ANSWERED = "answered"
    REPEATED = "repeated"  # the answer is stored already
    REFUSED = "refused"  # in the dead-letter queue, with its reason
    POSTPONED = "postponed"  # back in the queue


@dataclass(frozen=True)
class Outcome:
    message: Message
    fate: Fate
    event: Any = None
    answer: Answer | None = None
    waited_seconds: float = 0.0


class BadRequestError(ValueError):
    """A message that no model could answer; says what is wrong with it."""


def dispatch(desk: Desk, name: str, messages: Sequence[Message]) -> list[str]:
    """Works on all messages at once; returns the ids of those that stay in the queue.

    Raises what AWS refused, before anything was deleted: the messages come back.
    """
    record = desk.world.store.load(name)
    if record is not None and record.status.phase not in _SERVING:
        record = wake_for(desk.world, record)
    with ThreadPoolExecutor(max_workers=max(1, len(messages))) as pool:
        outcomes = list(pool.map(lambda message: _handle(desk, name, record, message), messages))
    _tell(desk, name, outcomes)
    return [o.message.message_id for o in outcomes if o.fate is Fate.POSTPONED]


def wake_for(world: World, record: EndpointRecord) -> EndpointRecord:
    """Wishes the endpoint awake for a message if it sleeps or is about to.

    One conditional write and one StartExecution, whatever the number of messages. The size is
    settled by `plan_wake`, which sees the whole backlog.
    """
    status = record.status
    now = world.clock.now()
    if status.phase not in (Phase.ASLEEP, Phase.SLEEPING) or may_not_wake(record, now):
        return record
    try:
        return request_wake(
            world, record, Cause.MESSAGE, max(1, status.wish_copies), "A request is waiting."
        )
    except ConflictError:
        return world.store.load(status.name) or record


def may_not_wake(record: EndpointRecord, now: datetime) -> bool:
    """After a failed wake, or when the day's wakes are spent, the next tick decides instead."""
    status = record.status
    waits = status.retry_at is not None and now < status.retry_at
    failing = status.phase is Phase.SLEEPING and status.cause in (Cause.FAILED_WAKE, Cause.PERSON)
    spent = status.wakes_on == now.date() and (
        status.wakes_today >= record.spec.budget.wakes_per_day
    )
    return waits or failing or spent


def _handle(desk: Desk, name: str, record: EndpointRecord | None, message: Message) -> Outcome:
    now = desk.world.clock.now()
    if record is None or record.status.phase in (Phase.RETIRING, Phase.RETIRED):
        return _refuse(desk, name, record, message, f"there is no endpoint {name!r} any more")
    try:
        request_id, body = parse(message)
    except BadRequestError as bad:
        return _refuse(desk, name, record, message, str(bad))
    if desk.results.exists(name, request_id):
        return Outcome(message, Fate.REPEATED)
    if record.status.phase not in _SERVING:
        return _postpone(desk, name, message, time_until_ready(record, now))
    try:
        answer = desk.models.ask(name, body)
    except ModelError as refused:
        return _refuse(desk, name, record, message, str(refused), request_id)
    except NoCapacityError:
        return _postpone(desk, name, message, timedelta(seconds=10))
    except Exception as error:  # noqa: BLE001 - one message must not fail its neighbours
        return _failed(desk, name, record, message, error)
    return _store(desk, name, record, message, request_id, answer)


def parse(message: Message) -> tuple[str, dict[str, Any]]:
    """Returns the request's id and the body for the model; raises BadRequestError."""
    try:
        body = json.loads(message.body)
    except (ValueError, RecursionError) as bad:
        raise BadRequestError(f"the message is not JSON: {bad}") from bad
    if not isinstance(body, dict):
        raise BadRequestError("the message must be a JSON object, an OpenAI-style request body")
    if not (isinstance(body.get("messages"), list) or isinstance(body.get("prompt"), str)):
        raise BadRequestError("the message has neither `messages` (chat) nor `prompt` (completion)")
    request_id = body.pop("id", message.message_id)
    if not isinstance(request_id, str) or not _REQUEST_ID.fullmatch(request_id):
        raise BadRequestError(
            f"id {request_id!r} cannot name a result: 1 to 128 of letters, digits and _ . : -"
        )
    return request_id, body


def time_until_ready(record: EndpointRecord, now: datetime) -> timedelta:
    """How long a message shall stay out of sight: until the wake in flight should be ready."""
    status = record.status
    if status.phase in (Phase.WAKING, Phase.CREATING, Phase.STAGING):
        wait = remaining_lead(record, lead_time(history(record)), now)
    elif status.retry_at and status.retry_at > now:
        wait = status.retry_at - now
    else:
        wait = LONGEST_WAIT if status.phase is Phase.FAILED else UNKNOWN_WAIT
    return min(max(wait, SOONEST), LONGEST_WAIT)


def _postpone(desk: Desk, name: str, message: Message, delay: timedelta) -> Outcome:
    desk.requests.postpone(name, message.receipt_handle, delay)
    return Outcome(message, Fate.POSTPONED)


def _failed(
    desk: Desk, name: str, record: EndpointRecord, message: Message, error: Exception
) -> Outcome:
    now = desk.world.clock.now()
    failures = desk.world.store.count_failure(name, message.message_id, now)
    if failures >= TRIES:
        why = f"gave up after {failures} tries: {type(error).__name__}: {error}"
        return _refuse(desk, name, record, message, why)
    return _postpone(desk, name, message, backoff(failures, FIRST_RETRY, LONGEST_RETRY))


def _refuse(
    desk: Desk,
    name: str,
    record: EndpointRecord | None,
    message: Message,
    reason: str,
    request_id: str | None = None,
) -> Outcome:
    now = desk.world.clock.now()
    if request_id is not None:
        desk.results.put(name, request_id, {"id": request_id, "error": reason})
    desk.requests.refuse(name, message.message_id, message.body, reason)
    event = RequestRefused(
        endpoint=name,
        generation=record.status.generation if record else 0,
        at=now,
        request_id=request_id or message.message_id,
        reason=reason,
    )
    return Outcome(message, Fate.REFUSED, event)


def _store(
    desk: Desk,
    name: str,
    record: EndpointRecord,
    message: Message,
    request_id: str,
    answer: Answer,
) -> Outcome:
    now = desk.world.clock.now()
    uri = desk.results.put(
        name,
        request_id,
        {"id": request_id, "answered_at": now.isoformat(), "answer": answer.body},
    )
    waited = max(0.0, (now - message.sent_at).total_seconds())
    event = RequestAnswered(
        endpoint=name,
        generation=record.status.generation,
        at=now,
        request_id=request_id,
        result_uri=uri,
        waited_seconds=waited,
    )
    return Outcome(message, Fate.ANSWERED, event, answer, waited)


def _tell(desk: Desk, name: str, outcomes: Sequence[Outcome]) -> None:
    events = [outcome.event for outcome in outcomes if outcome.event]
    if events:
        desk.world.announcer.announce_all(events)
    answered = [outcome for outcome in outcomes if outcome.answer]
    refused = sum(outcome.fate is Fate.REFUSED for outcome in outcomes)
    if not answered and not refused:
        return
    answers = [outcome.answer for outcome in answered if outcome.answer]
    desk.world.store.count_traffic(
        Traffic(
            endpoint=name,
            day=desk.world.clock.now().date(),
            requests=len(answered),
            refused=refused,
            input_tokens=sum(answer.input_tokens for answer in answers),
            output_tokens=sum(answer.output_tokens for answer in answers),
            waited_seconds=sum(outcome.waited_seconds for outcome in answered),
        )
    )


def endpoint_of(queue_arn: str, prefix: str) -> str:
    """The endpoint whose queue this is; raises ValueError for a queue that is not ours."""
    queue = queue_arn.rpartition(":")[2]
    if not queue.startswith(f"{prefix}-"):
        raise ValueError(f"queue {queue!r} is not one of stack {prefix!r}")
    return queue.removeprefix(f"{prefix}-")


def messages_of(records: Sequence[Mapping[str, Any]], epoch: Any) -> list[Message]:
    """The messages of a Lambda event; `epoch` turns milliseconds into a moment."""
    return [
        Message(
            message_id=record["messageId"],
            receipt_handle=record["receiptHandle"],
            body=record["body"],
            sent_at=epoch(int(record["attributes"]["SentTimestamp"])),
        )
        for record in records
    ]
