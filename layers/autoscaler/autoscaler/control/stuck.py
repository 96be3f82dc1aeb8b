"""An endpoint that stays in a phase for longer than its flow may take: people are told.

Each flow has its own deadlines and tries again; what is found here has outlived all of them, or
an instance is billed meanwhile that nobody wants.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ..endpoints.status import EndpointStatus
from ..policy.types import Phase

# Somewhat longer than the state machines take at most with the template's longest parameters; a
# sleep and a retirement sooner, because what is still there is billed.
LONGEST = {
    Phase.STAGING: timedelta(hours=9),
    Phase.CREATING: timedelta(hours=6),
    Phase.WAKING: timedelta(hours=2),
    Phase.SLEEPING: timedelta(minutes=30),
    Phase.UPDATING: timedelta(hours=12),
    Phase.RETIRING: timedelta(hours=1),
}


def is_stuck(status: EndpointStatus, now: datetime) -> bool:
    """Whether it should have left its phase by now."""
    longest = LONGEST.get(status.phase)
    return longest is not None and now - status.phase_since >= longest


def token(status: EndpointStatus) -> str:
    """What was told: another stay in the phase is another one."""
    return f"{status.phase}#{status.phase_since.isoformat()}"
