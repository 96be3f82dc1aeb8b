"""Accepts a spec: it is stored, and what it asks for is started."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..endpoints.mode import Mode
from ..endpoints.starts import starts_forgotten
from ..endpoints.status import Cause, EndpointRecord, EndpointStatus, Update
from ..policy.types import Bounds, Phase
from ..ports import Flow
from ..spec import parse_spec
from .breaker import outgrown
from .namesakes import LeftoverError
from .plan import Plan, Setting, plan
from .tend import remove_leftovers
from .updating import ALTERNATIVES, anew, machine_noted, rungs_anew, start_update
from .wishes import carry_out, created_anew, entry, wished
from .world import ObserveError, World


def apply(world: World, setting: Setting, document: Any) -> tuple[Plan, EndpointStatus]:
    """Stores the spec and starts what it asks for; returns the plan and the status after it.

    A new endpoint is deployed. Of an existing one the policy's fields take effect with the
    next tick, and nothing running is touched; a file that changes what is built into SageMaker's
    resources is kept beside the present one until an update has put it in place.
    """
    try:
        planned = plan(world, setting, document)
    except LeftoverError:
        if world.mode is Mode.ACT:
            _remove_first(world, document)
        raise
    if world.mode is Mode.OBSERVE:
        _refuse_to_build(planned)
    now = world.clock.now()
    if planned.record is None:
        status = EndpointStatus(
            name=planned.spec.name,
            generation=world.store.last_generation(planned.spec.name) + 1,
            phase=Phase.STAGING,
            phase_since=now,
            created_at=now,
            wished_at=now,
            wish_copies=1,
            bounds=Bounds(0, planned.spec.highest_max_copies),
        )
        world.store.create(planned.spec, status)
        world.flows.start(Flow.DEPLOY, status.name, status.generation)
        return planned, status
    record = planned.record.model_copy(update={"spec": planned.spec})
    if record.status.phase is Phase.FAILED:
        again = wished(
            record.status, Phase.STAGING, Cause.APPLY, now, wish_copies=1, failed_in=None,
            failure=None, retry_at=None, update=None, tries=(), failed_wakes=0,
            shape=anew(record.status), instance_type="",
            **created_anew(record.status, now),
            **starts_forgotten(planned.record.spec, planned.spec),
            **machine_noted(planned.record, planned.spec, now),
        )  # fmt: skip
        stored = world.store.save(record.status, spec=planned.spec)
        again = again.model_copy(update={"version": stored.version})
        after = carry_out(world, record, again, [], "Applied again after a failure.")
        return planned, after.status
    return planned, _changed(world, planned, planned.record, now)


def _refuse_to_build(planned: Plan) -> None:
    """In observe mode only what the policy reads of a file takes effect: it changes the advice."""
    name, record = planned.spec.name, planned.record
    if record is None:
        raise ObserveError(
            f"creating {name} (autoscaler plan FILE --trace HISTORY.csv advises without it)"
        )
    rungs = any(change.field == ALTERNATIVES for change in planned.changes)
    if planned.way or rungs or record.status.phase is Phase.FAILED:
        raise ObserveError(f"changing what {name} runs on")


def _changed(world: World, planned: Plan, record: EndpointRecord, now: datetime) -> EndpointStatus:
    """The status after a changed file was taken; a file as it was drops an update that waits."""
    status = record.status
    if status.phase is Phase.UPDATING or (not planned.changes and status.update is None):
        return status
    text = "Applied: " + (", ".join(change.field for change in planned.changes) or "as it was")
    update = Update(spec=planned.spec, way=planned.way) if planned.way else None
    # A mended file closes the circuit: what failed before says nothing of it.
    afresh: dict[str, Any] = {"update": update, "tries": (), "failed_wakes": 0, "retry_at": None}
    if planned.way is None:
        afresh |= outgrown(record, planned.spec, now)
    if planned.way is None and any(change.field == ALTERNATIVES for change in planned.changes):
        afresh |= {"shape": rungs_anew(status), "reshaping": True}
    kept = status.model_copy(update=afresh)
    saved = world.store.save(
        kept, spec=None if update else planned.spec, entries=[entry(status, now, f"{text}.")]
    )
    started = start_update(world, record.having(saved), now)
    return started.status if started else saved


def _remove_first(world: World, document: Any) -> None:
    """What a failure left behind goes now; applying again finds the way free."""
    record = world.store.load(parse_spec(document).name)
    if record is not None and record.status.phase is Phase.FAILED:
        remove_leftovers(world, record, world.clock.now())
