"""A person does not want to wait for the next try: it is made at once.

Only the pause is passed over, that of an open circuit too, and only this once: what has failed
is remembered, and a try that fails again is followed by its own pause.
"""

from __future__ import annotations

from datetime import datetime

from ..endpoints.status import Cause, EndpointRecord
from ..policy.types import Phase
from ..ports import FlowState
from .asked_by import named
from .closing import why_requests_wait
from .purse import barred
from .tend import tend_flow
from .wishes import FLOWS, entry, request_wake
from .world import OrderError, World, find

_MAKES = frozenset({Phase.STAGING, Phase.CREATING})


def retry(world: World, name: str, author: str) -> tuple[EndpointRecord, str]:
    """Tries what waits for its time; returns the endpoint after it, and what was done.

    Raises OrderError when nothing waits, saying why and what would work.
    """
    record, now = find(world, name), world.clock.now()
    phase = record.status.phase
    if phase is Phase.AWAKE:
        return _ask_for_more(world, record, author, now)
    parked = record.status.parked
    if (parked or phase is Phase.ASLEEP) and (bar := barred(record, now)):
        raise OrderError(f"{name} cannot be tried now: {bar.reason.text}")
    if phase is Phase.ASLEEP:
        return _wake(world, record, author, now)
    if parked:
        raise OrderError(f"{name} begins anew by itself as soon as nothing of it is left")
    if phase is Phase.FAILED:
        raise OrderError(
            f"{name} is FAILED: nothing is tried again by itself; mend the cause and apply it again"
        )
    if phase not in FLOWS:
        raise OrderError(f"{name} is {phase}: there is nothing to try again")
    return _tend(world, record, author, now)


def _wake(
    world: World, record: EndpointRecord, author: str, now: datetime
) -> tuple[EndpointRecord, str]:
    status, name = record.status, record.status.name
    if status.retry_at is None or status.retry_at <= now:
        raise OrderError(
            f"{name} is ASLEEP and waits for no other try: autoscaler wake {name} wakes it"
        )
    if why := why_requests_wait(record, now):
        raise OrderError(f"{why}; it would be put to sleep again at once")
    text = f"{author} did not wait until {status.retry_at:%H:%M} UTC: it is woken now."
    after = request_wake(world, record, Cause.PERSON, 1, text, named([author]))
    return after, f"it is woken now, on {_types(after)}"


def _ask_for_more(
    world: World, record: EndpointRecord, author: str, now: datetime
) -> tuple[EndpointRecord, str]:
    """Copies that did not come may be asked for again; whether they are is for the policy."""
    status = record.status
    if status.reach is None or status.reach.until <= now:
        raise OrderError(f"{status.name} is AWAKE, and no copy of it waits to be tried again")
    free = status.model_copy(update={"reach": None})
    text = f"{author} did not wait until {status.reach.until:%H:%M} UTC: more copies may be asked."
    saved = world.store.save(free, entries=[entry(free, now, text)])
    return record.having(saved), "more copies are asked for with the next look, if it needs them"


def _tend(
    world: World, record: EndpointRecord, author: str, now: datetime
) -> tuple[EndpointRecord, str]:
    """What the tick does when the time has come, now."""
    status = record.status
    report = world.flows.look(FLOWS[status.phase], status.name, status.generation)
    if report.state is FlowState.RUNNING:
        raise OrderError(
            f"{status.name} is {status.phase} and being worked on: there is nothing to try again"
        )
    free = status.model_copy(update={"retry_at": None})
    text = f"{author} did not wait for the next try: it is made now."
    record = record.having(world.store.save(free, entries=[entry(free, now, text)]))
    tend_flow(world, record, now)
    after = find(world, status.name)
    return after, _done(after, status.phase)


def _done(after: EndpointRecord, before: Phase) -> str:
    """What came of it; the last of a creation's tries may be over."""
    if after.status.phase is Phase.FAILED:
        return f"there is no other try left: {after.status.failure}"
    if before in _MAKES:
        return f"its creation is tried now, on {_types(after)}"
    return f"its {before} is tried now"


def _types(record: EndpointRecord) -> str:
    """The machines of its rung."""
    return ", ".join(record.spec.on_rung(record.status.shape.rung).instances.types)
