"""Copies and bounds that changed, capacity that did not come, and what decisions lack for it."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from ...policy.ladder import TryOutcome
from ...policy.types import Bounds, ReasonCode
from .base import HOUR, Event, Severity

_CAPACITY_TRIES_UNTIL_CRITICAL = 3


class CopiesChanged(Event):
    """An endpoint that is awake was asked to have more or fewer copies."""

    salient = ("generation", "at")

    before: int
    after: int
    reasons: tuple[str, ...] = ()


class BoundsChanged(Event):
    """Other copies are allowed now, by the file, a window or a hold. `window`: the one in force."""

    salient = ("generation", "at")

    before: Bounds
    after: Bounds
    window: str | None = None


class CapacityMissing(Event):
    """A wake ended without an answer; it is tried again at `retry_at`."""

    salient = ("generation", "attempt")

    instance_types: tuple[str, ...]
    attempt: int
    retry_at: AwareDatetime | None = None  # None: at once
    failure: str | None = None
    outcome: TryOutcome = TryOutcome.CAPACITY
    rung: int = 1  # of the ladder, from 1 on, of so many
    rungs: int = 1
    next_types: tuple[str, ...] = ()
    circuit_open: bool = False  # no try is worth its price before `retry_at`
    fallback: str | None = None  # the endpoint that answers meanwhile

    @property
    def severity(self) -> Severity:
        many = self.attempt >= _CAPACITY_TRIES_UNTIL_CRITICAL or self.circuit_open
        return Severity.CRITICAL if many else Severity.WARNING


class CopiesMissing(Event):
    """It serves with fewer copies than it was asked to have, and asks for no more until `until`."""

    salient = ("until",)

    current: int
    wanted: int
    failure: str
    until: AwareDatetime

    @property
    def severity(self) -> Severity:
        return Severity.WARNING


class ScalingMissing(Event):
    """It is awake and answers, and not all that scales it between two ticks could be put."""

    failure: str

    @property
    def severity(self) -> Severity:
        return Severity.WARNING


class WakeDelayed(Event):
    """A wake is wanted and has to wait: the day's wakes are spent, the last one failed, a person
    put it to sleep even for requests, or a window is closed, which surprises nobody."""

    salient = ("day", "reason")

    reason: Literal[ReasonCode.WAKES_SPENT, ReasonCode.BACKING_OFF, ReasonCode.REQUESTS_HELD_BACK]
    waiting: int | None  # requests; None: the signal is missing
    until: AwareDatetime
    wakes_today: int
    stack_wakes: int | None = None  # of the whole stack, if those are what is spent
    window: str | None = None  # the one that is closed, if that is why

    @property
    def day(self) -> str:
        return f"{self.at:%Y-%m-%d}"

    @property
    def severity(self) -> Severity:
        return Severity.INFO if self.window else Severity.WARNING


class SignalMissing(Event):
    """A metric that decisions need does not arrive; it is never taken for a zero."""

    salient = ("signal", "since")  # one that came back and went again is told again
    repeat_seconds = HOUR

    signal: str
    since: AwareDatetime | None = None  # None: of an older sender

    @property
    def severity(self) -> Severity:
        return Severity.WARNING
