"""An endpoint that stays in a phase for longer than its flow may take: people are told.

Each flow has its own deadlines and tries again; what is found here has outlived all of them, or
an instance is billed meanwhile that nobody wants.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ..endpoints.status import EndpointStatus
from ..policy.types import Phase
from .size import needs_shape

# Somewhat longer than the state machines take at most with the template's longest parameters; a
# sleep and a retirement sooner, because what is still there is billed.
LONGEST = {
    Phase.STAGING: timedelta(hours=9),
    Phase.CREATING: timedelta(hours=6),
    Phase.SLEEPING: timedelta(minutes=30),
    Phase.UPDATING: timedelta(hours=12),
    Phase.RETIRING: timedelta(hours=1),
}
# What a wake is waited for, times over, until its endpoint has another rung's config: the deadline
# of reshape_capacity (tests/contract/test_deadlines.py compares them).
RESHAPE_WAKES = 3
# A probe asks twelve times, each up to 120 s with 30 s between: half an hour. Calls that are
# throttled wait 40 times 34 s at most: 23 minutes.
MARGIN = timedelta(hours=1)


def is_stuck(status: EndpointStatus, now: datetime, wake: timedelta) -> bool:
    """Whether it should have left its phase by now. `wake`: what a copy is waited for
    (the template's WakeSeconds)."""
    if status.phase is Phase.WAKING:
        return now >= _awake_by(status, wake)
    longest = LONGEST.get(status.phase)
    return longest is not None and now - status.phase_since >= longest


def _awake_by(status: EndpointStatus, wake: timedelta) -> datetime:
    """When a wake has outlived its deadlines: it waits for a copy from its first look on, and
    another rung of the ladder comes before that."""
    if status.asked_at is not None:
        return status.asked_at + wake + MARGIN
    if not needs_shape(status):
        return status.phase_since + MARGIN
    rolled = max(0, status.desired_copies - 1)  # copies are replaced one after the other
    return status.phase_since + (RESHAPE_WAKES + rolled) * wake + MARGIN


def token(status: EndpointStatus) -> str:
    """What was told: another stay in the phase is another one."""
    return f"{status.phase}#{status.phase_since.isoformat()}"
