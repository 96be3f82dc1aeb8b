"""Turns what was read of the world into the policy's observation."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..endpoints.status import EndpointRecord
from ..policy.types import History, Observation
from ..ports import Capacity, Load
from .metering import spent_this_month

NO_LOAD = Load(backlog=None, concurrency_per_copy=None)


def observe(record: EndpointRecord, load: Load, capacity: Capacity, now: datetime) -> Observation:
    """Returns the present state. Without a copy nothing can be in flight in the model."""
    status = record.status
    in_flight = 0.0 if capacity.current_copies == 0 else None
    if load.concurrency_per_copy is not None:
        in_flight = load.concurrency_per_copy * capacity.current_copies
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
        spent_this_month_usd=spent_this_month(status, now),
        retry_at=status.retry_at,
    )


def active_at(before: datetime | None, load: Load, now: datetime) -> datetime | None:
    """When the endpoint was last seen at work: now, if anything waits, runs or just ran."""
    busy = bool(load.backlog) or bool(load.concurrency_per_copy) or bool(load.invocations)
    return now if busy else before


def history(record: EndpointRecord) -> History:
    """What the policy remembers of the endpoint."""
    status = record.status
    return History(recommendations=status.recommendations, lead_times=status.lead_times())


def remaining_lead(record: EndpointRecord, lead_time: timedelta, now: datetime) -> timedelta:
    """Time until a wake in flight should be ready; never negative."""
    return max(timedelta(0), record.status.wished_at + lead_time - now)
