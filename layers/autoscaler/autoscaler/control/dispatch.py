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

from ..endpoints.status import EndpointRecord
from ..policy.types import Phase
from ..ports import BodyError
from ..spec import Kind
from .asked_by import named
from .asking import asked
from .deferring import done, move, put_back, sort_out
from .desk import Code, Desk, Dispatched, Fate, Outcome
from .fallback import stand_in
from .kept_answers import answered_before
from .late import arrived
from .looks import ask_for_look
from .messages import BadRequestError, Message, Request, parse, with_body
from .patience import AT_ONCE, held_up, serves
from .refusals import Refusal, expired, gone
from .replies import announced, count, failed, postpone, refuse, repeated, troubled
from .shift import OutOfTimeError, Shift
from .tenants import admitted, give_back, held_back, keeps_place
from .tried import tried
from .waking import wake_for

T = TypeVar("T")
_LEAVING = {Phase.RETIRING, Phase.RETIRED}
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
    directed = [replace(request, other=other) for request in go]
    answers = work.shift.each(
        work.pool,
        lambda request: _answer(work, ready, request, leased=at_work),
        directed,
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
    outcome = _guarded(work, request.message, lambda: asked(work.desk, work.shift, record, request))
    if leased and not keeps_place(record, request):
        _aside(work, lambda: give_back(work.desk, record, request))
    return outcome
