"""The ports that the flows act through, in one value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ..endpoints.mode import Mode
from ..endpoints.status import Cause, EndpointRecord, EndpointStatus
from ..policy.types import Phase
from ..ports import (
    UNKNOWN_TYPE,
    Announcer,
    Capacity,
    Clock,
    ContainerLogs,
    EndpointStore,
    Flows,
    Load,
    LoadReader,
    QueueReaders,
    Scaler,
)
from .observe import NO_LOAD
from .sharing import own_part

RESTING = {Phase.ASLEEP, Phase.FAILED}
STARTING = {Phase.WAKING, Phase.CREATING}


@dataclass(frozen=True)
class World:
    """Everything that reconcile, wake, sleep and retire look at and move."""

    clock: Clock
    store: EndpointStore
    load: LoadReader
    scaler: Scaler
    flows: Flows
    announcer: Announcer
    logs: ContainerLogs
    readers: QueueReaders
    wake: timedelta = timedelta(hours=1)  # what a copy is waited for: the template's WakeSeconds
    tick: timedelta = timedelta(minutes=1)  # between two looks: the template's TickMinutes
    mode: Mode = Mode.ACT  # the template's Mode

    def only_observes(self, status: EndpointStatus) -> bool:
        """Whether nothing of the endpoint may be changed: in observe mode, unless the stack is
        being deleted, which leaves no instance behind."""
        return self.mode is Mode.OBSERVE and status.cause is not Cause.STACK_DELETED

    def look(self, record: EndpointRecord) -> Capacity:
        """What SageMaker has of the endpoint, by its kind; of shared machines its part.

        That there is none is believed when SageMaker has said so twice: meters end and endpoints
        are forgotten by it.
        """
        spec = record.spec
        asked = spec.name, spec.kind, spec.instances.shared or ""
        found = self.scaler.look(*asked)
        if not found.exists:
            found = self.scaler.look(*asked)
        return own_part(self.store, record, _typed(record, found))

    def load_of(self, record: EndpointRecord, now: datetime) -> Load:
        """The demand on one endpoint."""
        name, read = record.status.name, record.status.signals
        since = {name: read.read_at} if read else {}
        resting = {name} if measures_nothing(record.status) else ()
        found = self.load.read([name], now, {name: record.spec.kind}, resting, since=since)
        return found.get(name, NO_LOAD)


def _typed(record: EndpointRecord, found: Capacity) -> Capacity:
    """Instances whose type nobody tells any more are of the type that was seen last."""
    if UNKNOWN_TYPE not in found.instances_by_type:
        return found
    status = record.status
    first = record.spec.on_rung(status.shape.rung).instances.types[0]
    return replace(found, instances_by_type={status.instance_type or first: found.instances})


def measures_nothing(status: EndpointStatus) -> bool:
    """Without a copy there are no metrics of one, and reading them is paid for."""
    return status.phase in RESTING or (status.phase in STARTING and not status.observed_copies)


class OrderError(ValueError):
    """An order that cannot be carried out now; says why and what would work."""


class ObserveError(OrderError):
    """The stack only observes; says so, and what would work."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} is not done: the stack is deployed with the parameter Mode=observe, which "
            "changes nothing; deploy it with Mode=act first"
        )


class UnknownEndpointError(LookupError):
    """No endpoint of that name; says which there are."""

    def __init__(self, name: str, known: list[str]) -> None:
        have = ", ".join(sorted(known)) or "none yet"
        super().__init__(f"there is no endpoint {name!r}; endpoints here: {have}")


def find(world: World, name: str) -> EndpointRecord:
    """Returns the endpoint; raises UnknownEndpointError naming those there are."""
    record = world.store.load(name)
    if record is None:
        raise UnknownEndpointError(name, [r.status.name for r in world.store.load_all()])
    return record
