"""What no look saw while it happened: machines that came after they were asked for, and changes in
a time in which nobody looked.

The meter counts what a look sees, from that look on. Two things it would miss. Copies of one that
is awake are asked for by a scaling policy or by the tick, and their machines, which are paid
for from then on, are seen minutes later. And when ticks are lost, a change lies somewhere between
two looks; when it was, SageMaker's own time of the last modification says, if it lies between them.
What is booked over such a gap is marked: it is an estimate, while all else was seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from ..endpoints.status import Asked, EndpointRecord, EndpointStatus, Meter, UsageKind, UsageSegment
from ..ledger.meter import cut
from ..policy.types import Phase
from ..ports import Capacity
from .metering import ASKING, booked, instances_for, metered, running

# Two ticks of a minute may be late or lost before a change between them counts as unseen.
GAP = timedelta(seconds=150)
_GROWS = frozenset({Phase.AWAKE, Phase.UPDATING})

Segments = tuple[UsageSegment, ...]
Booked = tuple[EndpointRecord, Segments]


def booked_unseen(record: EndpointRecord, capacity: Capacity, now: datetime) -> Booked:
    """Both, as a tick does: `record` as it was before this look."""
    record, over = closed_gap(record, capacity, now)
    record, late = late_comers(record, capacity, now)
    return record, (*over, *late)


def meters_of(status: EndpointStatus) -> dict[str, object]:
    """What of a status this module moves."""
    names = ("meters", "asked", "spent_in", "spent_usd", "spending")
    return {name: getattr(status, name) for name in names}


def closed_gap(record: EndpointRecord, capacity: Capacity, now: datetime) -> Booked:
    """Closes what ran while nobody looked, if something changed meanwhile or may have.

    Until SageMaker's last modification as it was before, from then on as it is now; until now, if
    that time is not known. What is there where nothing was counts from the last look on then: too
    much rather than a machine that nobody counted. While instances are asked for, nothing is done:
    `settled` knows in the end. Nor on shared machines, whose modification may be of another one's
    copies.
    """
    status = record.status
    if status.phase in ASKING or record.spec.instances.shared:
        return record, ()
    looked = _looked_at(status)
    there = {kind: count for kind, count in capacity.instances_by_type.items() if count}
    if now - looked <= GAP:
        return record, ()
    at = capacity.changed_at
    turned = at if at is not None and looked < at <= now else None
    if there == running(status) and turned is None:
        return record, ()  # as it was left, and nothing was modified since
    record, before = _cut(record, looked, now)
    moment = turned or (now if status.meters else looked)
    record, old = _cut(record, moment, now)
    record, came = late_comers(record, capacity, moment)
    moved, _ = metered(record, moment, there, status.phase)
    record, new = _cut(record.having(moved), now, now)
    unseen = (one.model_copy(update={"over_gap": True}) for one in (*old, *came, *new))
    return record, (*before, *unseen)


def late_comers(record: EndpointRecord, capacity: Capacity, now: datetime) -> Booked:
    """Books the machines that came while awake from when they were asked for, and notes those that
    are still to come. One that never comes is never booked."""
    status = record.status
    if status.phase not in _GROWS or record.spec.instances.shared:
        return record, ()
    before, there = running(status), capacity.instances_by_type
    counted = sum(before.values())
    waited = [ask for ask in status.asked if ask.instances > counted]
    meters = _since_asked(waited, counted, before, there)
    closed = tuple(one for meter in meters for one in _closed(record, meter, now)[1])
    expected = instances_for(capacity.desired_copies, status.copies_per_instance)
    asked = _still_asked(waited, capacity.instances, expected)
    if expected > max([capacity.instances, *(ask.instances for ask in asked)]):
        asked += (Asked(instances=expected, since=_asked_at(status, capacity, now)),)
    kept = booked(status.model_copy(update={"asked": asked}), now, closed, status.meters)
    return record.having(kept), closed


def asked_by_the_wish(status: EndpointStatus, came: int) -> tuple[Asked, ...]:
    """Of a wake that is over with its first copy, the machines that still come for the others."""
    wanted = instances_for(status.wish_copies, status.copies_per_instance)
    return (Asked(instances=wanted, since=status.wished_at),) if wanted > came else ()


def _looked_at(status: EndpointStatus) -> datetime:
    """When its instances were looked at last, as far as the status tells."""
    moments = (status.observed_at, status.phase_since, *(meter.since for meter in status.meters))
    return max(moment for moment in moments if moment is not None)


def _cut(record: EndpointRecord, at: datetime, now: datetime) -> Booked:
    cuts = [_closed(record, meter, at) for meter in record.status.meters]
    closed = tuple(one for _, segments in cuts for one in segments)
    kept = booked(record.status, now, closed, tuple(meter for meter, _ in cuts))
    return record.having(kept), closed


def _closed(record: EndpointRecord, meter: Meter, at: datetime) -> tuple[Meter, Segments]:
    return cut(
        meter,
        at,
        endpoint=record.status.name,
        team=record.spec.team,
        prices=record.prices,
        made_at=record.status.first_applied_at,
    )


def _since_asked(
    waited: list[Asked], counted: int, before: Mapping[str, int], there: Mapping[str, int]
) -> list[Meter]:
    """A meter for those that were asked for at the same moment and are of the same type."""
    meters: list[Meter] = []
    for kind in sorted(there):
        for _ in range(there[kind] - before.get(kind, 0)):
            counted += 1
            since = next((ask.since for ask in waited if ask.instances >= counted), None)
            if since is None:
                continue
            last = meters[-1] if meters else None
            if last and (last.since, last.instance_type) == (since, kind):
                meters[-1] = last.model_copy(update={"instances": last.instances + 1})
            else:
                meters.append(
                    Meter(instances=1, instance_type=kind, kind=UsageKind.PROVISIONING, since=since)
                )
    return meters


def _still_asked(waited: list[Asked], there: int, expected: int) -> tuple[Asked, ...]:
    """Those that did not come yet, and no more than are wanted now: each number once, since it
    was asked for first."""
    asked: dict[int, Asked] = {}
    for ask in waited:
        instances = min(ask.instances, expected)
        if instances > there:
            asked.setdefault(instances, ask.model_copy(update={"instances": instances}))
    return tuple(asked.values())


def _asked_at(status: EndpointStatus, capacity: Capacity, now: datetime) -> datetime:
    """SageMaker's own time of it, if it lies after the last look."""
    at, looked = capacity.changed_at, _looked_at(status)
    return at if at is not None and looked < at <= now else now
