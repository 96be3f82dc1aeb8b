"""Closed windows, those with `max_copies: 0`: it is at zero in them, and nothing wakes it.

Each works as a person's sleep-until for requests too. What a person asks for that contradicts a
sleep (a hold, warmth, a pause of scale-in) takes a closed window out of force. So does its end, one
lead time and a tick ahead: what waits, or the window that follows, shall be served at the edge. A
closed window that is shorter than that is never in force. For who sleeps it is in force one lead
time before its start already: what would begin then would be put down before it has served.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from ..spec import EndpointSpec
from .economy import TICK, lead_time
from .schedule import LONG_HORIZON, WindowBounds, bounds_at, next_edge
from .types import History, Hold, Override, OverrideKind, Phase
from .wording import at_utc

_OPENING = {OverrideKind.KEEP_WARM, OverrideKind.PAUSE_SCALE_IN}


@dataclass(frozen=True)
class Closure:
    """A closed window that is in force."""

    window: str
    until: datetime  # its end, or that of the last of those that follow each other
    wakes_at: datetime  # when the wake for what waits begins, so that it serves at `until`
    begins_at: datetime | None = None  # of one that is ahead

    @property
    def text(self) -> str:
        """What it says wherever it is told of."""
        until = at_utc(self.until)
        if self.begins_at is None:
            return f"window {self.window} keeps it closed until {until}"
        begins = at_utc(self.begins_at)
        return (
            f"no start would be over when window {self.window} closes it, from {begins} to {until}"
        )


class Asked(Protocol):
    """What a person asked for, and whether it sleeps: an observation, or a stored status."""

    @property
    def phase(self) -> Phase: ...

    @property
    def hold(self) -> Hold | None: ...

    @property
    def overrides(self) -> tuple[Override, ...]: ...


def closure(
    spec: EndpointSpec, history: History, asked: Asked, now: datetime, *, tick: timedelta = TICK
) -> Closure | None:
    """Returns the closed window that is in force at an aware moment; None: there is none."""
    lead = lead_time(history)
    ahead = _closes_at(spec, now, lead) if asked.phase is Phase.ASLEEP else None
    bounds = bounds_at(spec, ahead or now)
    if bounds.name is None or not bounds.is_closed or _is_opened(asked, ahead or now):
        return None
    until = _reopens_at(spec, ahead or now) or now + LONG_HORIZON
    wakes_at = until - lead - tick
    if wakes_at <= (ahead or now):
        return None
    return Closure(bounds.name, until, wakes_at, ahead)


def _closes_at(spec: EndpointSpec, now: datetime, lead: timedelta) -> datetime | None:
    """The start of a closed window before which nothing that began now would serve."""
    if bounds_at(spec, now).is_closed:
        return None
    edge = next_edge(spec, now)
    soon = edge is not None and edge - now <= lead
    return edge if edge is not None and soon and bounds_at(spec, edge).is_closed else None


def bounds_when_open(spec: EndpointSpec, now: datetime) -> WindowBounds:
    """Returns the bounds at a moment; in a closed window, which allows nothing, those that follow
    it, without their minimum: for who is woken in it all the same."""
    bounds = bounds_at(spec, now)
    if not bounds.is_closed:
        return bounds
    end = _reopens_at(spec, now)
    if end is None:
        return replace(bounds, max_copies=spec.scaling.max_copies)
    return replace(bounds_at(spec, end), name=bounds.name, min_copies=0, deferrable=False)


def _reopens_at(spec: EndpointSpec, now: datetime) -> datetime | None:
    """When a copy is allowed again; None: not once in all that the schedule repeats."""
    end, last = next_edge(spec, now), now + LONG_HORIZON
    while end is not None and end < last and bounds_at(spec, end).is_closed:
        end = next_edge(spec, end)
    return end if end is None or end < last else None


def _is_opened(asked: Asked, now: datetime) -> bool:
    held = asked.hold is not None and asked.hold.until > now
    return held or any(one.kind in _OPENING and one.until > now for one in asked.overrides)
