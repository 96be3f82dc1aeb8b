"""Requests that may wait: what they are worth a wake.

Awake, they fill what is idle, and nobody asks for a copy because of them; an endpoint that has them
stays awake until they are done, since another start would cost more. Asleep, they wake it only

* when the earliest deadline leaves the time for a start and their work, and little more,
* in a window that is kept for them (`deferrable: true`), or
* when their work is so long that the start is a small part of its price.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ..spec import EndpointSpec, format_duration
from .demand import DEFAULT_SECONDS_PER_REQUEST
from .economy import lead_time
from .schedule import bounds_at, changes_between, listed_bounds
from .types import History, Observation, Reason, ReasonCode
from .wording import at_utc, counted

# Before a deadline, beside the start and the work: a wake that meets no capacity is tried again,
# and one that comes early costs nothing more.
SPARE = timedelta(minutes=15)
# A start may be a fifth of what the work costs: it bills its lead time and its release.
WORTH_STARTS = 4.0


def worth_a_wake(
    spec: EndpointSpec, observation: Observation, history: History, now: datetime
) -> Reason | None:
    """Returns why the requests that may wait justify a billable wake now, or None."""
    if not observation.deferrable:
        return None
    work, lead = work_of(spec, observation), lead_time(history)
    these = f"{counted(observation.deferrable, 'request')} that may wait"
    due_at = observation.deferrable_due_at
    if due_at is not None:
        latest = worked_by(spec, due_at, now, work)
        if latest - now <= lead + work + SPARE:
            closes = "" if latest == due_at else f", and it is closed from {at_utc(latest)}"
            text = (
                f"The first of {these} is due at {at_utc(due_at)}{closes}; a start and their work "
                f"take {format_duration(lead + work)}: it wakes now."
            )
            return Reason(ReasonCode.DEFERRED_DUE, text)
    window = bounds_at(spec, now)
    if window.deferrable:
        text = f"Window {window.name} is kept for {these}: it wakes for them."
        return Reason(ReasonCode.DEFERRED_WORTH, text)
    if work >= WORTH_STARTS * lead:
        text = (
            f"{these} are {format_duration(work)} of work, against a start of "
            f"{format_duration(lead)}: worth a wake."
        )
        return Reason(ReasonCode.DEFERRED_WORTH, text)
    return None


def worked_by(
    spec: EndpointSpec, due_at: datetime, now: datetime, work: timedelta = timedelta(0)
) -> datetime:
    """Returns by when what is due at a moment must be worked off, `work` long: then, or before a
    closed window that leaves no time for it between its end and then."""
    if not any(bounds.is_closed for bounds in listed_bounds(spec)):
        return due_at
    latest, until = due_at, due_at
    for edge, bounds in reversed(changes_between(spec, now, due_at)):
        if bounds.is_closed:
            latest = edge if until + work + SPARE > latest else latest
        until = edge
    return latest


def work_of(spec: EndpointSpec, observation: Observation) -> timedelta:
    """Returns how long one copy works on all that may wait."""
    seconds = observation.seconds_per_request or DEFAULT_SECONDS_PER_REQUEST
    slots = spec.serving.concurrency_per_copy
    return timedelta(seconds=round(observation.deferrable * seconds / slots))
