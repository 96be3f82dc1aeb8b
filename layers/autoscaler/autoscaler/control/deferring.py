"""Requests that may wait: kept in a queue of their own, and worked off in slots that are idle.

`policy.deferral` decides when they are worth a wake; the dispatcher only notes when the first of
them is due. Awake, they take what the last look saw idle. When one is due it counts like any other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..endpoints.queues import LATER_READERS
from ..endpoints.status import EndpointRecord
from ..policy.deferral import SPARE, worked_by
from ..policy.economy import lead_time
from ..policy.types import Phase
from ..spec.request import RESERVED
from ..spec.text import as_message
from .desk import Desk, Fate, Outcome
from .messages import Request
from .observe import history
from .patience import paced, serves
from .replies import postpone

# A look that is older says nothing of what is idle now.
_STALE = timedelta(minutes=3)
_WHEN_IDLE = timedelta(minutes=1)
# A message's first day, so that an endpoint that is awake need not stay so for one out of sight.
_FIRST_DAY, _LONGEST_OF_IT = timedelta(days=1), timedelta(minutes=10)


@dataclass(frozen=True)
class Sorted:
    """`now`: those that are worked on; the others are moved, or put back."""

    now: tuple[Request, ...]
    move: tuple[Request, ...] = ()
    back: tuple[Request, ...] = ()


def due_of(record: EndpointRecord, request: Request) -> datetime:
    """When it must be answered: at its deadline, or at the end of what the spec gives it."""
    return request.due_at or request.message.sent_at + record.spec.requests.deferrable_within


def may_wait(record: EndpointRecord, request: Request, now: datetime) -> bool:
    """Not any more when what is left is only the time for a start."""
    if not (request.options.deferrable or request.message.later):
        return False
    start = timedelta(0) if serves(record) else lead_time(history(record))
    return _worked_by(record, request, now) - now > start + SPARE


def _worked_by(record: EndpointRecord, request: Request, now: datetime) -> datetime:
    return worked_by(record.spec, due_of(record, request), now)


def idle_slots(record: EndpointRecord, now: datetime) -> int:
    """Requests that its copies could take besides, as the last look saw it."""
    status = record.status
    fresh = status.observed_at is not None and now - status.observed_at <= _STALE
    if status.phase is not Phase.AWAKE or status.busy is None or not fresh:
        return 0
    slots = status.observed_copies * record.spec.serving.concurrency_per_copy
    return max(0, math.floor(slots - status.busy))


def sort_out(record: EndpointRecord, requests: Sequence[Request], now: datetime) -> Sorted:
    """Which of a batch are worked on. Those that are due first take the idle slots."""
    patient = [one for one in requests if may_wait(record, one, now)]
    waiting = sorted((one for one in patient if one.message.later), key=lambda r: due_of(record, r))
    idle = -(-idle_slots(record, now) // LATER_READERS)
    taken, back = waiting[:idle], waiting[idle:]
    kept = {id(one) for one in patient} - {id(one) for one in taken}
    now_worked = tuple(one for one in requests if id(one) not in kept)
    return Sorted(now_worked, tuple(r for r in patient if not r.message.later), tuple(back))


def move(desk: Desk, record: EndpointRecord, request: Request) -> Outcome | None:
    """Into the queue of those that may wait; None: the endpoint has none, or it does not take the
    message, and it is worked on."""
    moved = desk.requests.move(record.status.name, moved_body(request), request.message.sent_at)
    if not moved:
        return None
    note(desk, record, request)
    return Outcome(request.message, Fate.MOVED)


def moved_body(request: Request) -> str:
    """The message as it was; what would change with its queue is made fast: its id and its end."""
    options = request.options.model_dump(mode="json", exclude_none=True, exclude={"ttl"})
    fast = {"id": request.request_id, "deferrable": True}
    if request.due_at is not None:
        fast["deadline"] = request.due_at.isoformat()
    body = {} if request.options.body is not None else dict(request.body)
    return as_message({**body, RESERVED: {**options, **fast}})


def put_back(desk: Desk, record: EndpointRecord, request: Request) -> Outcome:
    """Until a slot may be idle, or it is due."""
    note(desk, record, request)
    now, sent_at = desk.world.clock.now(), request.message.sent_at
    wait = paced(_WHEN_IDLE, sent_at, now)
    if now - sent_at < _FIRST_DAY:
        wait = min(wait, _LONGEST_OF_IT)
    left = _worked_by(record, request, now) - now - lead_time(history(record)) - SPARE
    wait = min(wait, max(left, _WHEN_IDLE))
    return postpone(desk, record.status.name, record, request, wait, "it may wait, and does")


def note(desk: Desk, record: EndpointRecord, request: Request) -> None:
    """Keeps when it is due, if that is the first; what is known already costs no write."""
    due, known, now = due_of(record, request), record.deferrable_due_at, desk.world.clock.now()
    if known is None or due < known or known < now:
        desk.world.store.note_due(record.status.name, due, now)


def done(desk: Desk, record: EndpointRecord, request: Request) -> None:
    """It waits no more: another one is the first to be due, and is noted when it is seen."""
    due = due_of(record, request)
    if request.message.later and record.deferrable_due_at == due:
        desk.world.store.forget_due(record.status.name, due)
