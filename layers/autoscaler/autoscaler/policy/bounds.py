"""The last word: holds, and the bounds between which Application Auto Scaling (AAS) may move.

How the two do not fight. AAS tracks concurrency inside the bounds and sees no queue. So

* while a backlog needs copies, `bounds.min_copies` is raised to them: AAS cannot pull them back;
* the concurrency target is the same for both, so neither undoes a step of the other: copies that
  AAS added for concurrency are what our own reckoning asks for, and they are kept;
* copies fall only to a stabilized recommendation, which is below what AAS would add again;
* awake, the lower bound is never 0: only a SLEEP goes there, and that moves both bounds to 0
  first, because an alarm still in ALARM would put a copy back.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ..spec import EndpointSpec
from .allowance import Allowance
from .budget import is_spent
from .demand import Demand
from .types import Bounds, Hold, Observation, Reason, ReasonCode
from .wording import at_utc, counted

ZERO = Bounds(0, 0)


def with_hold(
    allowance: Allowance, spec: EndpointSpec, observation: Observation, now: datetime
) -> Allowance:
    """Raises the minimum to what a person holds, until the hold expires by itself.

    It may go beyond the present window up to the highest maximum, but not beyond a spent budget.
    """
    hold = observation.hold
    if hold is None or hold.until <= now:
        return allowance
    ceiling = allowance.max_copies if is_spent(spec, observation) else spec.highest_max_copies
    copies = min(max(hold.min_copies, allowance.min_copies), ceiling)
    held = replace(
        allowance,
        min_copies=copies,
        max_copies=max(allowance.max_copies, copies),
        held=True,
    )
    return held.because(ReasonCode.HELD, _hold_text(hold, copies))


def _hold_text(hold: Hold, copies: int) -> str:
    until = at_utc(hold.until)
    least = f"at {counted(copies, 'copy')} or more" if copies else "as it is"
    return f"Held {least} by {hold.author} until {until}: {hold.reason.rstrip('.')}."


def floor_awake(allowance: Allowance) -> int:
    """The fewest copies of an endpoint that is awake."""
    return max(1, allowance.min_copies)


def clamp(copies: int, allowance: Allowance) -> int:
    """Returns the copies that an endpoint which serves, or shall serve, may have."""
    return max(floor_awake(allowance), min(copies, allowance.max_copies))


def bounds_awake(allowance: Allowance, demand: Demand, copies: int) -> Bounds:
    """Returns the bounds around `copies`; see the top of this file."""
    needed = min(demand.backlog_copies, copies)
    return Bounds(max(floor_awake(allowance), needed), allowance.max_copies)


def capped(allowance: Allowance, demand: Demand) -> tuple[Reason, ...]:
    """Says so when demand asks for more than is allowed."""
    if demand.copies <= allowance.max_copies:
        return ()
    most = counted(allowance.max_copies, "copy")
    text = f"Demand asks for {counted(demand.copies, 'copy')}: {most} at most."
    return (Reason(ReasonCode.CAPPED, text),)
