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


def lead_time(history: History) -> timedelta:
    """Returns the p90 (nearest rank) of this endpoint's own cold starts, or the default."""
    measured = sorted(history.lead_times)
    if not measured:
        return DEFAULT_LEAD_TIME
    return measured[ceil(0.9 * len(measured)) - 1]


def foreseen(
    allowance: Allowance, spec: EndpointSpec, history: History, now: datetime
) -> Allowance:
    """Raises the minimum to that of a window which opens within the lead time."""
    lead = lead_time(history)
    edges = edges_between(spec, now, now + lead)
    ahead = max(
        ((bounds_at(spec, edge), edge) for edge in edges),
        key=lambda pair: pair[0].min_copies,
        default=None,
    )
    if ahead is None or ahead[0].min_copies <= allowance.min_copies:
        return allowance
    bounds, edge = ahead
    source = f"Window {bounds.name} opens" if bounds.name else "The schedule changes"
    raised = replace(
        allowance,
        min_copies=bounds.min_copies,
        max_copies=max(allowance.max_copies, bounds.min_copies),
    )
    return raised.because(
        ReasonCode.WINDOW_AHEAD,
        f"{source} in {format_duration(edge - now)} and a start takes {format_duration(lead)}: "
        f"at least {counted(bounds.min_copies, 'copy')} already now.",
    )
