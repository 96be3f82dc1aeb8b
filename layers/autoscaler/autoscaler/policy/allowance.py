"""The copies that are allowed before demand is asked: by schedule, foresight, budget and hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from ..spec import EndpointSpec
from .closing import Closure, bounds_when_open
from .schedule import bounds_at, edges_between, zone_of
from .types import Override, Reason, ReasonCode
from .wording import spanned

_SHORTLY_AFTER = timedelta(minutes=15)  # how long a closed window is still given as a reason


@dataclass(frozen=True)
class Allowance:
    """At least and at most this many copies, and how long to stay awake when idle."""

    min_copies: int
    max_copies: int
    keep_alive: timedelta | None  # None: as learned
    held: bool = False  # a person's hold is in force: no sleep
    paused: bool = False  # no copy is taken away: no sleep
    sleeper: Override | None = None  # a person put it to sleep
    closed: Closure | None = None  # a closed window is in force
    reasons: tuple[Reason, ...] = ()

    @property
    def bar(self) -> Override | Closure | None:
        """What lets requests wait too, instead of waking it; of two, the one that lasts longer."""
        sleeper = self.sleeper
        if sleeper is None or not sleeper.even_for_requests:
            return self.closed
        if self.closed is None or self.closed.until < sleeper.until:
            return sleeper
        return self.closed

    def because(self, code: ReasonCode, text: str) -> Allowance:
        """The same with one reason more."""
        return replace(self, reasons=(*self.reasons, Reason(code, text)))


def scheduled(spec: EndpointSpec, now: datetime) -> Allowance:
    """Returns what the spec and the window that is open now allow."""
    bounds = bounds_when_open(spec, now)
    allowance = Allowance(bounds.min_copies, bounds.max_copies, bounds.keep_alive)
    span = spanned(bounds.min_copies, bounds.max_copies)
    if bounds_at(spec, now).is_closed:
        return allowance  # what follows from it is said with what a person asks for
    if bounds.name is not None:
        text = f"Window {bounds.name} is open: {span}."
        return allowance.because(ReasonCode.WINDOW_OPEN, text)
    if closed := _just_closed(spec, now):
        return allowance.because(ReasonCode.WINDOW_CLOSED, f"{closed}: {span} now.")
    if bounds.min_copies:
        return allowance.because(ReasonCode.MINIMUM_KEPT, f"The spec asks for {span} at any time.")
    return allowance


def _just_closed(spec: EndpointSpec, now: datetime) -> str | None:
    edges = edges_between(spec, now - _SHORTLY_AFTER, now)
    if not edges:
        return None
    name = bounds_at(spec, edges[-1] - timedelta(microseconds=1)).name
    local = edges[-1].astimezone(ZoneInfo(zone_of(spec)))
    return f"Window {name} closed at {local:%H:%M} ({zone_of(spec)})"
