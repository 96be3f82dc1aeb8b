"""Keeps the open usage segments of a status in step with what was asked for and seen.

From a wish on, instances count as asked for. What came is known when the wake ends: `settled`
then takes back what was asked for and never came, and puts each instance under its own type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from ..catalog.prices import PriceBook
from ..endpoints.status import EndpointRecord, EndpointStatus, Meter, UsageKind, UsageSegment
from ..ledger.billed import hours, usd
from ..ledger.meter import advance, split_idle
from ..policy.schedule import bounds_at
from ..policy.types import Phase
from ..spec import EndpointSpec

_KINDS = {
    Phase.STAGING: UsageKind.PROVISIONING,
    Phase.CREATING: UsageKind.PROVISIONING,
    Phase.WAKING: UsageKind.PROVISIONING,
    Phase.AWAKE: UsageKind.SERVING,
    Phase.UPDATING: UsageKind.SERVING,
}
# Phases in which instances were asked for and may still come.
ASKING = frozenset({Phase.CREATING, Phase.WAKING})
# Shorter pauses between requests are part of serving; else each would be a segment of its own.
WARM_AFTER = timedelta(minutes=5)

ByType = Mapping[str, int]  # instances of each instance type


def metered(
    record: EndpointRecord, now: datetime, instances: ByType, phase: Phase
) -> tuple[EndpointStatus, tuple[UsageSegment, ...]]:
    """Returns the status with its meters at `now` and the segments that this closes.

    Outside the phases that serve or get ready to, an instance that is there is an idle tail. One
    that serves nothing because the schedule or a hold asks for it is kept warm.
    """
    status = record.status
    kind = _kind(record, phase, now)
    meters: list[Meter] = []
    closed: list[UsageSegment] = []
    running = {meter.instance_type: meter for meter in status.meters}
    for instance_type in sorted({*running, *instances}):
        meter, segments = advance(
            running.get(instance_type, Meter(since=now)),
            now,
            instances=instances.get(instance_type, 0),
            instance_type=instance_type,
            kind=kind,
            endpoint=status.name,
            team=record.spec.team,
            usd_per_hour=record.prices.usd_per_hour(instance_type),
        )
        meters += [meter] if meter.instances else []
        closed += segments
    if phase is Phase.SLEEPING and status.last_active_at:
        closed = list(split_idle(closed, status.last_active_at))
    if kind is UsageKind.KEPT_WARM and (idle_from := status.last_active_at):
        kept = _is_kept(record, idle_from)
        gap = UsageKind.KEPT_WARM if kept else UsageKind.IDLE_TAIL
        closed = list(split_idle(closed, idle_from, gap))
    return _spent(status, now, closed, tuple(meters)), tuple(closed)


def _kind(record: EndpointRecord, phase: Phase, now: datetime) -> UsageKind:
    """What instances are for from now on."""
    idle_from = record.status.last_active_at
    idle = idle_from is not None and now - idle_from >= WARM_AFTER
    if phase is Phase.AWAKE and idle and _is_kept(record, now):
        return UsageKind.KEPT_WARM
    return _KINDS.get(phase, UsageKind.IDLE_TAIL)


def _is_kept(record: EndpointRecord, moment: datetime) -> bool:
    hold = record.status.hold
    return bounds_at(record.spec, moment).min_copies > 0 or (
        hold is not None and hold.min_copies > 0 and moment < hold.until
    )


def _spent(
    status: EndpointStatus, now: datetime, closed: list[UsageSegment], meters: tuple[Meter, ...]
) -> EndpointStatus:
    month = f"{now:%Y-%m}"
    before = status.spent_usd if status.spent_in == month else Decimal(0)
    more = sum((usd(s) for s in closed if f"{s.start:%Y-%m}" == month), Decimal(0))
    return status.model_copy(
        update={"meters": meters, "spent_in": month, "spent_usd": before + more}
    )


def running(status: EndpointStatus) -> dict[str, int]:
    """Instances by type that the meters count now."""
    return {meter.instance_type: meter.instances for meter in status.meters}


def asked(record: EndpointRecord, instances: int) -> dict[str, int]:
    """At least so many instances by type: those that run, and the missing ones of the type that
    is expected (the one seen last, else the first that the spec names)."""
    count = running(record.status)
    missing = instances - sum(count.values())
    expected = next(iter(count), record.status.instance_type or _preferred(record))
    if missing > 0:
        count[expected] = count.get(expected, 0) + missing
    return count


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


def seen(status: EndpointStatus, instances: ByType) -> EndpointStatus:
    """Remembers the most instances of each type that were seen since the wish."""
    types = {*status.came, *instances}
    most = {t: max(status.came.get(t, 0), instances.get(t, 0)) for t in sorted(types)}
    return status.model_copy(update={"came": {t: n for t, n in most.items() if n}})


def settled(record: EndpointRecord) -> EndpointRecord:
    """The record when a wake or a creation ends: only what came is counted, from the wish on.

    Whole days that ended meanwhile are stored already and stay as they were.
    """
    status = record.status
    if status.phase not in ASKING or not status.meters:
        return record
    first = min(status.meters, key=lambda meter: meter.since)
    meters = tuple(
        first.model_copy(update={"instance_type": instance_type, "instances": instances})
        for instance_type, instances in status.came.items()
    )
    kept = status.model_copy(update={"meters": meters})
    return record.having(kept)


def cost(segments: Sequence[UsageSegment]) -> Decimal | None:
    """Dollars of the segments; None when the price of any of them is unknown."""
    if any(segment.usd_per_hour is None for segment in segments):
        return None
    return sum((usd(segment) for segment in segments), Decimal(0))


def spent_this_month(record: EndpointRecord, now: datetime) -> Decimal:
    """Dollars of this UTC month, open segments included; unknown prices count as nothing."""
    status, prices = record.status, record.prices
    month = f"{now:%Y-%m}"
    closed = status.spent_usd if status.spent_in == month else Decimal(0)
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return closed + sum(
        (_open_usd(meter, prices, first, now) for meter in status.meters), Decimal(0)
    )


def _open_usd(meter: Meter, prices: PriceBook, first: datetime, now: datetime) -> Decimal:
    ran = max(timedelta(0), now - max(meter.since, first))
    price = prices.usd_per_hour(meter.instance_type) or Decimal(0)
    return price * meter.instances * hours(ran)


def instances_for(copies: int, copies_per_instance: int) -> int:
    """Instances that hold so many copies."""
    return -(-copies // copies_per_instance)


def most_instances(spec: EndpointSpec, copies_per_instance: int) -> int:
    """Instances that an endpoint may ever ask for; of shared machines, that all may together."""
    own = instances_for(spec.highest_max_copies, copies_per_instance)
    return spec.instances.max_instances or own
