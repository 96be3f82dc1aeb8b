"""A wake or a creation that is over: the model answered, the endpoint is awake, it is measured."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..alerts.events.base import Event
from ..alerts.events.capacity import ScalingMissing
from ..alerts.events.life import EndpointAwoke, EndpointCreated
from ..endpoints.lives import answered
from ..endpoints.status import ColdStart, EndpointRecord, EndpointStatus
from ..policy.decide import decide
from ..policy.ladder import Try, TryOutcome, remembered
from ..policy.types import Bounds, Phase, Transition
from ..ports import Capacity, Load
from .metering import metered, seen, settled
from .observe import history, observe
from .progress import NotYetError, with_current
from .telling import tell, telling
from .unseen import asked_by_the_wish
from .wishes import entry
from .world import World

COLD_STARTS_KEPT = 20


class UnscaledError(RuntimeError):
    """The wake is recorded, and nothing scales what it woke: its execution shall end as failed,
    for whoever looks there."""


def record_awake(
    world: World,
    name: str,
    generation: int,
    copies_per_instance: int | None = None,
    unscaled: str = "",
) -> bool:
    """The model answered: bounds are relaxed to what the policy says, the wake is measured.

    `unscaled`: why its scaling policies could not be put; it is told, and then raised as
    UnscaledError.
    """

    def step(record: EndpointRecord) -> None:
        now = world.clock.now()
        capacity = world.look(record)
        if capacity.current_copies < 1:
            raise NotYetError(f"{name} has no copy in service: {capacity}")
        if record.status.phase is Phase.AWAKE:
            return
        # Its status does not know yet that there is a copy, which has metrics.
        there = record.status.model_copy(update={"observed_copies": capacity.current_copies})
        load = world.load_of(record.having(there), now)
        if copies_per_instance is not None:
            placed = {"copies_per_instance": copies_per_instance}
            record = record.having(record.status.model_copy(update=placed))
        _awake(world, record, capacity, load, now, unscaled)

    current = with_current(world, name, generation, step)
    if current and unscaled:
        raise UnscaledError(f"{name} is awake, and nothing scales it: {unscaled}")
    return current


def _awake(
    world: World,
    record: EndpointRecord,
    capacity: Capacity,
    load: Load,
    now: datetime,
    unscaled: str,
) -> None:
    created = record.status.phase is Phase.CREATING
    before = record.status
    start = _measured(before, now)
    record = settled(record.having(seen(before, capacity.instances_by_type, now)))
    counted, segments = metered(
        record, now, capacity.instances_by_type, Phase.AWAKE, capacity.copies
    )
    awake = counted.model_copy(
        update={
            "phase": Phase.AWAKE,
            "phase_since": now,
            "last_awake_at": now,
            "last_active_at": now,
            "observed_copies": capacity.current_copies,
            "observed_instances": capacity.instances,
            "attempts": 0,
            "failed_wakes": 0,
            "tries": remembered(before.tries, Try(now, before.shape.rung, TryOutcome.SERVED)),
            "shaped": before.shape if created else before.shaped,
            "retry_at": None,
            "failure": None,
            "asked": asked_by_the_wish(before, capacity.instances),
            "cold_starts": before.cold_starts if created else _with(start, before),
            "creation": start if created else before.creation,
            **_lived(record.status, start),
        }
    )
    record = record.having(awake)
    present = observe(record, load, capacity, now, world.tick)
    decision = decide(record.spec, present, history(record), now)
    bounds = decision.bounds
    if decision.transition is Transition.SLEEP:
        # To zero it goes by a sleep, with the next tick. Bounds of zero here would take the copies
        # away at once, and a second try of this step would wait for one in vain.
        bounds = Bounds(1, max(1, capacity.desired_copies))
    world.scaler.set_bounds(before.name, bounds, record.spec.kind)
    text, lead = _answered_after(start, created), None if created else start.lead_time
    saved = world.store.save(
        telling(
            awake.model_copy(update={"bounds": bounds}),
            *_told_of(awake, load, now, unscaled, created),
        ),
        segments=segments,
        entries=[entry(awake, now, text, lead)],
    )
    tell(world, saved)


def _lived(before: EndpointStatus, start: ColdStart) -> dict[str, Any]:
    """Since when it has the instance that answers: of its first answer, and of the first after a
    failure. Kept for good: an update forgets the creation, whose measure says nothing of the new
    file."""
    awake_at, asked_at = before.last_awake_at, start.asked_at or start.requested_at
    since = min((meter.since for meter in before.meters), default=asked_at)
    return {
        "began_at": since if awake_at is None else before.began_at,
        "failed_spans": answered(before.failed_spans, since, awake_at),
    }


def _told_of(
    status: EndpointStatus, load: Load, now: datetime, unscaled: str, created: bool
) -> tuple[Event, ...]:
    who = {"endpoint": status.name, "generation": status.generation, "at": now}
    missing = (ScalingMissing(**who, failure=unscaled),) if unscaled else ()
    return (_is_up(status, load, now, created), *missing)


def _is_up(status: EndpointStatus, load: Load, now: datetime, created: bool) -> Event:
    """One that was created anew may have wakes from before, which say nothing of its creation."""
    who = {"endpoint": status.name, "generation": status.generation, "at": now}
    seconds = (status.phase_since - status.wished_at).total_seconds()
    if created:
        return EndpointCreated(**who, seconds=seconds)
    return EndpointAwoke(
        **who,
        cause=status.cause,
        asked_by=status.asked_by,
        copies=status.observed_copies,
        lead_seconds=seconds,
        stages=status.cold_starts[-1].stages(),
        backlog=load.backlog,
    )


def _measured(status: EndpointStatus, now: datetime) -> ColdStart:
    """The wake or creation that is over now."""
    return ColdStart(
        requested_at=status.wished_at,
        ready_at=now,
        cause=status.cause,
        copies=status.wish_copies,
        asked_at=status.asked_at,
        instance_seen_at=status.instance_seen_at,
        container_seen_at=status.container_seen_at,
        copy_seen_at=status.copy_seen_at,
    )


def _with(start: ColdStart, status: EndpointStatus) -> tuple[ColdStart, ...]:
    return (*status.cold_starts, start)[-COLD_STARTS_KEPT:]


def _answered_after(start: ColdStart, created: bool) -> str:
    """A creation has no trigger: its weights are staged and its endpoint is made first."""
    parts = [f"{name} {seconds:.0f} s" for name, seconds in start.stages().items()]
    told = ", ".join(parts[1:] if created else parts)
    return f"Answered {start.lead_time.total_seconds():.0f} s after it was asked for: {told}."
