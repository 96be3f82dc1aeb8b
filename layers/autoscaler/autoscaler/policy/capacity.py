"""Copies that were asked for and do not come: no more are asked for, for a while. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from .allowance import Allowance
from .types import Observation, ReasonCode
from .wording import at_utc, counted


def within_reach(allowance: Allowance, observation: Observation, now: datetime) -> Allowance:
    """Caps an endpoint that serves at what came: what does not come up is tried on and paid for."""
    reach = observation.reach
    if reach is None or reach.until <= now or reach.copies >= allowance.max_copies:
        return allowance
    most = max(1, reach.copies)
    near = replace(allowance, min_copies=min(allowance.min_copies, most), max_copies=most)
    return near.because(
        ReasonCode.OUT_OF_REACH,
        f"More than {counted(most, 'copy')} did not come up: tried again at {at_utc(reach.until)}.",
    )
