"""The tick: look at every endpoint, decide, act, record. Level-triggered.

Nothing here depends on which event called it. What could not be done now (somebody else wrote
first, AWS refused) is looked at again by the next tick.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from ..endpoints.phases import IN_TRANSITION
from ..endpoints.stack_state import life_of
from ..endpoints.status import EndpointRecord
from ..ledger.shares import shares_now
from ..policy.types import Phase
from ..ports import Capacity, ConflictError, Load
from .back_pressure import asks_later, tried_later_read, with_readers
from .decide_and_act import decide_and_act
from .drift import mend_drift
from .kill_switch import go_on, put_down
from .metering import ASKING, asked, brought, running, seen, settled
from .notices import give_notice
from .observe import NO_LOAD, active_at, busy, learned
from .observing import advise, followed
from .progress import forget_retired
from .purse import barred
from .reasons import keep_reasons
from .remembering import counted_asleep, remembered
from .shortage import note_shortage
from .signals import (
    is_as_before,
    is_quiet,
    metered_since,
    read_after_all,
    signals_of,
    standing_in,
)
from .spent import spent_today
from .stack_watch import watched
from .standing import with_standing
from .stuck import is_stuck
from .telling import told_again
from .tend import may_remove, remove_leftovers, tend_flow
from .unseen import booked_unseen, meters_of
from .untaken import as_it_wakes
from .updating import start_update
from .withheld import counted_on
from .world import RESTING, World, measures_nothing

# An endpoint that sleeps is looked at in SageMaker only so often: it should have nothing there.
ASLEEP_LOOK_EVERY = timedelta(minutes=15)
_WITHOUT_QUEUE = {Phase.STAGING, Phase.RETIRED}
# Endpoints at a time: each waits for AWS most of its turn, 20 to 50 ms a call.
THREADS = 16
# In an outcome, beside endpoints' names; no endpoint can be called so.
THE_STACK = "(the stack)"
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass
class Outcome:
    """What one tick did, for the log."""

    endpoints: int = 0
    conflicts: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    stuck: list[str] = field(default_factory=list)  # longer in a phase than its flow may take
    copies: dict[str, int] = field(default_factory=dict)  # of whoever does not rest at zero
    spent_today_usd: Decimal = Decimal(0)  # in this UTC day, of what was removed too


class ReconcileError(RuntimeError):
    """Some endpoints could not be reconciled; the others were, as `outcome` has it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(f"could not reconcile {outcome.failures}")
        self.outcome = outcome


class LeftError(RuntimeError):
    """The tick's time is over before this endpoint's turn came."""


def reconcile(world: World, patience_seconds: float = math.inf) -> Outcome:
    """Reconciles every endpoint once, several at a time.

    After `patience_seconds` of the wall no endpoint is begun any more: a function that is ended in
    the middle tells nobody. What was left comes first in the next tick.

    Raises ReconcileError at the end if any failed or was left, so that it is loud and the alarm
    on the function's errors sees it; the others are done by then.
    """
    until, now = time.monotonic() + patience_seconds, world.clock.now()
    records = sorted(world.store.load_all(), key=_urgency)
    stuck = [r.status.name for r in records if is_stuck(r.status, now, world.wake)]
    outcome, standings = _begun(world, records, stuck, now), shares_now(records)
    records = _watched(world, records, now, outcome)
    loads = world.load.read(
        [r.status.name for r in records if r.status.phase not in _WITHOUT_QUEUE],
        now,
        {r.status.name: r.spec.kind for r in records},
        resting={r.status.name for r in records if measures_nothing(r.status)},
        quiet={r.status.name for r in records if is_quiet(r, now, world.tick)},
        since={s.name: s.signals.read_at for s in (r.status for r in records) if s.signals},
        unasked={r.status.name for r in records if not asks_later(r, now, world.tick)},
    )

    def tended(record: EndpointRecord) -> Exception | None:
        if time.monotonic() > until:
            return LeftError("the tick's time was over; it comes first in the next one")
        try:
            record, silence = told_again(world, record)
            if record.status.phase is Phase.RETIRED:
                if silence is None:
                    forget_retired(world, record, now)
                return silence
            load = loads.get(record.status.name, NO_LOAD)
            record, unread = tried_later_read(world, record, load)
            reconcile_endpoint(world, with_standing(world, record, standings), loads, now)
        except Exception as error:  # noqa: BLE001 - one endpoint must not stop the others
            return error
        return silence or unread

    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        _judge(outcome, records, pool.map(tended, records), loads)
    if outcome.failures:
        raise ReconcileError(outcome)
    return outcome


def _watched(
    world: World, records: list[EndpointRecord], now: datetime, outcome: Outcome
) -> list[EndpointRecord]:
    """The stack's budget and the breaker; their trouble is no reason to leave endpoints alone."""
    try:
        return watched(world, records, now)
    except ConflictError:
        outcome.conflicts.append(THE_STACK)
    except Exception as error:  # noqa: BLE001 - told at the end, like that of an endpoint
        outcome.failures[THE_STACK] = f"{type(error).__name__}: {error}"
    return records


def _begun(
    world: World, records: Sequence[EndpointRecord], stuck: list[str], now: datetime
) -> Outcome:
    # What was removed today has been spent too: the sum must not fall when an endpoint goes.
    state = records[0].stack if records else world.store.stack()
    _, gone = state.gone_usd(now, {life_of(r.status.name, r.status.created_at) for r in records})
    spent = (spent_today(record, now) for record in records)
    copies = {
        r.status.name: r.status.observed_copies
        for r in records
        if r.status.phase not in RESTING or r.status.observed_instances
    }
    return Outcome(len(records), stuck=stuck, copies=copies, spent_today_usd=sum(spent, gone))


def _urgency(record: EndpointRecord) -> tuple[bool, datetime]:
    """What is under way or serves comes before what rests; then whom nobody looked at lately."""
    status = record.status
    return status.phase in RESTING, status.observed_at or _NEVER


def _judge(
    outcome: Outcome,
    records: Iterable[EndpointRecord],
    ends: Iterable[Exception | None],
    loads: Mapping[str, Load],
) -> None:
    for record, error in zip(records, ends, strict=True):
        name = record.status.name
        trouble = loads[name].trouble if name in loads else None
        if isinstance(error, ConflictError):
            outcome.conflicts.append(name)
        elif error is not None:
            outcome.failures[name] = f"{type(error).__name__}: {error}"
        elif trouble:
            outcome.failures[name] = trouble


def reconcile_endpoint(
    world: World, record: EndpointRecord, loads: Mapping[str, Load], now: datetime
) -> None:
    """Reconciles one endpoint; raises ConflictError when it was changed meanwhile."""
    status = record.status
    load = standing_in(status.signals, loads.get(status.name, NO_LOAD))
    load = as_it_wakes(world, record, load, now)
    record = give_notice(world, record, load, now)
    if world.only_observes(status):
        _only_observe(world, record, load, now)
        return
    halt = barred(record, now)
    if halt and status.phase is not Phase.AWAKE and put_down(world, record, halt, now):
        return
    if status.phase in IN_TRANSITION:
        capacity = world.look(record)
        record = with_readers(world, record, capacity)
        record = observed(world, record, load, now, capacity)
        if not mend_drift(world, record, capacity, now):
            tend_flow(world, record, now)
    elif status.phase in (Phase.AWAKE, Phase.ASLEEP):
        looks = status.phase is Phase.AWAKE or _is_stale(record, now)
        capacity = world.look(record) if looks else _as_it_was(record)
        load = read_after_all(world, record, load, capacity, now)
        record = with_readers(world, record, capacity) if status.phase is Phase.AWAKE else record
        if looks:
            record = observed(world, record, load, now, capacity)
        else:
            record = counted_asleep(world, record, load, capacity, now)
        if not halt and start_update(world, record, now):
            return
        record = note_shortage(world, record, capacity, now)
        decision = decide_and_act(world, record, load, capacity, now)
        if decision is not None and not load.unread:
            keep_reasons(world, record, decision, load, now)
    elif status.parked or status.observed_instances or _is_stale(record, now):
        _clear_up(world, record, load, now)


def _clear_up(world: World, record: EndpointRecord, load: Load, now: datetime) -> None:
    """One that failed, or was parked: what it left goes, and a parked creation begins anew."""
    parked = record.status.parked
    record = observed(world, record, load, now, world.look(record))
    began = parked and go_on(world, record, now)
    if record.status.observed_instances and not began and may_remove(world, record, now):
        remove_leftovers(world, record, now)


def _only_observe(world: World, record: EndpointRecord, load: Load, now: datetime) -> None:
    """What is there is counted as ever; the decision is kept and told, and not done."""
    capacity = world.look(record)
    record = counted_on(followed(world, record, capacity, now), now)
    if record.status.phase is Phase.AWAKE:
        record = with_readers(world, record, capacity)
    record = observed(world, record, load, now, capacity)
    advise(world, record, load, capacity, now)


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
