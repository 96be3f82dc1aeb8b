"""The other way: what an endpoint in the table needs, and AWS does not have. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from ..endpoints.names import ResourceNames
from ..endpoints.status import EndpointRecord
from ..policy.types import Phase
from .sweep import GRACE, Gap, Kind, Resource

_THERE = frozenset({Phase.AWAKE, Phase.ASLEEP, Phase.WAKING, Phase.SLEEPING})
_AT_REST = frozenset({Phase.AWAKE, Phase.ASLEEP})
_OFF = frozenset({"Disabled", "Disabling"})
_ANEW = "delete the endpoint and apply its file again (its weights stay staged)"


def gaps(
    records: Iterable[EndpointRecord], found: Sequence[Resource], prefix: str, now: datetime
) -> tuple[Gap, ...]:
    """Only of what has been in its phase for a while; `found` must be a complete look."""
    return tuple(
        gap
        for record in records
        if now - record.status.phase_since >= GRACE
        for gap in _of(record, found, prefix)
    )


def _needed(record: EndpointRecord) -> tuple[Kind, ...]:
    """What SageMaker has of an endpoint that was created."""
    kind, phase = record.spec.kind, record.status.phase
    if kind.sleeps_deleted and phase is not Phase.AWAKE:
        return ()
    return (Kind.ENDPOINT,) if kind.is_whole_instance else (Kind.ENDPOINT, Kind.COMPONENT)


def _of(record: EndpointRecord, found: Sequence[Resource], prefix: str) -> Iterator[Gap]:
    status = record.status
    names = ResourceNames(prefix, status.name, shared=record.spec.instances.shared or "")
    called = {Kind.ENDPOINT: names.endpoint, Kind.COMPONENT: names.component}
    there = {(one.kind, one.name) for one in found}
    readers = {one.parent: one for one in found if one.kind is Kind.MAPPING}
    bounded = {one.parent for one in found if one.kind is Kind.TARGET}
    if status.phase in _THERE:
        for kind in _needed(record):
            if (kind, called[kind]) not in there:
                what = f"the tick says that it failed within a quarter of an hour; then {_ANEW}"
                yield Gap(status.name, kind, what)
    if status.phase not in _AT_REST:
        return
    if (Kind.QUEUE, names.queue) not in there:
        yield Gap(status.name, Kind.QUEUE, f"nobody can send it requests: {_ANEW}")
    elif (reader := readers.get(names.queue)) is None:
        yield Gap(
            status.name, Kind.MAPPING, f"nobody reads its queue, and no request wakes it: {_ANEW}"
        )
    elif reader.status in _OFF:
        what = "nobody reads its queue, since its reader is disabled; enable it"
        command = f"aws lambda update-event-source-mapping --uuid {reader.name} --enabled"
        yield Gap(status.name, f"enabled {Kind.MAPPING}", what, command)
    scaled = {(kind, called[kind]) for kind in _needed(record)}
    if status.phase is Phase.AWAKE and scaled <= there and names.base not in bounded:
        what = f"its copies stay as they are under load; the next wake sets its bounds, or {_ANEW}"
        yield Gap(status.name, Kind.TARGET, what)
