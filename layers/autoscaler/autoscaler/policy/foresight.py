"""Capacity that serves when demand comes, instead of starting then: for a window, or by pattern."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ..spec import EndpointSpec, format_duration
from .allowance import Allowance
from .economy import TICK, Economy, lead_time
from .pattern import LAID_FROM, SLOT_SECONDS, Pattern, clock_of, expected_ends
from .resting import look_ahead
from .schedule import bounds_at, edges_between, zone_of
from .types import History, Observation, Reason, ReasonCode
from .wording import counted

# Fewer idle times than this are no pattern.
_LEAST_GAPS = 6.0
# An idle time over which the pattern expected so many ends had, by the pattern itself, a chance of
# e^-4 = 2 % to last: it is the pattern that has stopped.
_MOST_MISSED = 4.0
# Nothing repeats itself in the week that has not come for so long.
_LONGEST_BELIEVED = timedelta(days=8)


def foreseen(
    allowance: Allowance,
    spec: EndpointSpec,
    history: History,
    now: datetime,
    *,
    tick: timedelta = TICK,
    awake: bool = False,
) -> Allowance:
    """Raises the minimum to that of a window which opens within the lead time and a tick.

    An endpoint that is awake keeps one copy for a window twice as far away: going to sleep and
    starting again would take that long, and pay for an instance all the while.
    """
    lead = lead_time(history) + tick  # the look that sees it near may come a tick later
    raised = _raised(allowance, spec, now, lead, most=None)
    if awake and raised is allowance:
        return _raised(allowance, spec, now, 2 * lead, most=1)
    return raised


def _raised(
    allowance: Allowance, spec: EndpointSpec, now: datetime, lead: timedelta, most: int | None
) -> Allowance:
    edges = edges_between(spec, now, now + lead)
    ahead = max(
        ((bounds_at(spec, edge), edge) for edge in edges),
        key=lambda pair: pair[0].min_copies,
        default=None,
    )
    if ahead is None:
        return allowance
    bounds, edge = ahead
    copies = bounds.min_copies if most is None else min(bounds.min_copies, most)
    if copies <= allowance.min_copies:
        return allowance
    source = f"Window {bounds.name} opens" if bounds.name else "The schedule changes"
    takes = "a start takes" if most is None else "a sleep and a start take"
    raised = replace(allowance, min_copies=copies, max_copies=max(allowance.max_copies, copies))
    return raised.because(
        ReasonCode.WINDOW_AHEAD,
        f"{source} in {format_duration(edge - now)} and {takes} {format_duration(lead)}: "
        f"at least {counted(copies, 'copy')} already now.",
    )


def pattern_ahead(
    spec: EndpointSpec,
    observation: Observation,
    history: History,
    prices: Economy | None,
    now: datetime,
) -> Reason | None:
    """Returns why an endpoint that sleeps shall start before anyone asks, or None.

    A start ahead that nobody then needs was an end that was expected and not seen. After a few of
    those in one idle time the pattern is not believed until a request comes again.
    """
    pattern, active = history.pattern, observation.last_active_at
    if prices is None or active is None or pattern.gaps.total < _LEAST_GAPS:
        return None
    ahead = look_ahead(spec, pattern, prices, active, now)
    if not ahead.start or _has_stopped(spec, pattern, active, now):
        return None
    within = format_duration(timedelta(seconds=ahead.within_seconds))
    return Reason(
        ReasonCode.PATTERN_AHEAD,
        f"By {counted(round(pattern.gaps.total), 'idle time')} of its own, requests come within "
        f"{within} with a chance of {ahead.chance:.0%}: a start now costs less than their wait.",
    )


def _has_stopped(spec: EndpointSpec, pattern: Pattern, active: datetime, now: datetime) -> bool:
    """True when by the pattern a request should have come long ago."""
    began, zone = active.astimezone(UTC), ZoneInfo(zone_of(spec))
    age, idle = LAID_FROM.total_seconds(), (now - active).total_seconds()
    if idle > _LONGEST_BELIEVED.total_seconds():
        return True
    hazards, missed = pattern.gaps.hazards, 0.0
    while age < idle:
        until = min(idle, age + SLOT_SECONDS)
        slot, hour = clock_of((began + timedelta(seconds=age)).astimezone(zone))
        missed += pattern.risk(slot, hour) * expected_ends(hazards, age, until)
        age = until
    return missed >= _MOST_MISSED
