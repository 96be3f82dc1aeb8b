"""Quiet hours: whether something waits is read off the local clock at every look, never reckoned
ahead, so that a skipped or doubled hour of a clock change can neither lose nor prolong it. Pure."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from .events.base import Severity
from .routing import at_least
from .secret import QuietHours


def is_quiet(hours: QuietHours | None, now: datetime) -> bool:
    """Whether the local wall clock shows a time of [from, to)."""
    if hours is None:
        return False
    local = now.astimezone(ZoneInfo(hours.time_zone)).time()
    if hours.start < hours.end:
        return hours.start <= local < hours.end
    return local >= hours.start or local < hours.end


def waits_for_morning(hours: QuietHours | None, severity: Severity, now: datetime) -> bool:
    """Whether it is held back now. A critical one never is, whatever the hours are."""
    if hours is None or at_least(severity, hours.let_through):
        return False
    return is_quiet(hours, now)
