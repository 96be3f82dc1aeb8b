"""One endpoint at rest, awake or asleep: ask the policy and do what it says."""

from __future__ import annotations

from datetime import datetime

from ..alerts.events.base import Event
from ..alerts.events.capacity import BoundsChanged, CopiesChanged
from ..endpoints.status import Cause, EndpointRecord
from ..policy.decide import decide
from ..policy.keep_alive import LONGEST_STAY
from ..policy.schedule import bounds_at
from ..policy.stabilization import remember
from ..policy.types import Decision, Phase, ReasonCode, Transition
from ..ports import Capacity, Load
from .asked_by import named
from .closing import bar_of
from .drift import mend_drift
from .in_force import sleeper, who_keeps_copies
from .observe import history, observe
from .telling import tell, telling
from .wishes import entry, request_sleep, request_wake
from .world import World

_CAUSES = {
    ReasonCode.HELD: Cause.HOLD,
    ReasonCode.KEPT_WARM: Cause.PERSON,
    ReasonCode.BACKLOG_WAITING: Cause.BACKLOG,
    ReasonCode.WAITING_COSTS_MORE: Cause.BACKLOG,
    ReasonCode.WINDOW_OPEN: Cause.WINDOW,
    ReasonCode.WINDOW_AHEAD: Cause.WINDOW,
    ReasonCode.MINIMUM_KEPT: Cause.WINDOW,
    ReasonCode.PATTERN_AHEAD: Cause.PATTERN,
    ReasonCode.DEFERRED_DUE: Cause.BACKLOG,
    ReasonCode.DEFERRED_WORTH: Cause.BACKLOG,
    ReasonCode.BUDGET_SPENT: Cause.BUDGET,
}
_MONEY = {ReasonCode.BUDGET_SPENT, ReasonCode.STACK_BUDGET_SPENT, ReasonCode.FORECAST_OVER}

# Of an inference component: while it is being changed SageMaker refuses another change. A failed
# one that still has copies may recover by the next change.
_MOVABLE = {"InService", "Failed"}


def decide_and_act(
    world: World, record: EndpointRecord, load: Load, capacity: Capacity, now: datetime
) -> Decision | None:
    """Carries out the policy's decision; returns it, or None when the world had drifted."""
    if mend_drift(world, record, capacity, now):
        return None
    seen = observe(record, load, capacity, now, world.tick)
    decision = decide(record.spec, seen, history(record), now)
    cause = next((_CAUSES[r.code] for r in decision.reasons if r.code in _CAUSES), Cause.IDLE)
    if decision.transition is Transition.WAKE:
        by_person = cause in (Cause.HOLD, Cause.PERSON)
        who = named([who_keeps_copies(record.status, now) if by_person else None])
        request_wake(world, record, cause, decision.copies, decision.summary, who)
    elif decision.transition is Transition.SLEEP:
        cause = _cause_of_sleep(record, decision, now)
        one = sleeper(record.status, now) if cause is Cause.PERSON else None
        who = named([one.author if one else None])
        request_sleep(world, record, cause, decision.summary, who)
    elif record.status.phase is Phase.AWAKE:
        _move(world, record, decision, capacity, now)
    return decision


def _cause_of_sleep(record: EndpointRecord, decision: Decision, now: datetime) -> Cause:
    codes = {reason.code for reason in decision.reasons}
    if ReasonCode.STOPPED in codes:
        return Cause.STOPPED
    if bar_of(record, now) and ReasonCode.PUT_TO_SLEEP in codes:
        return Cause.PERSON  # no request that comes meanwhile turns it round
    if ReasonCode.CLOSED in codes:
        return Cause.WINDOW
    return Cause.BUDGET if codes & _MONEY else Cause.IDLE


def _move(
    world: World, record: EndpointRecord, decision: Decision, capacity: Capacity, now: datetime
) -> None:
    """Bounds first, copies second: a policy of AWS's that still wants the old size then cannot
    put it back. Whoever moves copies sets the bounds too, also where the table has them: what AWS
    has may be another's, or of a tick that ended before it was stored."""
    status = record.status
    window_moved = decision.bounds != status.bounds
    copies_moved = decision.copies != capacity.desired_copies
    movable = copies_moved and capacity.status in _MOVABLE
    if window_moved or movable:
        world.scaler.set_bounds(status.name, decision.bounds, record.spec.kind)
    if movable:
        world.scaler.set_copies(status.name, decision.copies, record.spec.kind)
    recommendations = status.recommendations
    if decision.recommendation:
        recommendations = remember(
            history(record), decision.recommendation, LONGEST_STAY, now
        ).recommendations
    text = decision.summary
    moved = status.model_copy(
        update={"bounds": decision.bounds, "recommendations": recommendations}
    )
    if not copies_moved and moved == status:
        return  # a look at what goes on as before writes once, what it saw
    told = _told_of(record, decision, capacity, now)
    lines = [entry(moved, now, text)] if window_moved or copies_moved else []
    tell(world, world.store.save(telling(moved, *told), entries=lines))


def _told_of(
    record: EndpointRecord, decision: Decision, capacity: Capacity, now: datetime
) -> list[Event]:
    events: list[Event] = []
    status, window = record.status, bounds_at(record.spec, now).name
    who = {"endpoint": status.name, "generation": status.generation, "at": now}
    if decision.copies != capacity.desired_copies and capacity.status in _MOVABLE:
        events.append(
            CopiesChanged(
                **who,
                before=capacity.desired_copies,
                after=decision.copies,
                reasons=[reason.text for reason in decision.reasons],
            )
        )
    if decision.bounds != status.bounds:
        bounds = BoundsChanged(**who, before=status.bounds, after=decision.bounds, window=window)
        events.append(bounds)
    return events
