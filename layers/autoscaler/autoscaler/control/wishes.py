"""Wishes: a phase that shall be, stored with a raised generation before anything is done.

The execution that carries a wish out is named after the endpoint and the generation, so that
a hundred triggers start one. The starter may die between the write and the start: every tick
starts whatever wish has no live execution (`reconcile`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from ..alerts.events.base import Event
from ..alerts.events.life import WakeRequested
from ..endpoints.lives import FailedSpan, with_failed
from ..endpoints.phases import check_transition
from ..endpoints.status import (
    Cause,
    EndpointRecord,
    EndpointStatus,
    HistoryEntry,
    UsageSegment,
)
from ..policy.economy import lead_time
from ..policy.ladder import Step, next_step
from ..policy.types import Phase
from ..ports import Flow
from .closing import bar_of
from .metering import asked_for_copies, metered, on_rung, running, settled
from .observe import history
from .purse import BarredError, barred
from .telling import tell, telling
from .world import ObserveError, World

FLOWS = {
    Phase.STAGING: Flow.DEPLOY,
    Phase.CREATING: Flow.DEPLOY,
    Phase.WAKING: Flow.WAKE,
    Phase.SLEEPING: Flow.SLEEP,
    Phase.RETIRING: Flow.RETIRE,
    Phase.UPDATING: Flow.UPDATE,
}

# The stages of a wake or a creation, before any was reached.
NOT_SEEN: dict[str, None] = dict.fromkeys(
    ("asked_at", "instance_seen_at", "container_seen_at", "copy_seen_at", "seen")
)
# A sleep for one of these causes goes on although requests wait: they stay in the queue.
UNCONDITIONAL = frozenset({Cause.FAILED_WAKE, Cause.PERSON, Cause.UPDATE, Cause.STOPPED})


def wished(
    status: EndpointStatus, phase: Phase, cause: Cause, now: datetime, **changes: Any
) -> EndpointStatus:
    """Returns the status with a new wish; raises PhaseError when the table does not allow it.

    Who asked stays with a wish that is begun again.
    """
    check_transition(status.phase, phase)
    same = (status.phase, status.cause) == (phase, cause)
    return status.model_copy(
        update={
            "generation": status.generation + 1,
            "phase": phase,
            "phase_since": now,
            "wished_at": now,
            "cause": cause,
            "asked_by": status.asked_by if same else None,
            "attempts": 0,
            "parked": False,
            **changes,
        }
    )


def created_anew(status: EndpointStatus, now: datetime) -> dict[str, Any]:
    """What a creation that begins once more leaves in the status: the endpoint is as old as it was,
    but for the time in which it had failed."""
    spans = _failed_until(status, now)
    return {"created_at": now, "applied_at": status.first_applied_at, "failed_spans": spans}


def _failed_until(status: EndpointStatus, now: datetime) -> tuple[FailedSpan, ...]:
    """When it had failed, the failure that ends now included."""
    if status.phase is not Phase.FAILED:
        return status.failed_spans
    return with_failed(status.failed_spans, status.phase_since, now, status.last_awake_at)


def entry(
    status: EndpointStatus, now: datetime, text: str, lead_time: timedelta | None = None
) -> HistoryEntry:
    """A line of history about the status as it is now. `lead_time`: of a wake that answered."""
    of_a_wake = status.phase is Phase.WAKING or lead_time is not None
    return HistoryEntry(
        endpoint=status.name,
        at=now,
        generation=status.generation,
        phase=status.phase,
        text=text,
        cause=status.cause.value if of_a_wake else None,
        asked_by=status.asked_by if of_a_wake else None,
        lead_seconds=None if lead_time is None else lead_time.total_seconds(),
    )


def carry_out(
    world: World,
    record: EndpointRecord,
    status: EndpointStatus,
    segments: Sequence[UsageSegment],
    text: str,
    *events: Event,
) -> EndpointRecord:
    """Stores a wish, ends the execution that it overtakes, starts its own, and tells of it.
    Raises ObserveError in observe mode."""
    before = record.status
    if world.only_observes(status):
        raise ObserveError(f"{status.phase.lower()} of {status.name}")
    lines = [entry(status, status.wished_at, text)]
    saved = world.store.save(telling(status, *events), segments=segments, entries=lines)
    overtaken = FLOWS.get(before.phase)
    if overtaken:
        world.flows.stop(overtaken, before.name, before.generation, text)
    world.flows.start(FLOWS[saved.phase], saved.name, saved.generation)
    return record.having(tell(world, saved))


def may_not_wake(record: EndpointRecord, now: datetime) -> bool:
    """After a failed wake, when the day's wakes are spent (its own or the stack's), while it shall
    sleep even for requests or is closed, or while an update waits, the tick decides instead; while
    it is barred, nobody wakes it."""
    status = record.status
    waits = status.retry_at is not None and now < status.retry_at
    unconditional = status.phase is Phase.SLEEPING and status.cause in UNCONDITIONAL
    spent = status.wakes_on == now.date() and (
        status.wakes_today >= record.spec.budget.wakes_per_day
    )
    spent = spent or record.stack.wakes_spent(now) is not None
    # An update that waits begins with the next tick, before anything is woken with the old file.
    asleep = bar_of(record, now) is not None
    asleep = asleep or record.stack.observing_since is not None
    if waits or unconditional or spent or asleep or status.update is not None:
        return True
    return barred(record, now) is not None


def request_wake(
    world: World,
    record: EndpointRecord,
    cause: Cause,
    copies: int,
    text: str,
    asked_by: str | None = None,
) -> EndpointRecord:
    """Wishes the endpoint awake with so many copies and starts `wake_endpoint`. `asked_by`: for
    whom (`asked_by.named`).

    From the wish on the instances count as asked for. Raises ConflictError when somebody else
    wrote first: read again and look; and BarredError while nothing may wake it.
    """
    now = world.clock.now()
    if bar := barred(record, now):
        raise BarredError(f"{record.status.name} cannot be woken: {bar.reason.text}")
    if not running(record.status):  # what runs stays where it is
        record = on_rung(record, ladder_step(record, now).rung)
    wanted = asked_for_copies(record, copies)
    counted, segments = metered(record, now, wanted, Phase.WAKING, copies)
    today = now.date()
    woken = counted.wakes_today if counted.wakes_on == today else 0
    status = wished(
        counted,
        Phase.WAKING,
        cause,
        now,
        asked_by=asked_by,
        wish_copies=copies,
        wakes_on=today,
        wakes_today=woken + 1,
        **NOT_SEEN,
        came=running(record.status),
        last_wake_at=now if record.status.phase is Phase.ASLEEP else record.status.last_wake_at,
        last_active_at=now,
        retry_at=None,
    )
    requested = WakeRequested(
        endpoint=status.name,
        generation=status.generation,
        at=now,
        cause=cause,
        asked_by=asked_by,
        copies=copies,
        expected_seconds=lead_time(history(record)).total_seconds(),
    )
    return carry_out(world, record, status, segments, text, requested)


def ladder_step(record: EndpointRecord, now: datetime) -> Step:
    """What the ladder says of the endpoint's next try."""
    status = record.status
    return next_step(status.tries, len(record.spec.rungs), now, status.name)


def request_sleep(
    world: World,
    record: EndpointRecord,
    cause: Cause,
    text: str,
    asked_by: str | None = None,
    events: Sequence[Event] = (),
) -> EndpointRecord:
    """Wishes the endpoint asleep and starts `sleep_endpoint`."""
    now = world.clock.now()
    counted, segments = metered(record, now, running(record.status), Phase.SLEEPING)
    status = wished(counted, Phase.SLEEPING, cause, now, asked_by=asked_by, wish_copies=0)
    return carry_out(world, record, status, segments, text, *events)


def request_retirement(
    world: World,
    record: EndpointRecord,
    cause: Cause,
    *,
    discard_requests: bool,
    discard_weights: bool = False,
) -> EndpointRecord:
    """Wishes the endpoint gone and starts `retire_endpoint`.

    That one answers what is still in the queue. What cannot be answered in a bounded time keeps
    the queue, unless it may be discarded.
    """
    now = world.clock.now()
    record = settled(record)
    counted, segments = metered(record, now, running(record.status), Phase.RETIRING)
    status = wished(
        counted,
        Phase.RETIRING,
        cause,
        now,
        wish_copies=0,
        discard_requests=discard_requests,
        discard_weights=discard_weights,
        failed_spans=_failed_until(record.status, now),
    )
    return carry_out(world, record, status, segments, "Retirement was asked for.")
