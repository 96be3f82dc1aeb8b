"""Metrics that are left out of a look, and what was seen of the time since they were read.

Whether they are is the policy's (`policy.attention`); what they said last stands in for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from ..endpoints.signals import Signals
from ..endpoints.status import EndpointRecord, EndpointStatus, UsageKind, UsageSegment
from ..policy.attention import may_wait
from ..policy.types import Phase
from ..ports import Capacity, Load
from .metering import metered
from .observe import active_at, history, observe
from .world import World

_MINUTE = timedelta(minutes=1)
_STORED_EVERY = timedelta(seconds=90)


def signals_of(record: EndpointRecord, load: Load, now: datetime) -> Signals | None:
    """What the metrics say, for the looks that leave them out."""
    if load.unread:
        return record.status.signals
    if record.status.phase is not Phase.AWAKE or load.concurrency_per_copy is None:
        return None
    return Signals(
        read_at=now,
        concurrency_per_copy=load.concurrency_per_copy,
        seconds_per_request=load.seconds_per_request,
        served_per_second=load.served_per_second,
    )


def standing_in(signals: Signals | None, load: Load) -> Load:
    """The load with the metrics that were read last, if it was left without."""
    if not load.unread or signals is None:
        return load
    return replace(
        load,
        concurrency_per_copy=signals.concurrency_per_copy,
        seconds_per_request=signals.seconds_per_request,
        served_per_second=signals.served_per_second,
    )


def is_quiet(record: EndpointRecord, now: datetime, tick: timedelta) -> bool:
    """Whether its metrics need not be read now, if nothing waits in its queue."""
    status, signals = record.status, record.status.signals
    if signals is None or status.update or status.short_since or status.missing_since:
        return False
    as_left = Capacity(
        exists=True, current_copies=status.observed_copies, desired_copies=status.desired_copies
    )
    load = standing_in(signals, Load(backlog=0, concurrency_per_copy=None, unread=True))
    seen = observe(record, load, as_left, now, tick)
    return may_wait(record.spec, seen, history(record), signals.read_at, now)


def is_as_before(before: EndpointStatus, after: EndpointStatus, now: datetime) -> bool:
    """Whether a look found nothing but that it looked, and the one before is stored. Every second
    such look is: each write is paid for, and a change between looks that are more than two and a
    half minutes apart would count as one that nobody saw (`unseen.GAP`)."""
    looked = before.observed_at
    fresh = looked is not None and now - looked < _STORED_EVERY
    return fresh and after.model_copy(update={"observed_at": looked}) == before


def read_after_all(
    world: World, record: EndpointRecord, load: Load, capacity: Capacity, now: datetime
) -> Load:
    """Metrics that were left out stand for as many copies as there were."""
    status = record.status
    before = status.desired_copies, status.observed_copies
    if not load.unread or before == (capacity.desired_copies, capacity.current_copies):
        return load
    return world.load_of(record, now)


def brought_up(record: EndpointRecord, load: Load, now: datetime) -> EndpointRecord:
    """The record with when it was last at work, as a load that was just read says."""
    active = active_at(record.status.last_active_at, load, now)
    return record.having(record.status.model_copy(update={"last_active_at": active}))


def metered_since(
    record: EndpointRecord, load: Load, instances: Mapping[str, int], now: datetime
) -> tuple[EndpointStatus, tuple[UsageSegment, ...]]:
    """As `metered`, at a look that tells of the minutes before it too: copies that were kept warm
    serve from the first of these that had a request, and not from now on."""
    status, earlier = record.status, tuple[UsageSegment, ...]()
    work = [m.end for m in load.minutes if m.invocations or m.concurrency_per_copy]
    warm = [m.since for m in status.meters if m.kind is UsageKind.KEPT_WARM]
    if work and warm and status.phase is Phase.AWAKE:
        began = max(work[0] - _MINUTE, *warm)
        if began < now:
            then = {"last_active_at": began, "signals": None}  # as a look of that moment knew it
            running = {meter.instance_type: meter.instances for meter in status.meters}
            at_work = record.having(status.model_copy(update=then))
            moved, earlier = metered(at_work, began, running, status.phase)
            now_known = {"last_active_at": status.last_active_at, "signals": status.signals}
            record = record.having(moved.model_copy(update=now_known))
    after, closed = metered(record, now, instances, status.phase)
    return after, (*earlier, *closed)
