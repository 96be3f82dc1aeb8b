"""One endpoint at rest, awake or asleep: ask the policy and do what it says."""

from __future__ import annotations

from datetime import datetime

from ..alerts.events import BoundsChanged, CopiesChanged, EndpointFailed
from ..endpoints.status import Cause, EndpointRecord
from ..policy.decide import decide
from ..policy.stabilization import remember
from ..policy.types import Decision, Phase, ReasonCode, Transition
from ..ports import Capacity, Load
from .observe import history, observe
from .wishes import entry, request_sleep, request_wake, wished
from .world import World

_CAUSES = {
    ReasonCode.HELD: Cause.HOLD,
    ReasonCode.BACKLOG_WAITING: Cause.BACKLOG,
    ReasonCode.WINDOW_OPEN: Cause.WINDOW,
    ReasonCode.WINDOW_AHEAD: Cause.WINDOW,
    ReasonCode.MINIMUM_KEPT: Cause.WINDOW,
    ReasonCode.BUDGET_SPENT: Cause.BUDGET,
}


def decide_and_act(
    world: World, record: EndpointRecord, load: Load, capacity: Capacity, now: datetime
) -> Decision | None:
    """Carries out the policy's decision; returns it, or None when the world had drifted."""
    if _mend_drift(world, record, capacity, now):
        return None
    decision = decide(record.spec, observe(record, load, capacity, now), history(record), now)
    cause = next((_CAUSES[r.code] for r in decision.reasons if r.code in _CAUSES), Cause.IDLE)
    if decision.transition is Transition.WAKE:
        request_wake(world, record, cause, decision.copies, decision.summary)
    elif decision.transition is Transition.SLEEP:
        request_sleep(world, record, Cause.IDLE, decision.summary)
    elif record.status.phase is Phase.AWAKE:
        _move(world, record, decision, capacity, now)
    return decision


def _mend_drift(world: World, record: EndpointRecord, capacity: Capacity, now: datetime) -> bool:
    """Answers what somebody else did to the endpoint; True when there was something."""
    status = record.status
    if status.phase is Phase.AWAKE and not capacity.exists:
        failed = wished(
            status,
            Phase.FAILED,
            Cause.DRIFT,
            now,
            failed_in=Phase.AWAKE,
            failure="SageMaker has no such endpoint any more: it was deleted from outside. "
            "Apply its file again to create it.",
        )
        world.store.save(failed, entries=[entry(failed, now, failed.failure or "")])
        world.announcer.announce(
            EndpointFailed(
                endpoint=status.name,
                generation=failed.generation,
                at=now,
                failed_in=Phase.AWAKE,
                failure=failed.failure or "",
            )
        )
        return True
    if status.phase is Phase.AWAKE and capacity.desired_copies == 0:
        text = "Somebody set the copies to zero while the endpoint was awake."
        request_wake(world, record, Cause.DRIFT, max(1, status.bounds.min_copies), text)
        return True
    if status.phase is Phase.ASLEEP and (capacity.desired_copies or capacity.instances):
        text = f"{capacity.instances} instances were there while the endpoint was asleep."
        request_sleep(world, record, Cause.DRIFT, text)
        return True
    return False


def _move(
    world: World, record: EndpointRecord, decision: Decision, capacity: Capacity, now: datetime
) -> None:
    """Bounds first, copies second: a policy of AWS's that still wants the old size then cannot
    put it back."""
    status = record.status
    window_moved = decision.bounds != status.bounds
    copies_moved = decision.copies != capacity.desired_copies
    if window_moved:
        world.scaler.set_bounds(status.name, decision.bounds)
    if copies_moved and capacity.status == "InService":
        world.scaler.set_copies(status.name, decision.copies)
    recommendations = status.recommendations
    if decision.recommendation:
        recommendations = remember(
            history(record), decision.recommendation, record.spec.scaling.stabilization_window, now
        ).recommendations
    text = decision.summary
    moved = status.model_copy(
        update={"bounds": decision.bounds, "recommendations": recommendations}
    )
    changed = window_moved or copies_moved
    world.store.save(moved, entries=[entry(moved, now, text)] if changed else [])
    _announce(world, record, decision, capacity, now)


def _announce(
    world: World, record: EndpointRecord, decision: Decision, capacity: Capacity, now: datetime
) -> None:
    status = record.status
    who = {"endpoint": status.name, "generation": status.generation, "at": now}
    if decision.copies != capacity.desired_copies and capacity.status == "InService":
        world.announcer.announce(
            CopiesChanged(
                **who,
                before=capacity.desired_copies,
                after=decision.copies,
                reasons=[reason.text for reason in decision.reasons],
            )
        )
    if decision.bounds != status.bounds:
        world.announcer.announce(BoundsChanged(**who, before=status.bounds, after=decision.bounds))
