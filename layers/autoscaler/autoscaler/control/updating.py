"""Updates in place: another model, container, or kind of machine for an endpoint that exists.

A file that changes what is built into SageMaker's resources is kept beside the present one
(`EndpointStatus.update`) until it is in place, and takes effect as a whole. Copies roll while they
serve; a change of machines goes by way of zero, and the requests wait in their queue meanwhile.
What fails is put back as it was, and said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from ..alerts.events.base import Event
from ..alerts.events.life import EndpointUpdated, UpdateFailed
from ..endpoints.lives import SPANS_KEPT, MachineBefore
from ..endpoints.starts import starts_forgotten
from ..endpoints.status import (
    Cause,
    EndpointRecord,
    EndpointStatus,
    Shape,
    UpdateWay,
)
from ..policy.types import Phase
from ..spec import EndpointSpec
from .breaker import outgrown
from .causes import sentence_of
from .metering import metered, running
from .progress import NotYetError, with_current
from .telling import tell, telling
from .wishes import carry_out, entry, request_sleep, wished
from .world import World

# What is built into models and component specifications: copies are replaced one by one.
_ROLLED = ("model", "serving")
# What is built into the endpoint's config and cannot be changed under copies that serve.
_REPLACED = ("instances", "network", "encryption")
# The rungs above the first concern the next wake only.
ALTERNATIVES = "instances.alternatives"


def way_of(before: EndpointSpec, after: EndpointSpec, fields: Iterable[str]) -> UpdateWay | None:
    """How the change of these fields gets into SageMaker; None: it need not."""
    names = [name for name in fields if name != ALTERNATIVES]
    tops = {name.split(".")[0] for name in names}
    if tops & set(_REPLACED):
        return UpdateWay.REPLACE
    rolls = bool(tops & set(_ROLLED))
    target = before.target_concurrency != after.target_concurrency
    grows = after.highest_max_copies > before.highest_max_copies
    return UpdateWay.ROLL if rolls or target or grows else None


def way_for(record: EndpointRecord, after: EndpointSpec, fields: Sequence[str]) -> UpdateWay | None:
    """The same for an endpoint as it runs: on an alternative that the file has changed, now or
    before, its machines are replaced whatever else the change is."""
    way, status = way_of(record.spec, after, fields), record.status
    changed = ALTERNATIVES in fields or status.shape.rungs_build != status.shaped.rungs_build
    return UpdateWay.REPLACE if way and changed and status.shaped.rung > 0 else way


def start_update(world: World, record: EndpointRecord, now: datetime) -> EndpointRecord | None:
    """Begins a kept update of an endpoint at rest; None: there is none, or it cannot begin now.

    Raises ConflictError when somebody else wrote first.
    """
    status = record.status
    update = status.update
    if update is None or status.phase not in (Phase.AWAKE, Phase.ASLEEP):
        return None
    if status.phase is Phase.AWAKE and update.way is UpdateWay.REPLACE:
        text = "To zero, because its machines are replaced; its requests wait."
        return request_sleep(world, record, Cause.UPDATE, text)
    counted, segments = metered(record, now, running(status), Phase.UPDATING)
    wish = wished(counted, Phase.UPDATING, Cause.UPDATE, now, reshaping=True)
    wish = wish.model_copy(update={"update": update.model_copy(update={"build": wish.generation})})
    return carry_out(world, record, wish, segments, "Its file changed: updating it in place.")


def anew(status: EndpointStatus) -> Shape:
    """After a failure: under names of its own, so that nothing that was left is taken for it."""
    return Shape(config_build=status.generation + 1, model_build=status.generation + 1)


def rungs_anew(status: EndpointStatus) -> Shape:
    """Other rungs above the first get names of their own: what is there by the old ones has the
    old machines, and nobody can change it."""
    build = max(status.shape.rungs_build, status.generation) + 1
    return status.shape.model_copy(update={"rungs_build": build})


def machine_noted(
    record: EndpointRecord, after: EndpointSpec, now: datetime, copies_per_instance: int = 0
) -> dict[str, Any]:
    """What a status keeps when a file with other machines takes effect: what it ran before is
    compared with those of before. `copies_per_instance` 0: as they are."""
    status, machines = record.status, record.spec.instances
    copies = copies_per_instance or status.copies_per_instance
    part = machines.shared is not None and copies != status.copies_per_instance
    if machines.types[0] == after.instances.types[0] and not part:
        return {}
    before = MachineBefore(
        until=now,
        instance_type=machines.types[0],
        copies_per_instance=status.copies_per_instance,
    )
    return {"machines_before": (*status.machines_before, before)[-SPANS_KEPT:]}


def created_with_update(world: World, record: EndpointRecord) -> EndpointRecord:
    """The record with the file that waits as its own, before any of it exists in SageMaker.

    Raises ConflictError when somebody else wrote first.
    """
    status, update = record.status, record.status.update
    if update is None:
        return record
    changes = {"update": None, "shape": anew(status), "instance_type": ""}
    changes |= starts_forgotten(record.spec, update.spec)
    changes |= machine_noted(record, update.spec, world.clock.now())
    saved = world.store.save(status.model_copy(update=changes), spec=update.spec)
    return record.model_copy(update={"spec": update.spec, "status": saved})


def record_updated(
    world: World, name: str, generation: int, shape: Shape, copies_per_instance: int
) -> bool:
    """The new file is in place: it becomes the endpoint's own."""

    def step(record: EndpointRecord) -> bool:
        status, update = record.status, record.status.update
        if status.phase is not Phase.UPDATING or update is None:
            return status.phase in (Phase.AWAKE, Phase.ASLEEP) and status.shaped == shape
        now = world.clock.now()
        told = EndpointUpdated(
            endpoint=name,
            generation=generation,
            at=now,
            seconds=max(0.0, (now - status.wished_at).total_seconds()),
            way=update.way,
        )
        _at_rest(
            world, record, update.spec, now, "Updated: the new file is in place.", told,
            shape=shape, shaped=shape, reshaping=False, failure=None,
            copies_per_instance=copies_per_instance, commit=update.commit or status.commit,
            weights_uri=update.weights_uri or status.weights_uri,
            facts=update.facts or status.facts, tries=(),
            instance_type="" if update.way is UpdateWay.REPLACE else status.instance_type,
            **starts_forgotten(record.spec, update.spec),
            **outgrown(record, update.spec, now, copies_per_instance),
            **machine_noted(record, update.spec, now, copies_per_instance),
        )  # fmt: skip
        return True

    return with_current(world, name, generation, step)


def record_update_failed(world: World, name: str, generation: int, error: str, cause: str) -> bool:
    """Everything was put back: the endpoint goes on as it was, and the new file is dropped."""

    def step(record: EndpointRecord) -> bool:
        if record.status.phase is Phase.UPDATING:
            abandon_update(world, record, sentence_of(error, cause))
        return True

    return with_current(world, name, generation, step)


def abandon_update(world: World, record: EndpointRecord, failure: str) -> EndpointStatus:
    """Goes on without the update, and says why. Raises NotYetError while no copy is in service."""
    text = f"The update failed, it goes on as it was: {failure}"
    now = world.clock.now()
    told = _failed(record.status, failure, now)
    return _at_rest(world, record, record.spec, now, text, told, failure=f"update: {failure}")


def give_up_update(
    world: World, record: EndpointRecord, failure: str, now: datetime
) -> EndpointStatus:
    """Goes on without the update, whatever it has left behind. If that is copies of which none
    comes into service, by way of zero: the next wake gives the endpoint its old shape."""
    try:
        return abandon_update(world, record, failure)
    except NotYetError:
        counted, segments = metered(record, now, running(record.status), Phase.SLEEPING)
    wish = wished(
        counted, Phase.SLEEPING, Cause.UPDATE, now,
        wish_copies=0, update=None, retry_at=None, failure=f"update: {failure}",
    )  # fmt: skip
    text = f"The update failed and left no copy in service, to zero: {failure}"
    return carry_out(world, record, wish, segments, text, _failed(wish, failure, now)).status


def _failed(status: EndpointStatus, failure: str, now: datetime) -> UpdateFailed:
    return UpdateFailed(endpoint=status.name, generation=status.generation, at=now, failure=failure)


def _at_rest(
    world: World,
    record: EndpointRecord,
    spec: EndpointSpec,
    now: datetime,
    text: str,
    told: Event,
    **changes: Any,
) -> EndpointStatus:
    """Awake or asleep again, as it is seen to be; the update is over."""
    capacity = world.look(record)
    if not capacity.exists and (running(record.status) or not spec.kind.sleeps_deleted):
        raise NotYetError(f"SageMaker says that there is no {record.status.name}")
    if capacity.desired_copies and not capacity.current_copies:
        raise NotYetError(f"{record.status.name} has no copy in service: {capacity}")
    phase = Phase.AWAKE if capacity.desired_copies else Phase.ASLEEP
    counted, segments = metered(record, now, capacity.instances_by_type, phase, capacity.copies)
    rested = counted.model_copy(
        update={
            "phase": phase,
            "phase_since": now,
            "observed_copies": capacity.current_copies,
            "observed_instances": capacity.instances,
            "desired_copies": capacity.desired_copies,
            "update": None,
            "attempts": 0,
            "retry_at": None,
            "readers": None,  # the flow has set it for the most copies: the next tick looks again
            **changes,
        }
    )
    rested = telling(rested, told)
    entries = [entry(rested, now, text)]
    saved = world.store.save(rested, spec=spec, segments=segments, entries=entries)
    return tell(world, saved)
