"""Keeps the open usage segments of a status in step with what was asked for and seen.

From a wish on, instances count as asked for. What came is known when the wake ends: `settled`
then takes back what was asked for and never came, and puts each instance under its own type.

Machines that several endpoints share are counted by the meters of all, and split by the weight of
their copies when they are reported (`ledger.shares`). Until then each reckons with the share that
the tick found last.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypedDict

from ..endpoints.status import EndpointRecord, EndpointStatus, Meter, UsageKind, UsageSegment
from ..ledger.billed import usd
from ..ledger.meter import advance, split_idle
from ..policy.types import Phase
from ..spec import EndpointSpec
from .idle import idle_apart, is_kept, known_idle

_KINDS = {
    Phase.STAGING: UsageKind.PROVISIONING,
    Phase.CREATING: UsageKind.PROVISIONING,
    Phase.WAKING: UsageKind.PROVISIONING,
    Phase.AWAKE: UsageKind.SERVING,
    Phase.UPDATING: UsageKind.SERVING,
}
# Phases in which instances were asked for and may still come.
ASKING = frozenset({Phase.CREATING, Phase.WAKING})

ByType = Mapping[str, int]  # instances of each instance type
_WEIGHT_DIGITS = 9  # thirds of an instance add up to a whole one, and not to a bit more


class Sharing(TypedDict, total=False):
    """What of a meter is about shared machines."""

    shared: str
    weight: Decimal
    share: Decimal


def metered(
    record: EndpointRecord, now: datetime, instances: ByType, phase: Phase, copies: int = 0
) -> tuple[EndpointStatus, tuple[UsageSegment, ...]]:
    """Returns the status with its meters at `now` and the segments that this closes.

    Outside the phases that serve or get ready to, an instance that is there is an idle tail. One
    that serves nothing because the schedule or a hold asks for it is kept warm. `copies`: asked
    for or seen now, and not yet in the status.
    """
    record = _at_largest_share(record)
    sharing = _sharing(record, phase, copies)
    if phase in ASKING:
        record = _weighing(record, sharing)
    status = record.status
    kind = _kind(record, phase, now)
    meters: list[Meter] = []
    closed: list[UsageSegment] = []
    running = {meter.instance_type: meter for meter in status.meters}
    for instance_type in sorted({*running, *instances}):
        before = running.get(instance_type, Meter(since=now))
        meter, segments = advance(
            before,
            now,
            instances=instances.get(instance_type, 0),
            instance_type=instance_type,
            kind=kind,
            endpoint=status.name,
            team=record.spec.team,
            prices=record.prices,
            made_at=status.first_applied_at,
            asking=phase in ASKING,
            **sharing,
        )
        meters += [meter] if meter.instances else []
        by_midnight = meter.model_copy(update={"since": before.since}) == before
        closed += segments if by_midnight else _idle_marked(record, segments, now, phase, kind)
    return booked(status, now, closed, tuple(meters)), tuple(closed)


def _idle_marked(
    record: EndpointRecord,
    closed: Sequence[UsageSegment],
    now: datetime,
    phase: Phase,
    kind: UsageKind,
) -> tuple[UsageSegment, ...]:
    """What a sleep closes was idle since the last activity, and so was what is kept warm from now
    on. What another number of instances closes was, if that is longer ago than a pause: the sleep
    that may follow finds it closed."""
    idle_from = record.status.last_active_at
    if idle_from and phase is Phase.SLEEPING:
        return split_idle(closed, idle_from)
    if idle_from and kind is UsageKind.KEPT_WARM:
        kept = is_kept(record, idle_from)
        gap = UsageKind.KEPT_WARM if kept else UsageKind.IDLE_TAIL
        return split_idle(closed, idle_from, gap)
    return idle_apart(record, closed, now)


def _sharing(record: EndpointRecord, phase: Phase, copies: int) -> Sharing:
    """What the meter of shared machines needs to be split; nothing of machines of its own.

    Copies that were asked for or are there weigh, whichever are more, and at least one: who has
    none any more and still counts instances is the last who holds them. Until a creation ends, a
    copy counts as a whole instance, because how many fit is not known before.
    """
    status, shared = record.status, record.spec.instances.shared
    if shared is None:
        return {}
    wish = status.wish_copies if phase in ASKING else 0
    most = max(1, copies, wish, status.desired_copies, status.observed_copies)
    weight = Decimal(most) / status.copies_per_instance
    return {"shared": shared, "weight": weight, "share": status.share}


def _at_largest_share(record: EndpointRecord) -> EndpointRecord:
    """While instances are asked for, the largest share that was found counts for the whole wake:
    a segment that was closed because the share changed could not be taken back."""
    status = record.status
    if status.phase not in ASKING or not status.meters:
        return record
    share = max(status.share, *(meter.share for meter in status.meters))
    meters = tuple(meter.model_copy(update={"share": share}) for meter in status.meters)
    return record.having(status.model_copy(update={"share": share, "meters": meters}))


def _weighing(record: EndpointRecord, sharing: Sharing) -> EndpointRecord:
    """So does the weight that its copies have now, for the same reason."""
    status = record.status
    if status.phase not in ASKING or "weight" not in sharing:
        return record
    anew = {"weight": sharing["weight"]}
    meters = tuple(meter.model_copy(update=anew) for meter in status.meters)
    return record.having(status.model_copy(update={"meters": meters}))


def sized_up(record: EndpointRecord, instances: ByType) -> EndpointRecord:
    """The record of a wake that shall bring so many, as if from its wish on.

    What was closed because its size changed could not be taken back. What is seen beyond that
    counts from its look on: machines that were not there must not count for hours.
    """
    meters = tuple(
        meter.model_copy(
            update={"instances": max(meter.instances, instances.get(meter.instance_type, 0))}
        )
        for meter in record.status.meters
    )
    return record.having(record.status.model_copy(update={"meters": meters}))


def _kind(record: EndpointRecord, phase: Phase, now: datetime) -> UsageKind:
    """What instances are for from now on."""
    if phase is Phase.AWAKE and known_idle(record.status, now) and is_kept(record, now):
        return UsageKind.KEPT_WARM
    return _KINDS.get(phase, UsageKind.IDLE_TAIL)


def booked(
    status: EndpointStatus,
    now: datetime,
    closed: Sequence[UsageSegment],
    meters: tuple[Meter, ...],
) -> EndpointStatus:
    """The status with these meters, and what was closed added to the month's dollars."""
    month = f"{now:%Y-%m}"
    before = status.spent_usd if status.spent_in == month else Decimal(0)
    more = sum((usd(s) for s in closed if f"{s.start:%Y-%m}" == month), Decimal(0))
    spending = status.spending
    for segment in sorted(closed, key=lambda s: s.start):
        spending = spending.having(segment.start.date(), usd(segment))
    return status.model_copy(
        update={
            "meters": meters,
            "spent_in": month,
            "spent_usd": before + more,
            "spending": spending,
        }
    )


def running(status: EndpointStatus) -> dict[str, int]:
    """Instances by type that the meters count now."""
    return {meter.instance_type: meter.instances for meter in status.meters}


def asked(record: EndpointRecord, instances: int) -> dict[str, int]:
    """At least so many instances by type: those that run, and the missing ones of the type that
    is expected (the one seen last, else the first that the spec names).

    Of shared machines those that run are the others' too, or are not known while it has no copy:
    its meter says how many there shall be in all, and is not added to theirs.
    """
    count = running(record.status)
    missing = instances - sum(count.values())
    expected = next(iter(count), record.status.instance_type or _preferred(record))
    if missing > 0:
        count[expected] = count.get(expected, 0) + missing
    return count


def asked_for_copies(record: EndpointRecord, copies: int) -> dict[str, int]:
    """At least so many instances by type that hold the copies, as `asked`.

    On shared machines beside the copies of the others, as the tick saw them: as many as all of
    them take together, which may be no more than are there. That is the least that holds them if
    they fill each instance; what does not fit so is counted when it is seen. If fewer come because
    a copy of the others has gone meanwhile, `settled` takes them back.
    """
    status, machines = record.status, record.spec.instances
    own = instances_for(copies, status.copies_per_instance)
    if machines.shared is None:
        return asked(record, own)
    together = Decimal(copies) / status.copies_per_instance + status.beside
    in_all = math.ceil(round(together, _WEIGHT_DIGITS))
    return asked(record, max(own, min(in_all, machines.max_instances or in_all)))


def _preferred(record: EndpointRecord) -> str:
    """The first instance type of the rung that is wished."""
    return record.spec.on_rung(record.status.shape.rung).instances.types[0]


def on_rung(record: EndpointRecord, rung: int) -> EndpointRecord:
    """The record on another rung, whose first instance type is expected from now on."""
    shape = record.status.shape
    if rung == shape.rung:
        return record
    changes = {"shape": shape.model_copy(update={"rung": rung}), "instance_type": ""}
    moved = record.status.model_copy(update=changes)
    return record.having(moved)


def seen(status: EndpointStatus, instances: ByType, now: datetime) -> EndpointStatus:
    """Remembers the most instances of each type that were seen since the wish, and when the first
    look saw any; of shared machines all of them, whoever asked for them."""
    by_older_release = status.seen is None and status.instance_seen_at is not None
    most = _most(status.came if by_older_release else status.seen or {}, instances)
    first = status.instance_seen_at or (now if most else None)
    came = _most(status.came, instances)
    return status.model_copy(update={"seen": most, "came": came, "instance_seen_at": first})


def _most(before: ByType, instances: ByType) -> dict[str, int]:
    most = {t: max(before.get(t, 0), instances.get(t, 0)) for t in sorted({*before, *instances})}
    return {t: n for t, n in most.items() if n}


def brought(status: EndpointStatus) -> ByType:
    """What is known to have come for the wish: what looks saw since. What ran at the wish of one
    that was turned round, and that they did not see, had gone; if nobody looked, it is all that is
    known."""
    return status.came if status.seen is None else status.seen


def settled(record: EndpointRecord) -> EndpointRecord:
    """The record when a wake or a creation ends: only what came is counted, from the wish on.

    Also when that was the day before: nothing was closed meanwhile. Each type as its meter counts
    it, and what came in the place of another as that one's. No more than was counted: what the last
    look saw beyond that counts from the next one on. Of shared machines the most that were
    there at once counts from the wish on: too many rather than too few, if the others asked for
    some of them only later.
    """
    status = record.status
    if status.phase not in ASKING or not status.meters:
        return record
    own = {meter.instance_type: meter for meter in status.meters}
    came = brought(status)
    left = {t: meter.instances - came.get(t, 0) for t, meter in own.items()}
    meters = []
    for instance_type, instances in came.items():
        first = own.get(instance_type)
        count = min(instances, first.instances) if first else 0
        for other in sorted(own, key=lambda one: own[one].since):  # asked for, and not what came
            taken = max(0, min(instances - count, left[other]))
            first = first or (own[other] if taken else None)
            count, left[other] = count + taken, left[other] - taken
        if first is not None and count:
            changes = {"instance_type": instance_type, "instances": count}
            meters.append(first.model_copy(update=changes))
    kept = status.model_copy(update={"meters": tuple(meters)})
    return record.having(kept)


def instances_for(copies: int, copies_per_instance: int) -> int:
    """Instances that hold so many copies."""
    return -(-copies // copies_per_instance)


def most_instances(spec: EndpointSpec, copies_per_instance: int) -> int:
    """Instances that an endpoint may ever ask for; of shared machines, that all may together."""
    own = instances_for(spec.highest_max_copies, copies_per_instance)
    return spec.instances.max_instances or own
