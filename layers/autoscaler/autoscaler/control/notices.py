"""What people should hear of although nothing was decided: an override that ended, a budget that is
being used up, a signal that does not come, a phase that lasts too long. Each is announced when it
happens, once."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..alerts.events.base import Event
from ..alerts.events.capacity import SignalMissing
from ..alerts.events.life import PhaseStuck
from ..endpoints.mode import Mode
from ..endpoints.status import EndpointRecord, EndpointStatus, HistoryEntry
from ..policy.types import Phase
from ..ports import Load
from .budgets import budget_news
from .overrides import expired
from .stuck import is_stuck, token
from .telling import tell, telling
from .world import World

# A new copy has no metrics for some minutes, and CloudWatch may be late.
SIGNAL_PATIENCE = timedelta(minutes=10)


def give_notice(world: World, record: EndpointRecord, load: Load, now: datetime) -> EndpointRecord:
    """Stores and announces what is new; returns the record after it. Raises ConflictError."""
    before = record.status
    events: list[Event] = []
    entries: list[HistoryEntry] = []
    status = expired(before, now, events, entries)
    status = budget_news(record, status, now, events)
    status = _signal_missing(status, load, now, events)
    status = _stuck(status, now, world.wake, events)
    if world.mode is Mode.ACT and status.withheld is not None:  # from now on it is done
        status = status.model_copy(update={"withheld": None, "withheld_at": None})
    if status == before:
        return record
    saved = world.store.save(telling(status, *events), entries=entries)
    return record.having(tell(world, saved))


def _stuck(
    status: EndpointStatus, now: datetime, wake: timedelta, events: list[Event]
) -> EndpointStatus:
    if not is_stuck(status, now, wake) or status.stuck_told == token(status):
        return status
    events.append(
        PhaseStuck(
            endpoint=status.name,
            generation=status.generation,
            at=now,
            phase=status.phase,
            since_seconds=(now - status.phase_since).total_seconds(),
            instances=status.observed_instances,
            failure=status.failure or "",
        )
    )
    return status.model_copy(update={"stuck_told": token(status)})


def _signal_missing(
    status: EndpointStatus, load: Load, now: datetime, events: list[Event]
) -> EndpointStatus:
    signals = {"backlog": load.backlog, "concurrency": load.concurrency_per_copy}
    absent = [name for name, value in signals.items() if value is None]
    if status.phase is not Phase.AWAKE or not absent or load.unread:
        return status.model_copy(update={"missing_since": None, "missing_told": False})
    # Of a look that left them out it is not known: since the last minute that they told of.
    told_of = max((m.end for m in load.minutes), default=now)
    since = status.missing_since or min(now, told_of)
    tell = now - since >= SIGNAL_PATIENCE and not status.missing_told
    if tell:
        who = {"endpoint": status.name, "generation": status.generation, "at": now}
        events += [SignalMissing(**who, signal=name, since=since) for name in absent]
    told = status.missing_told or tell
    return status.model_copy(update={"missing_since": since, "missing_told": told})
