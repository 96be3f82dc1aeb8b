"""Turns what was read of the world into the policy's observation."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from ..endpoints.starts import created_in, estimated_start
from ..endpoints.status import EndpointRecord
from ..policy.arrivals import arriving, counted, known_since
from ..policy.learning import learn
from ..policy.types import History, Observation, Queued
from ..ports import Capacity, Load, Minute
from .purse import purse

NO_LOAD = Load(backlog=None, concurrency_per_copy=None)
_TICK = timedelta(minutes=1)


def observe(
    record: EndpointRecord, load: Load, capacity: Capacity, now: datetime, tick: timedelta = _TICK
) -> Observation:
    """Returns the present state. Without a copy nothing can be in flight in the model."""
    status = record.status
    in_flight = 0.0 if capacity.current_copies == 0 else None
    if load.concurrency_per_copy is not None:
        in_flight = load.concurrency_per_copy * capacity.current_copies
    queued = _queued(record, load, now, tick)
    places = record.spec.serving.concurrency_per_copy * capacity.current_copies
    return Observation(
        phase=status.phase,
        phase_since=status.phase_since,
        desired_copies=capacity.desired_copies,
        observed_copies=capacity.current_copies,
        bounds=status.bounds,
        backlog=load.backlog,
        in_flight=in_flight,
        last_active_at=active_at(status.last_active_at, load, now),
        seconds_per_request=load.seconds_per_request,
        hold=status.hold if status.hold and status.hold.until > now else None,
        wakes_today=status.wakes_today if status.wakes_on == now.date() else 0,
        retry_at=status.retry_at,
        reach=status.reach,
        arrivals_per_second=arriving(load.served_per_second, queued, places),
        queued=queued,
        usd_per_copy_hour=None if (usd := record.usd_per_copy_hour) is None else float(usd),
        # Whose queue is gone cannot be seen at rest: what waits in the other one wakes nothing.
        deferrable=0 if load.backlog is None else load.deferrable,
        deferrable_due_at=record.deferrable_due_at,
        overrides=tuple(one for one in status.overrides if one.until > now),
        tick=tick,
        **purse(record, now),
    )


def busy(load: Load, capacity: Capacity) -> float | None:
    """Requests that wait or run; None: a signal is missing. What runs waits in its queue too."""
    if load.backlog is None or (capacity.current_copies and load.concurrency_per_copy is None):
        return None
    return max(float(load.backlog), (load.concurrency_per_copy or 0.0) * capacity.current_copies)


def _queued(record: EndpointRecord, load: Load, now: datetime, tick: timedelta) -> Queued | None:
    if load.backlog is None:
        return None
    status = record.status
    before = known_since(status.episode.queued, status.phase, status.phase_since, now, tick)
    return counted(before, load.backlog + load.taken, now, tick)


def learned(
    record: EndpointRecord, load: Load, capacity: Capacity, now: datetime, tick: timedelta = _TICK
) -> History:
    """What the policy remembers after this look: of each minute since its metrics were read, or
    nothing while those of before stand for now."""
    known, status = history(record), record.status
    if load.unread:
        return known
    active = status.last_active_at
    for minute in load.minutes[:-1]:  # the newest one is the look itself
        past = _load_of(minute)
        active = active_at(active, past, minute.end)
        then = _knowing(record, known, active)
        seen = observe(then, past, capacity, minute.end, tick)
        if (queued := known.episode.queued) and queued.backlog:
            seen = replace(seen, queued=None)  # a tick was lost: who knows what waited in it
        known = learn(known, record.spec, seen, minute.end)
    seen = observe(_knowing(record, known, status.last_active_at), load, capacity, now, tick)
    return learn(known, record.spec, seen, now)


def _knowing(record: EndpointRecord, known: History, active: datetime | None) -> EndpointRecord:
    update = {"episode": known.episode, "last_active_at": active}
    return record.having(record.status.model_copy(update=update))


def _load_of(minute: Minute) -> Load:
    """Nothing waited in it: else its metrics would have been read then."""
    invoked = minute.end if minute.invocations else None
    return Load(
        backlog=0,
        concurrency_per_copy=minute.concurrency_per_copy,
        served_per_second=minute.invocations / _TICK.total_seconds(),
        invoked_at=invoked,
    )


def active_at(before: datetime | None, load: Load, now: datetime) -> datetime | None:
    """When the endpoint was last seen at work: now, if anything waits or runs."""
    if load.backlog or (load.concurrency_per_copy and not load.unread):
        return now
    invoked = load.invoked_at or (now if load.invocations else None)
    worked = (m.end for m in load.minutes if m.concurrency_per_copy or m.invocations)
    return max((at for at in (before, invoked, *worked) if at is not None), default=None)


def history(record: EndpointRecord) -> History:
    """What the policy remembers of the endpoint."""
    status = record.status
    return History(
        recommendations=status.recommendations,
        lead_times=status.lead_times(),
        created_in=created_in(record),
        estimated_start=estimated_start(record),
        pattern=record.pattern.pattern(),
        episode=status.episode,
    )


def remaining_lead(record: EndpointRecord, lead_time: timedelta, now: datetime) -> timedelta:
    """Time until a wake in flight should be ready; never negative."""
    return max(timedelta(0), record.status.wished_at + lead_time - now)
