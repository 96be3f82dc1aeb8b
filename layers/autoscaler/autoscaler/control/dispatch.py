"""From a queued message to a stored answer. A message is deleted only after its result is stored
and announced.

What needs no model comes first: a message that none could answer, one that is answered already,
and one whose like was answered and kept. Only what is left wakes an endpoint that sleeps. While it
is not awake its messages are put back (`patience`); such a receive is no failure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ..endpoints.status import Cause, EndpointRecord
from ..policy.types import Phase
from ..ports import BusyError, ConflictError, ModelError, NoCapacityError
from ..spec import Kind
from .desk import Desk, Dispatched, Fate, Outcome
from .fallback import as_asked_of, stand_in
from .kept_answers import answered_before, keeping
from .late import arrived, hand_over
from .looks import ask_for_look
from .messages import BadRequestError, Message, parse
from .patience import WHEN_BUSY, WHEN_TROUBLED, paced, time_until_ready
from .replies import announced, answered, count, failed, postpone, refuse, store, troubled
from .wishes import may_not_wake, request_wake
from .world import World

T = TypeVar("T")
_LEAVING = {Phase.RETIRING, Phase.RETIRED}


@dataclass(frozen=True)
class _Request:
    """A message that a model has to answer."""

    message: Message
    request_id: str
    body: dict[str, Any]
    other: EndpointRecord | None = None  # that answers for this one, which cannot be had
    trouble: Exception | None = None  # with the answers that are kept: told, and nothing else


def dispatch(desk: Desk, name: str, messages: Sequence[Message]) -> Dispatched:
    """Works on all messages at once. One message's trouble never touches its neighbours.

    Raises only if nothing at all could be done: the state of the endpoint could not be read.
    """
    record = desk.world.store.load(name)
    troubles: list[Exception] = []
    with ThreadPoolExecutor(max_workers=max(1, len(messages))) as pool:
        read = list(pool.map(lambda message: _read(desk, name, record, message), messages))
        outcomes = [one for one in read if isinstance(one, Outcome)]
        requests = [one for one in read if isinstance(one, _Request)]
        troubles += [one.trouble for one in requests if one.trouble]
        if record is not None and requests:
            outcomes += _worked_off(desk, record, requests, troubles, pool)
    return _closed(desk, name, outcomes, troubles)


def _worked_off(
    desk: Desk,
    record: EndpointRecord,
    requests: Sequence[_Request],
    troubles: list[Exception],
    pool: ThreadPoolExecutor,
) -> list[Outcome]:
    name = record.status.name
    try:
        ready = wake_for(desk.world, record)
        other = stand_in(desk.world, ready)
    except Exception as error:  # noqa: BLE001 - told; the tick goes on with a wish that is stored
        return [troubled(desk, name, request.message, error) for request in requests]
    try:
        ask_for_look(desk, ready, [request.message for request in requests])
    except Exception as error:  # noqa: BLE001 - told; it is answered all the same
        troubles.append(error)
    asked = [replace(request, other=other) for request in requests]
    return list(pool.map(lambda request: _answer(desk, name, ready, request), asked))


def _closed(
    desk: Desk, name: str, outcomes: Sequence[Outcome], troubles: list[Exception]
) -> Dispatched:
    outcomes = announced(desk, name, outcomes)
    troubles += [outcome.trouble for outcome in outcomes if outcome.trouble]
    try:
        count(desk, name, outcomes)
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


def _guarded(desk: Desk, name: str, message: Message, work: Callable[[], T]) -> T | Outcome:
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - it is told, and the message comes back
        return troubled(desk, name, message, error)


def _read(
    desk: Desk, name: str, record: EndpointRecord | None, message: Message
) -> _Request | Outcome:
    """What a model has to answer, or what became of the message without one."""
    return _guarded(desk, name, message, lambda: _sorted(desk, name, record, message))


def _sorted(
    desk: Desk, name: str, record: EndpointRecord | None, message: Message
) -> _Request | Outcome:
    try:
        request_id, body = parse(message, name)
    except BadRequestError as bad:
        given = bad.request_id
        free = given is not None and desk.results.find(name, given) is None
        return refuse(
            desk, name, record, message, str(bad), given if given and free else message.message_id
        )
    if uri := desk.results.find(name, request_id):
        event = answered(name, record, message, request_id, uri, desk.world.clock.now())
        return Outcome(message, Fate.REPEATED, event)
    if record is not None and record.spec.kind is Kind.ASYNC:
        outcome = arrived(desk, name, record, message, request_id)
        if outcome is not None:
            return outcome
    if record is None or record.status.phase in _LEAVING:
        gone = record is None or record.status.phase is Phase.RETIRED
        why = f"there is no endpoint {name!r} any more" if gone else f"{name!r} is being removed"
        return refuse(desk, name, record, message, why, request_id)
    kept, trouble = answered_before(desk, record, message, request_id, body)
    return kept or _Request(message, request_id, body, trouble=trouble)


def _serves(record: EndpointRecord) -> bool:
    """An update of one at zero leaves nobody to ask: SageMaker would count, and alarm, a request
    that met no copy, and roll the update back for it."""
    status = record.status
    copies = status.observed_copies or status.desired_copies
    return status.phase is Phase.AWAKE or (status.phase is Phase.UPDATING and copies > 0)


def _answer(desk: Desk, name: str, record: EndpointRecord, request: _Request) -> Outcome:
    return _guarded(desk, name, request.message, lambda: _asked(desk, name, record, request))


def _asked(desk: Desk, name: str, record: EndpointRecord, request: _Request) -> Outcome:
    message, request_id, now = request.message, request.request_id, desk.world.clock.now()
    other = request.other
    serving = other or record
    if not _serves(serving):
        wait = time_until_ready(serving, message.sent_at, now)
        why = f"the endpoint is {record.status.phase}"
        return postpone(desk, name, record, message, request_id, wait, why)
    if serving.spec.kind is Kind.ASYNC:
        return hand_over(desk, record, message, request_id, request.body)
    try:
        body = as_asked_of(other, request.body) if other else request.body
        spec = serving.spec
        answer = desk.models.ask(spec.name, body, spec.kind, spec.instances.shared or "")
    except (NoCapacityError, BusyError) as busy:
        wait = paced(WHEN_BUSY, message.sent_at, now)
        return postpone(desk, name, record, message, request_id, wait, str(busy))
    except Exception as error:  # noqa: BLE001 - told in the end, or waits for the one it is for
        if other:
            return _not_by_other(desk, record, request, error)
        return _not_answered(desk, name, record, request, error)
    by = other.status.name if other else ""
    outcome = store(desk, name, record, message, request_id, answer, by)
    return outcome if other else keeping(desk, record, request.body, outcome)


def _not_by_other(
    desk: Desk, record: EndpointRecord, request: _Request, error: Exception
) -> Outcome:
    """What the other one cannot take or fails on says nothing of the one that was asked."""
    message, now = request.message, desk.world.clock.now()
    wait = max(time_until_ready(record, message.sent_at, now), WHEN_TROUBLED)
    name = record.status.name
    return postpone(desk, name, record, message, request.request_id, wait, str(error))


def _not_answered(
    desk: Desk, name: str, record: EndpointRecord, request: _Request, error: Exception
) -> Outcome:
    """A refusal stays one; anything else is counted, and refused with it in the end."""
    if isinstance(error, ModelError):
        return refuse(desk, name, record, request.message, str(error), request.request_id)
    return failed(desk, name, record, request.message, request.request_id, error)
