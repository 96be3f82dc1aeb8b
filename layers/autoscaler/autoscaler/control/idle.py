"""Which time of an endpoint that is awake is known to have been without work. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ..endpoints.status import EndpointRecord, EndpointStatus, UsageKind, UsageSegment
from ..ledger.meter import split_idle
from ..policy.schedule import bounds_at
from ..policy.types import Phase
from .in_force import keeps_copies, sleeper

# Shorter pauses between requests are part of serving; else each would be a segment of its own.
WARM_AFTER = timedelta(minutes=5)


def known_idle(status: EndpointStatus, now: datetime) -> tuple[datetime, datetime] | None:
    """From when until when it had no work; None: it paused for less than `WARM_AFTER`, as far as is
    known. What its metrics say of the time since they were read is not, before they are again."""
    began, until = status.last_active_at, status.signals.read_at if status.signals else now
    return (began, until) if began is not None and until - began >= WARM_AFTER else None


def idle_apart(
    record: EndpointRecord, closed: Sequence[UsageSegment], now: datetime
) -> tuple[UsageSegment, ...]:
    """What is closed of one that is awake, with what is known to be idle apart. Where a signal is
    missing, nothing is."""
    status, idle = record.status, known_idle(record.status, now)
    if status.phase is not Phase.AWAKE or status.missing_since or idle is None:
        return tuple(closed)
    began, until = idle
    kept = is_kept(record, began) and is_kept(record, now)
    kind = UsageKind.KEPT_WARM if kept else UsageKind.IDLE_TAIL
    return split_idle(closed, began, kind, until)


def is_kept(record: EndpointRecord, moment: datetime) -> bool:
    """Whether the schedule or a person keeps copies without work."""
    if keeps_copies(record.status, moment):
        return True
    asleep = sleeper(record.status, moment) is not None
    return not asleep and bounds_at(record.spec, moment).min_copies > 0
