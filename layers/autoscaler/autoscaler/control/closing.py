"""What lets an endpoint's requests wait instead of waking it: a closed window, or a person who put
it to sleep even for them."""

from __future__ import annotations

from datetime import datetime

from ..endpoints.status import EndpointRecord
from ..policy.closing import Closure, closure
from ..policy.types import Override
from ..policy.wording import at_utc
from .in_force import sleeper
from .observe import history


def closed(record: EndpointRecord, now: datetime) -> Closure | None:
    """The closed window that is in force, by the policy's own rule; None: there is none."""
    if not any(window.is_closed for window in record.spec.schedule.windows):
        return None
    return closure(record.spec, history(record), record.status, now)


def bar_of(record: EndpointRecord, now: datetime) -> Override | Closure | None:
    """What keeps requests from waking it, of two what lasts longer; None: they may wake it."""
    one, shut = sleeper(record.status, now), closed(record, now)
    if one is None or not one.even_for_requests:
        return shut
    return one if shut is None or shut.until < one.until else shut


def wakes_at(bar: Override | Closure) -> datetime:
    """From when on what waits may wake it."""
    return bar.wakes_at if isinstance(bar, Closure) else bar.until


def why_requests_wait(record: EndpointRecord, now: datetime) -> str | None:
    """Why requests do not wake it, for their senders; None: they may."""
    bar, name = bar_of(record, now), record.status.name
    if bar is None:
        return None
    if isinstance(bar, Closure):
        return f"{name} sleeps, even for requests: {bar.text}"
    return (
        f"{name} sleeps, even for requests, until {at_utc(bar.until)}, as {bar.author} "
        f"asked: {bar.reason.rstrip('.')}"
    )
