"""From a queued message to a stored answer. A message is deleted only after its result is stored
and announced.

While the endpoint is not awake its messages are put back (`patience`); such a receive is no
failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from ..alerts.events import RequestAnswered, RequestRefused
from ..endpoints.status import Cause, EndpointRecord, Traffic
from ..policy.types import Phase
from ..ports import (
    Answer,
    BusyError,
    ConflictError,
    ModelError,
    ModelInvoker,
    NoCapacityError,
    Requests,
    ResultStore,
)
from .messages import BadRequestError, Message, parse
from .patience import (
    LONGEST_STAY,
    TRIES,
    WHEN_BUSY,
    WHEN_TROUBLED,
    after_failures,
    paced,
    time_until_ready,
)
from .wishes import may_not_wake, request_wake
from .world import World

_SERVING = {Phase.AWAKE, Phase.UPDATING}


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
    REPEATED = "repeated"  # the answer was stored before; it is announced once more
    REFUSED = "refused"  # in the dead-letter queue, with its reason
    POSTPONED = "postponed"  # back in the queue
    TROUBLED = "troubled"  # AWS refused something; back in the queue


@dataclass(frozen=True)
class Outcome:
    message: Message
    fate: Fate
    event: Any = None
    answer: Answer | None = None
    waited_seconds: float = 0.0
    trouble: Exception | None = None


@dataclass
class Dispatched:
    """What became of a batch: which messages stay, and what AWS refused."""

    stay: list[str] = field(default_factory=list)
    troubles: list[Exception] = field(default_factory=list)
    all_troubled: bool = False


def dispatch(desk: Desk, name: str, messages: Sequence[Message]) -> Dispatched:
    """Works on all messages at once. One message's trouble never touches its neighbours.

    Raises only if nothing at all could be done: the state of the endpoint could not be read.
    """
    record = desk.world.store.load(name)
    if record is not None and record.status.phase not in _SERVING:
        record = wake_for(desk.world, record)
    with ThreadPoolExecutor(max_workers=max(1, len(messages))) as pool:
        outcomes = list(pool.map(lambda message: _guarded(desk, name, record, message), messages))
    outcomes = _announced(desk, name, outcomes)
    troubles = [outcome.trouble for outcome in outcomes if outcome.trouble]
    try:
        _count(desk, name, outcomes)
    except Exception as error:  # noqa: BLE001 - the answers are stored and announced already
        troubles.append(error)
    kept = (Fate.POSTPONED, Fate.TROUBLED)
    stay = [outcome.message.message_id for outcome in outcomes if outcome.fate in kept]
    fates = {outcome.fate for outcome in outcomes}
    return Dispatched(stay, troubles, fates == {Fate.TROUBLED})


def wake_for(world: World, record: EndpointRecord) -> EndpointRecord:
    """Wishes the endpoint awake for a message if it sleeps or is about to.

    One conditional write and one StartExecution, whatever the number of messages. The size is
    settled by `plan_wake`, which sees the whole backlog.
    """
    status = record.status
    if status.phase not in (Phase.ASLEEP, Phase.SLEEPING):
        return record
    if may_not_wake(record, world.clock.now()):
        return record
    try:
        return request_wake(
            world, record, Cause.MESSAGE, max(1, status.wish_copies), "A request is waiting."
        )
    except ConflictError:
        return world.store.load(status.name) or record


def _guarded(desk: Desk, name: str, record: EndpointRecord | None, message: Message) -> Outcome:
    try:
        return _handle(desk, name, record, message)
    except Exception as error:  # noqa: BLE001 - it is told, and the message comes back
        return _troubled(desk, name, message, error)


def _troubled(desk: Desk, name: str, message: Message, error: Exception) -> Outcome:
    """The message comes back soon, or when its visibility timeout ends."""
    try:
        wait = paced(WHEN_TROUBLED, message.sent_at, desk.world.clock.now())
        desk.requests.postpone(name, message.receipt_handle, wait)
    except Exception as second:  # noqa: BLE001 - told with the first
        error.add_note(f"nor could the message be put back sooner: {second}")
    return Outcome(message, Fate.TROUBLED, trouble=error)


def _handle(desk: Desk, name: str, record: EndpointRecord | None, message: Message) -> Outcome:
    now = desk.world.clock.now()
    try:
        request_id, body = parse(message)
    except BadRequestError as bad:
        return _refuse(desk, name, record, message, str(bad))
    if uri := desk.results.find(name, request_id):
        event = _answered(name, record, message, request_id, uri, now)
        return Outcome(message, Fate.REPEATED, event)
    if record is None or record.status.phase in (Phase.RETIRING, Phase.RETIRED):
        gone = record is None or record.status.phase is Phase.RETIRED
        why = f"there is no endpoint {name!r} any more" if gone else f"{name!r} is being removed"
        return _refuse(desk, name, record, message, why, request_id)
    if record.status.phase not in _SERVING:
        wait = time_until_ready(record, message.sent_at, now)
        why = f"the endpoint is {record.status.phase}"
        return _postpone(desk, name, record, message, request_id, wait, why)
    try:
        answer = desk.models.ask(name, body)
    except ModelError as refused:
        return _refuse(desk, name, record, message, str(refused), request_id)
    except (NoCapacityError, BusyError) as busy:
        wait = paced(WHEN_BUSY, message.sent_at, now)
        return _postpone(desk, name, record, message, request_id, wait, str(busy))
    except Exception as error:  # noqa: BLE001 - counted, and refused with it in the end
        return _failed(desk, name, record, message, request_id, error)
    return _store(desk, name, record, message, request_id, answer)


def _postpone(
    desk: Desk,
    name: str,
    record: EndpointRecord,
    message: Message,
    request_id: str,
    delay: timedelta,
    why: str,
) -> Outcome:
    stayed = desk.world.clock.now() - message.sent_at
    if stayed > LONGEST_STAY:
        why = f"waited {stayed.days} days, and a queue keeps nothing longer than 14: {why}"
        return _refuse(desk, name, record, message, why, request_id)
    desk.requests.postpone(name, message.receipt_handle, delay)
    return Outcome(message, Fate.POSTPONED)


def _failed(
    desk: Desk,
    name: str,
    record: EndpointRecord,
    message: Message,
    request_id: str,
    error: Exception,
) -> Outcome:
    now = desk.world.clock.now()
    failures = desk.world.store.count_failure(name, message.message_id, now)
    why = f"{type(error).__name__}: {error}"
    if failures >= TRIES:
        why = f"gave up after {failures} tries: {why}"
        return _refuse(desk, name, record, message, why, request_id)
    wait = after_failures(failures)
    return _postpone(desk, name, record, message, request_id, wait, why)


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
    result = {"id": request_id, "answered_at": now.isoformat(), "answer": answer.body}
    uri = desk.results.put(name, request_id, result)
    event = _answered(name, record, message, request_id, uri, now)
    return Outcome(message, Fate.ANSWERED, event, answer, event.waited_seconds)


def _answered(
    name: str,
    record: EndpointRecord | None,
    message: Message,
    request_id: str,
    uri: str,
    now: datetime,
) -> RequestAnswered:
    return RequestAnswered(
        endpoint=name,
        generation=record.status.generation if record else 0,
        at=now,
        request_id=request_id,
        result_uri=uri,
        waited_seconds=max(0.0, (now - message.sent_at).total_seconds()),
    )


def _announced(desk: Desk, name: str, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Announces all at once; if that fails, those with an answer come back to be announced then.

    A refused one does not: it would be refused, and put into the dead-letter queue, once more.
    """
    events = [outcome.event for outcome in outcomes if outcome.event]
    try:
        if events:
            desk.world.announcer.announce_all(events)
    except Exception as error:  # noqa: BLE001 - told as the trouble of each of them
        return [_unannounced(desk, name, outcome, error) for outcome in outcomes]
    return list(outcomes)


def _unannounced(desk: Desk, name: str, outcome: Outcome, error: Exception) -> Outcome:
    if outcome.event is None:
        return outcome
    if outcome.fate is Fate.REFUSED:
        return replace(outcome, trouble=error)
    back = _troubled(desk, name, outcome.message, error)
    return replace(outcome, fate=back.fate, trouble=back.trouble)


def _count(desk: Desk, name: str, outcomes: Sequence[Outcome]) -> None:
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
