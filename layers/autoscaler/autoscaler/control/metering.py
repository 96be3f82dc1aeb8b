"""Keeps the open usage segment of a status in step with what was seen."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from ..catalog.prices import usd_per_hour
from ..endpoints.status import EndpointRecord, EndpointStatus, UsageKind, UsageSegment
from ..ledger.meter import advance, split_idle
from ..policy.types import Phase

_KINDS = {
    Phase.STAGING: UsageKind.PROVISIONING,
    Phase.CREATING: UsageKind.PROVISIONING,
    Phase.WAKING: UsageKind.PROVISIONING,
    Phase.AWAKE: UsageKind.SERVING,
    Phase.UPDATING: UsageKind.SERVING,
}
_HOUR = 3600


def metered(
    record: EndpointRecord, now: datetime, instances: int, phase: Phase
) -> tuple[EndpointStatus, tuple[UsageSegment, ...]]:
    """Returns the status with its meter at `now` and the segments that this closes.

    Outside the phases that serve or get ready to, an instance that is there is an idle tail.
    """
    status = record.status
    instance_type = status.instance_type or record.spec.instances.types[0]
    meter, segments = advance(
        status.meter,
        now,
        instances=instances,
        instance_type=instance_type,
        kind=_KINDS.get(phase, UsageKind.IDLE_TAIL),
        endpoint=status.name,
        team=record.spec.team,
        usd_per_hour=usd_per_hour(status.meter.instance_type or instance_type),
    )
    if phase is Phase.SLEEPING and status.last_active_at:
        segments = split_idle(segments, status.last_active_at)
    month = f"{now:%Y-%m}"
    before = status.spent_usd if status.spent_in == month else Decimal(0)
    closed = sum((_usd(s) for s in segments if f"{s.start:%Y-%m}" == month), Decimal(0))
    updates = {"meter": meter, "spent_in": month, "spent_usd": before + closed}
    return status.model_copy(update=updates), segments


def spent_this_month(status: EndpointStatus, now: datetime) -> Decimal:
    """Dollars of this UTC month, the open segment included; unknown prices count as nothing."""
    month = f"{now:%Y-%m}"
    closed = status.spent_usd if status.spent_in == month else Decimal(0)
    start = max(status.meter.since, now.replace(day=1, hour=0, minute=0, second=0, microsecond=0))
    hours = Decimal(max(0.0, (now - start).total_seconds())) / _HOUR
    price = usd_per_hour(status.meter.instance_type) if status.meter.instance_type else None
    return closed + (price or Decimal(0)) * status.meter.instances * hours


def instances_for(copies: int, copies_per_instance: int) -> int:
    """Instances that hold so many copies."""
    return -(-copies // copies_per_instance)


def _usd(segment: UsageSegment) -> Decimal:
    hours = Decimal(segment.instance_seconds) / _HOUR
    return (segment.usd_per_hour or Decimal(0)) * hours
