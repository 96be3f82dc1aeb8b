"""What the policy weighs against each other: the prices of a copy, of its start, and of waiting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from ..spec import EndpointSpec
from .types import History, Observation

# Of a start of which nothing is known; a small model took so long from zero (FACTS.md).
DEFAULT_LEAD_TIME = timedelta(seconds=300)
TICK = timedelta(seconds=60)  # between two looks at the clock
# From scaling in until SageMaker has given the instance back: FACTS.md, "release".
RELEASE = timedelta(seconds=60)
# A wait that nobody minds: the first token of a busy model takes as long.
FREE_WAIT = timedelta(seconds=10)


@dataclass(frozen=True)
class Economy:
    """Prices in dollars a second, times in seconds."""

    copy_usd: float  # of one copy, a second
    waiting_usd: float  # of one request that waits, a second
    lead_seconds: float
    release_seconds: float = RELEASE.total_seconds()

    @property
    def start_usd(self) -> float:
        """What a start bills without serving anything: until it is ready, and its release."""
        return self.copy_usd * (self.lead_seconds + self.release_seconds)


def lead_time(history: History) -> timedelta:
    """Returns how long a start takes: the p90 (nearest rank) of this endpoint's own cold starts.

    Until one was measured, what its creation took; without that what its model's size lets expect,
    and no less than the default; else the default.
    """
    if history.lead_times:
        return p90(history.lead_times)
    if history.created_in is not None:
        return history.created_in
    return max(history.estimated_start or DEFAULT_LEAD_TIME, DEFAULT_LEAD_TIME)


def p90(lead_times: Sequence[timedelta]) -> timedelta:
    """Nearest rank, of one at least."""
    return sorted(lead_times)[ceil(0.9 * len(lead_times)) - 1]


def worth_asking_after(history: History) -> timedelta:
    """Returns when a start is first worth a look for what waits for it.

    A creation may have waited for capacity, and an estimate is on the long side: a request that
    trusted either would wait on for a copy that serves.
    """
    lead = lead_time(history)
    return lead if history.lead_times else min(lead, DEFAULT_LEAD_TIME)


def economy(spec: EndpointSpec, observation: Observation, history: History) -> Economy | None:
    """Returns the prices; None when that of a copy is not known, or is nothing."""
    if not observation.usd_per_copy_hour:
        return None
    return Economy(
        copy_usd=observation.usd_per_copy_hour / 3600,
        waiting_usd=float(spec.scaling.waiting_usd_per_request_minute) / 60,
        lead_seconds=lead_time(history).total_seconds(),
    )
