"""Capacity that serves when a window opens, instead of starting then."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil

from ..spec import EndpointSpec, format_duration
from .allowance import Allowance
from .schedule import bounds_at, edges_between
from .types import History, ReasonCode
from .wording import counted

DEFAULT_LEAD_TIME = timedelta(seconds=300)
TICK = timedelta(seconds=60)  # the look that sees a window near may come so much later


def lead_time(history: History) -> timedelta:
    """Returns the p90 (nearest rank) of this endpoint's own cold starts, or the default."""
    measured = sorted(history.lead_times)
    if not measured:
        return DEFAULT_LEAD_TIME
    return measured[ceil(0.9 * len(measured)) - 1]


def foreseen(
    allowance: Allowance,
    spec: EndpointSpec,
    history: History,
    now: datetime,
    *,
    awake: bool = False,
) -> Allowance:
    """Raises the minimum to that of a window which opens within the lead time and a tick.

    An endpoint that is awake keeps one copy for a window twice as far away: going to sleep and
    starting again would take that long, and pay for an instance all the while.
    """
    lead = lead_time(history) + TICK
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
