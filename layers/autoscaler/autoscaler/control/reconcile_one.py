"""One endpoint's part of the tick: look at it, see that its phase comes to an end, decide, act."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from ..endpoints.phases import IN_TRANSITION
from ..endpoints.status import EndpointRecord
from ..policy.types import Phase
from ..ports import Capacity, Load
from .back_pressure import tried_readers
from .decide_and_act import decide_and_act
from .drift import mend_drift
from .idle import idle_apart
from .kill_switch import go_on, put_down
from .metering import ASKING, asked, brought, running, seen, settled
from .notices import give_notice
from .observe import NO_LOAD, active_at, busy, learned
from .observing import advise, followed
from .purse import barred
from .reasons import keep_reasons
from .remembering import counted_asleep, remembered
from .shortage import note_shortage
from .signals import is_as_before, metered_since, read_after_all, signals_of, standing_in
from .tend import may_remove, remove_leftovers, tend_flow
from .unseen import booked_unseen, meters_of
from .untaken import as_it_wakes
from .updating import start_update
from .withheld import counted_on
from .world import World

# An endpoint that sleeps is looked at in SageMaker only so often: it should have nothing there.
ASLEEP_LOOK_EVERY = timedelta(minutes=15)


def reconcile_endpoint(
    world: World, record: EndpointRecord, loads: Mapping[str, Load], now: datetime
) -> Exception | None:
    """Reconciles one endpoint. Returns why its queue is not read by as many as it should be, which
    is no reason to leave the endpoint as it is. Raises ConflictError when it was changed meanwhile.
    """
    status = record.status
    load = standing_in(status.signals, loads.get(status.name, NO_LOAD))
    load = as_it_wakes(world, record, load, now)
    record = give_notice(world, record, load, now)
    if world.only_observes(status):
        return _only_observe(world, record, load, now)
    halt = barred(record, now)
    if halt and status.phase is not Phase.AWAKE and put_down(world, record, halt, now):
        return None
    if status.phase in IN_TRANSITION:
        return _in_transition(world, record, load, now)
    if status.phase is Phase.AWAKE:
        return _awake(world, record, load, now)
    if status.phase is Phase.ASLEEP:
        _asleep(world, record, load, now)
    elif status.parked or status.observed_instances or _is_stale(record, now):
        _clear_up(world, record, load, now)
    return None


def _in_transition(
    world: World, record: EndpointRecord, load: Load, now: datetime
) -> Exception | None:
    capacity = world.look(record)
    record, unread = tried_readers(world, record, capacity)
    record = observed(world, record, load, now, capacity)
    if not mend_drift(world, record, capacity, now):
        tend_flow(world, record, now)
    return unread


def _awake(world: World, record: EndpointRecord, load: Load, now: datetime) -> Exception | None:
    capacity = world.look(record)
    load = read_after_all(world, record, load, capacity, now)
    record, unread = tried_readers(world, record, capacity)
    record = observed(world, record, load, now, capacity)
    _decide(world, record, load, capacity, now)
    return unread


def _asleep(world: World, record: EndpointRecord, load: Load, now: datetime) -> None:
    looks = _is_stale(record, now)
    capacity = world.look(record) if looks else _as_it_was(record)
    load = read_after_all(world, record, load, capacity, now)
    if looks:
        record = observed(world, record, load, now, capacity)
    else:
        record = counted_asleep(world, record, load, capacity, now)
    _decide(world, record, load, capacity, now)


def _decide(
    world: World, record: EndpointRecord, load: Load, capacity: Capacity, now: datetime
) -> None:
    if not barred(record, now) and start_update(world, record, now):
        return
    record = note_shortage(world, record, capacity, now)
    decision = decide_and_act(world, record, load, capacity, now)
    if decision is not None and not load.unread:
        keep_reasons(world, record, decision, load, now)


def _clear_up(world: World, record: EndpointRecord, load: Load, now: datetime) -> None:
    """One that failed, or was parked: what it left goes, and a parked creation begins anew."""
    parked = record.status.parked
    record = observed(world, record, load, now, world.look(record))
    began = parked and go_on(world, record, now)
    if record.status.observed_instances and not began and may_remove(world, record, now):
        remove_leftovers(world, record, now)


def _only_observe(
    world: World, record: EndpointRecord, load: Load, now: datetime
) -> Exception | None:
    """What is there is counted as ever; the decision is kept and told, and not done."""
    capacity, unread = world.look(record), None
    record = counted_on(followed(world, record, capacity, now), now)
    if record.status.phase is Phase.AWAKE:
        record, unread = tried_readers(world, record, capacity)
    record = observed(world, record, load, now, capacity)
    advise(world, record, load, capacity, now)
    return unread


def observed(
    world: World, record: EndpointRecord, load: Load, now: datetime, capacity: Capacity
) -> EndpointRecord:
    """Stores what was seen, with the meter moved on to now; writes only what changed."""
    status = record.status
    known = learned(record, load, capacity, now, world.tick)
    after = seen(status, capacity.instances_by_type, now).model_copy(
        update={
            "observed_copies": capacity.current_copies,
            "observed_instances": capacity.instances,
            "desired_copies": capacity.desired_copies,
            "instance_type": next(iter(capacity.instances_by_type), status.instance_type),
            "observed_at": now,
            "busy": busy(load, capacity),
            "signals": signals_of(record, load, now),
            "last_active_at": active_at(status.last_active_at, load, now),
        }
    )
    record, unseen = booked_unseen(record, capacity, now)
    after = after.model_copy(update=meters_of(record.status))
    record = _without_what_never_came(world, record.having(after))
    unseen = idle_apart(record, unseen, now)
    counted, segments = metered_since(record, load, _billed(world, record, capacity), now)
    if load.unread and not (unseen or segments) and is_as_before(status, counted, now):
        return record.having(status)
    return remembered(world, record, counted, known, (*unseen, *segments))


def _billed(world: World, record: EndpointRecord, capacity: Capacity) -> Mapping[str, int]:
    """What exists; while more is asked for and may still come, that."""
    if record.status.phase not in ASKING or world.only_observes(record.status):
        return capacity.instances_by_type
    expected = asked(record, 0)
    return expected if sum(expected.values()) >= capacity.instances else capacity.instances_by_type


def _without_what_never_came(world: World, record: EndpointRecord) -> EndpointRecord:
    """Of a wake that was under way when observe mode began nothing ends it, and so nothing would
    take back what it asked for: the first look does, before anything is closed."""
    status = record.status
    more = sum(running(status).values()) > sum(brought(status).values())
    return settled(record) if more and world.only_observes(status) else record


def _as_it_was(record: EndpointRecord) -> Capacity:
    """Of one that sleeps, between two looks."""
    there = not record.spec.kind.sleeps_deleted
    return Capacity(exists=there, instances_by_type=running(record.status))


def _is_stale(record: EndpointRecord, now: datetime) -> bool:
    seen = record.status.observed_at
    return seen is None or now - seen >= ASLEEP_LOOK_EVERY
