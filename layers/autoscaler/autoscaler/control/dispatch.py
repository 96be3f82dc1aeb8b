"""From a queued message to a stored answer. A message is deleted only after its result is stored
and announced.

What needs no model comes first: a message that none could answer, one that is answered already,
and one whose like was answered and kept. Only what is left wakes an endpoint that sleeps. While it
is not awake its messages are put back (`patience`); such a receive is no failure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from ..endpoints.status import Cause, EndpointRecord
from ..policy.types import Phase
from ..ports import (
    Answer,
    BodyError,
    BusyError,
    ConflictError,
    ModelError,
    NoCapacityError,
    NotAllowedError,
)
from ..spec import Kind
from .asked_by import named
from .deferring import done, move, put_back, sort_out
from .desk import Code, Desk, Dispatched, Fate, Outcome
from .fallback import as_asked_of, stand_in
from .kept_answers import answered_before, keeping
from .late import arrived, hand_over
from .looks import ask_for_look
from .messages import BadRequestError, Message, Request, parse, with_body
from .patience import (
    AT_ONCE,
    WHEN_BUSY,
    WHEN_TROUBLED,
    held_up,
    paced,
    serves,
    time_until_ready,
)
from .refusals import Refusal, expired, gone, refusal_of_model
from .replies import (
    UNSTORABLE,
    announced,
    count,
    failed,
    postpone,
    refuse,
    repeated,
    store,
    troubled,
)
from .shift import OutOfTimeError, Shift
from .tenants import admitted, give_back, held_back, keeps_place
from .tried import tried
from .wishes import may_not_wake, request_wake
from .world import World

T = TypeVar("T")
_LEAVING = {Phase.RETIRING, Phase.RETIRED}
_WAKE_TRIES = 3
_OVER = {Fate.ANSWERED, Fate.REPEATED, Fate.REFUSED}


def dispatch(
    desk: Desk, name: str, messages: Sequence[Message], shift: Shift | None = None
) -> Dispatched:
    """Works on all messages at once. One message's trouble never touches its neighbours.

    Raises only if nothing at all could be done: the state of the endpoint could not be read.
    """
    record = desk.world.store.load(name)
    work = _Work(desk, name, shift or Shift(), ThreadPoolExecutor(max(1, len(messages))))
    try:
        read = list(work.pool.map(lambda message: _read(work, record, message), messages))
        outcomes = [one for one in read if isinstance(one, Outcome)]
        requests = [one for one in read if isinstance(one, Request)]
        if record is not None and requests:
            ends = _worked_off(work, record, requests)
            by_message = {end.message.message_id: end for end in ends}
            for request in requests:
                _settled(work, record, request, by_message[request.message.message_id])
            outcomes += ends
    finally:
        work.pool.shutdown(wait=False)  # a thread that was left behind ends by itself
    return _closed(work, outcomes)


@dataclass(frozen=True)
class _Work:
    """One batch: what it is worked on with, and what went wrong beside its messages."""

    desk: Desk
    name: str
    shift: Shift
    pool: ThreadPoolExecutor
    troubles: list[Exception] = field(default_factory=list)


def _worked_off(work: _Work, record: EndpointRecord, requests: Sequence[Request]) -> list[Outcome]:
    if not work.shift.fits_an_answer:
        return [_handed_on(work, record, request) for request in requests]
    ends, urgent = _deferred(work, record, requests)
    return ends + (_asked_all(work, record, urgent) if urgent else [])


def _deferred(
    work: _Work, record: EndpointRecord, requests: Sequence[Request]
) -> tuple[list[Outcome], list[Request]]:
    """What became of those that may wait, and what is to be worked on now."""
    desk, ends = work.desk, []
    found = sort_out(record, requests, desk.world.clock.now())
    now = list(found.now)
    for request in found.back:
        ends.append(_guarded(work, request.message, partial(put_back, desk, record, request)))
    for request in found.move:
        end = _guarded(work, request.message, partial(move, desk, record, request))
        if end is None:
            now.append(request)
        else:
            ends.append(end)
    return ends, now


def _asked_all(work: _Work, record: EndpointRecord, requests: Sequence[Request]) -> list[Outcome]:
    desk, name = work.desk, work.name
    try:
        who = named(request.options.tenant for request in requests)
        ready = wake_for(desk.world, record, who)
        other = stand_in(desk.world, ready, who)
    except Exception as error:  # noqa: BLE001 - told; the tick goes on with a wish that is stored
        return [troubled(desk, name, request.message, error) for request in requests]
    try:
        ask_for_look(desk, ready, [one.message for one in requests if not one.message.later])
    except Exception as error:  # noqa: BLE001 - told; it is answered all the same
        work.troubles.append(error)
    ends: list[Outcome] = []
    try:
        # Who waits for a wake, or is answered by another endpoint, takes no place of its tenant.
        at_work = serves(ready) and other is None
        go, back = admitted(desk, ready, requests) if at_work else (list(requests), [])
    except Exception as error:  # noqa: BLE001 - told; nothing was begun
        return [troubled(desk, name, request.message, error) for request in requests]
    ends += [_guarded(work, one.message, partial(held_back, desk, ready, one)) for one in back]
    asked = [replace(request, other=other) for request in go]
    answers = work.shift.each(
        work.pool,
        lambda request: _answer(work, ready, request, leased=at_work),
        asked,
        lambda request: _cut(work, ready, request),
    )
    return ends + answers


def _settled(work: _Work, record: EndpointRecord, request: Request, end: Outcome) -> None:
    """What is over waits no more, whatever ended it (an answer, its deadline, a kept answer), and
    holds nobody's place."""
    if end.fate not in _OVER:
        return
    _aside(work, partial(done, work.desk, record, request))
    if keeps_place(record, request):
        _aside(work, partial(give_back, work.desk, record, request))


def _aside(work: _Work, step: Callable[[], None]) -> None:
    """What the outcome of a message does not hang on: told, and nothing else."""
    try:
        step()
    except Exception as error:  # noqa: BLE001 - told
        work.troubles.append(error)


def _handed_on(work: _Work, record: EndpointRecord, request: Request) -> Outcome:
    """Not begun, since its answer may not come while this dispatcher works: the next has time."""
    why = "the dispatcher had no time left for it"
    return _guarded(
        work,
        request.message,
        lambda: postpone(work.desk, work.name, record, request, AT_ONCE, why),
    )


def _cut(work: _Work, record: EndpointRecord, request: Request) -> Outcome:
    """Begun, and not answered in time: a failed try, or it would be asked for ever."""
    error = OutOfTimeError("its answer took longer than a dispatcher may work")
    return _guarded(
        work, request.message, lambda: failed(work.desk, work.name, record, request, error)
    )


def _closed(work: _Work, outcomes: Sequence[Outcome]) -> Dispatched:
    desk, name, troubles = work.desk, work.name, work.troubles
    outcomes = announced(desk, name, outcomes)
    troubles += [outcome.trouble for outcome in outcomes if outcome.trouble]
    try:
        count(desk, name, outcomes)
    except Exception as error:  # noqa: BLE001 - the answers are stored and announced already
        troubles.append(error)
    kept = (Fate.POSTPONED, Fate.TROUBLED)
    stay = [outcome.message.message_id for outcome in outcomes if outcome.fate in kept]
    fates = {outcome.fate for outcome in outcomes}
    waited = [one.waited_seconds for one in outcomes if one.fate is Fate.ANSWERED]
    return Dispatched(stay, troubles, fates == {Fate.TROUBLED}, waited)


def wake_for(world: World, record: EndpointRecord, asked_by: str | None = None) -> EndpointRecord:
    """Wishes the endpoint awake for a message if it sleeps or is about to. `asked_by`: the tenants
    whose messages wait.

    One conditional write and one StartExecution, whatever the number of messages. The size is
    settled by `plan_wake`, which sees the whole backlog. Whoever wrote meanwhile need not have
    woken it (a tick writes what it saw): it is looked at again.
    """
    for _ in range(_WAKE_TRIES):
        status = record.status
        if status.phase not in (Phase.ASLEEP, Phase.SLEEPING):
            return record
        if may_not_wake(record, world.clock.now()) or world.only_observes(status):
            return record
        try:
            text = f"A request{f' of {asked_by}' if asked_by else ''} is waiting."
            copies = max(1, status.wish_copies)
            return request_wake(world, record, Cause.MESSAGE, copies, text, asked_by)
        except ConflictError:
            record = world.store.load(status.name) or record
    return record


def _guarded(work: _Work, message: Message, step: Callable[[], T]) -> T | Outcome:
    try:
        return step()
    except Exception as error:  # noqa: BLE001 - it is told, and the message comes back
        return troubled(work.desk, work.name, message, error)


def _read(work: _Work, record: EndpointRecord | None, message: Message) -> Request | Outcome:
    """What a model has to answer, or what became of the message without one."""
    return _guarded(work, message, lambda: _sorted(work, record, message))


def _sorted(work: _Work, record: EndpointRecord | None, message: Message) -> Request | Outcome:
    found = tried(lambda: _looked_at(work, record, message), BadRequestError)
    if not isinstance(found, BadRequestError):
        return found
    given = found.request_id or message.first_id or None
    free = given is not None and work.desk.results.find(work.name, given) is None
    named = Request(message, given if given and free else message.message_id, {})
    why = Refusal(Code.BAD_REQUEST, str(found), found.told)
    return refuse(work.desk, work.name, record, named, why)


def _looked_at(work: _Work, record: EndpointRecord | None, message: Message) -> Request | Outcome:
    """Raises BadRequestError."""
    request = parse(message, work.name)
    found = _without_model(work, record, request) or _with_model(work, record, request)
    if record is not None and isinstance(found, Outcome):
        _settled(work, record, request, found)
    return found


def _without_model(work: _Work, record: EndpointRecord | None, request: Request) -> Outcome | None:
    """What is answered already, or never will be. It wakes nothing."""
    desk, name, now = work.desk, work.name, work.desk.world.clock.now()
    if uri := desk.results.find(name, request.request_id):
        return repeated(desk, name, record, request, uri)
    to = request.options.reply_to
    if to is not None and (problem := desk.outlets.problem(to)):
        told = "autoscaler.reply_to: nothing is sent there; the result says why"
        raise BadRequestError(f"autoscaler.reply_to: {problem}", request.request_id, told)
    if record is not None and record.spec.kind is Kind.ASYNC:
        outcome = arrived(desk, name, record, request)
        if outcome is not None:
            return outcome
    if record is None or record.status.phase in _LEAVING:
        retired = record is None or record.status.phase is Phase.RETIRED
        return refuse(desk, name, record, request, gone(name, retired))
    if request.due_at is not None and request.is_over(now):
        return refuse(
            desk, name, record, request, expired(request.due_at, now, held_up(record, now))
        )
    return None


def _with_model(work: _Work, record: EndpointRecord | None, request: Request) -> Request | Outcome:
    desk = work.desk
    if request.options.body is not None:
        try:
            request = with_body(request, desk.bodies.get(work.name, request.options.body))
        except BodyError as missing:
            told = "autoscaler.body: cannot be read; the result says why"
            raise BadRequestError(
                f"autoscaler.body: {missing}", request.request_id, told
            ) from missing
    if record is None:
        return request
    kept, trouble = answered_before(desk, record, request)
    if trouble is not None:
        work.troubles.append(trouble)
    return kept or request


def _answer(work: _Work, record: EndpointRecord, request: Request, leased: bool) -> Outcome:
    outcome = _guarded(work, request.message, lambda: _asked(work, record, request))
    if leased and not keeps_place(record, request):
        _aside(work, lambda: give_back(work.desk, record, request))
    return outcome


def _asked(work: _Work, record: EndpointRecord, request: Request) -> Outcome:
    desk, name, sent_at = work.desk, work.name, request.message.sent_at
    other, now = request.other, desk.world.clock.now()
    serving = other or record
    if not serves(serving):
        wait = time_until_ready(serving, sent_at, now)
        why = held_up(record, now) or f"the endpoint is {record.status.phase}"
        return postpone(desk, name, record, request, wait, why)
    if serving.spec.kind is Kind.ASYNC:
        return hand_over(desk, record, request)
    answer = tried(lambda: _answer_of(desk, serving, request), Exception)
    if work.shift.left_behind(request):
        return Outcome(request.message, Fate.POSTPONED)
    if isinstance(answer, Exception):
        return _not_answered(desk, record, request, answer)
    by = other.status.name if other else ""
    outcome = tried(lambda: store(desk, name, record, request, answer, by), *UNSTORABLE)
    if isinstance(outcome, Exception):
        return failed(desk, name, record, request, outcome)
    return outcome if other else keeping(desk, record, request.body, outcome)


def _answer_of(desk: Desk, serving: EndpointRecord, request: Request) -> Answer:
    body, spec = request.body, serving.spec
    body = as_asked_of(serving, body) if request.other else body
    return desk.models.ask(spec.name, body, spec.kind, spec.instances.shared or "")


def _not_answered(
    desk: Desk, record: EndpointRecord, request: Request, error: Exception
) -> Outcome:
    """No copy, or a busy one, is no failure; nor says anything of the endpoint that was asked what
    another one cannot take, or may not be asked. A refusal stays one; the rest is counted, and
    refused in the end."""
    name, sent_at, now = record.status.name, request.message.sent_at, desk.world.clock.now()
    if isinstance(error, NoCapacityError | BusyError):
        return postpone(desk, name, record, request, paced(WHEN_BUSY, sent_at, now), str(error))
    if request.other:
        wait = max(time_until_ready(record, sent_at, now), WHEN_TROUBLED)
        return postpone(desk, name, record, request, wait, str(error))
    if isinstance(error, NotAllowedError):
        return troubled(desk, name, request.message, error)
    if isinstance(error, ModelError):
        return refuse(desk, name, record, request, refusal_of_model(error))
    return failed(desk, name, record, request, error)
