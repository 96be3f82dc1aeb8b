"""What the policy remembers of a look, in the table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ..endpoints.learned import StoredPattern
from ..endpoints.status import EndpointRecord, EndpointStatus, UsageSegment
from ..policy.types import History
from ..ports import Capacity, Load
from .observe import active_at, learned
from .world import World


def remembered(
    world: World,
    record: EndpointRecord,
    after: EndpointStatus,
    known: History,
    segments: Sequence[UsageSegment] = (),
) -> EndpointRecord:
    """Stores the status with what is known by it; raises ConflictError."""
    pattern = StoredPattern.of(known.pattern)
    saved = world.store.save(
        after.model_copy(update={"episode": known.episode}),
        pattern=pattern if pattern != record.pattern else None,
        segments=segments,
    )
    return record.model_copy(update={"status": saved, "pattern": pattern})


def counted_asleep(
    world: World, record: EndpointRecord, load: Load, capacity: Capacity, now: datetime
) -> EndpointRecord:
    """Stores a queue that is not as it was counted last, so that of an endpoint that sleeps the
    count that is stored was right until the last tick (`policy.arrivals.known_since`)."""
    before = record.status.episode.queued
    known = before.backlog if before else 0
    if load.backlog is None or load.backlog + load.taken == known:
        return record
    status = record.status
    active = active_at(status.last_active_at, load, now)
    seen = learned(record, load, capacity, now, world.tick)
    return remembered(world, record, status.model_copy(update={"last_active_at": active}), seen)
