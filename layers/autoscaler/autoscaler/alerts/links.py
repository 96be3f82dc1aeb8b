"""Where a person looks next: the console's pages that belong to an event."""

from __future__ import annotations

from functools import singledispatch

from ..endpoints.names import ResourceNames
from ..policy.types import Phase
from .console import Console
from .events.base import Event
from .events.capacity import CapacityMissing, CopiesMissing, ScalingMissing
from .events.costs import ReportWritten
from .events.life import EndpointFailed, PhaseStuck, SleepStuck, UpdateFailed
from .events.rounds import RoundFailed

_MACHINES = {
    Phase.STAGING: "deploy-endpoint",
    Phase.CREATING: "deploy-endpoint",
    Phase.WAKING: "wake-endpoint",
    Phase.SLEEPING: "sleep-endpoint",
    Phase.UPDATING: "update-endpoint",
    Phase.RETIRING: "retire-endpoint",
}

Links = tuple[tuple[str, str], ...]


@singledispatch
def links_of(event: Event, console: Console) -> Links:
    """Most events need none."""
    return ()


@links_of.register
def _(event: EndpointFailed, console: Console) -> Links:
    ran = event.execution or _execution(event, console, event.generation)
    return _looked_at(event.failed_in, ran, console) + _logs(event, console)


@links_of.register
def _(event: PhaseStuck, console: Console) -> Links:
    ran = _execution(event, console, event.generation)
    return _looked_at(event.phase, ran, console) + _logs(event, console)


@links_of.register
def _(event: SleepStuck, console: Console) -> Links:
    names = ResourceNames(console.stack, event.endpoint, shared=event.shared)
    return (("Endpoint", console.endpoint(names.endpoint)),)


@links_of.register
def _(event: CapacityMissing, console: Console) -> Links:
    return _logs(event, console)


@links_of.register
def _(event: CopiesMissing, console: Console) -> Links:
    return _logs(event, console)


@links_of.register
def _(event: ScalingMissing, console: Console) -> Links:
    return _looked_at(Phase.WAKING, _execution(event, console, event.generation), console)


@links_of.register
def _(event: RoundFailed, console: Console) -> Links:
    return (("Log", console.function_log(event.function)),)


@links_of.register
def _(event: UpdateFailed, console: Console) -> Links:
    return _logs(event, console)


@links_of.register
def _(event: ReportWritten, console: Console) -> Links:
    return (("Report", console.object(event.uri)),) if event.uri.startswith("s3://") else ()


def _execution(event: Event, console: Console, generation: int) -> str:
    return ResourceNames(console.stack, event.endpoint).execution(generation)


def _looked_at(phase: Phase, execution: str, console: Console) -> Links:
    machine = _MACHINES.get(phase)
    return ((f"Execution {execution}", console.execution(machine, execution)),) if machine else ()


def _logs(event: Event, console: Console) -> Links:
    return (("Container logs", console.container_logs(f"{console.stack}-{event.endpoint}")),)
