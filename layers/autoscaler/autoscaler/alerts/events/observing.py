"""Observe mode: that it began and ended, and what was decided in it and not done."""

from __future__ import annotations

from ...endpoints.withheld import Would
from ..money import Money
from .base import Event, Seconds, Severity


class ObservingBegan(Event):
    """The stack changes nothing from now on."""

    salient = ("at",)

    generation: int = 0

    @property
    def severity(self) -> Severity:
        return Severity.WARNING


class ObservingEnded(Event):
    """The stack acts again. `would_have_saved_usd`: of all its endpoints, while it observed."""

    salient = ("at",)

    generation: int = 0
    since_seconds: Seconds
    would_have_saved_usd: Money

    @property
    def severity(self) -> Severity:
        return Severity.WARNING


class ChangeWithheld(Event):
    """What would have been done now. `saves_usd_per_hour`: dollars that it would cost less than
    what is there, negative: more; None: a price is not known. `saved_usd`: what the change that was
    withheld before, and is over now, would have saved."""

    salient = ("would", "at")

    would: Would
    before: int  # copies that there are
    after: int
    saves_usd_per_hour: Money | None = None
    saved_usd: Money | None = None
    reasons: tuple[str, ...] = ()
