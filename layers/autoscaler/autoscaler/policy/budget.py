"""What the endpoint may still spend, in dollars of the month and in wakes of the day."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ..spec import EndpointSpec
from .allowance import Allowance
from .types import Observation, Reason, ReasonCode
from .wording import at_utc, counted


def is_spent(spec: EndpointSpec, observation: Observation) -> bool:
    """True when the month's dollars are gone."""
    budget = spec.budget.monthly_usd
    return budget is not None and observation.spent_this_month_usd >= budget


def within_budget(allowance: Allowance, spec: EndpointSpec, observation: Observation) -> Allowance:
    """Caps a spent endpoint to one copy that sleeps when idle; its requests are still answered."""
    if not is_spent(spec, observation):
        return allowance
    capped = replace(allowance, min_copies=0, max_copies=1)
    return capped.because(
        ReasonCode.BUDGET_SPENT,
        f"${observation.spent_this_month_usd:,.2f} of ${spec.budget.monthly_usd:,.2f} are spent "
        "this month: at most 1 copy, no minimum, asleep when idle.",
    )


def obstacle_to_wake(
    allowance: Allowance, spec: EndpointSpec, observation: Observation, now: datetime
) -> Reason | None:
    """Returns why a wake that is wanted must wait, or None."""
    retry_at = observation.retry_at
    if retry_at is not None and retry_at > now:
        text = f"The last wake failed: the next try is at {at_utc(retry_at)}."
        return Reason(ReasonCode.BACKING_OFF, text)
    most = spec.budget.wakes_per_day
    if observation.wakes_today >= most and not allowance.held:
        waiting = counted(observation.backlog or 0, "request")
        text = f"{observation.wakes_today} of {most} wakes are spent today: {waiting} and all "
        return Reason(ReasonCode.WAKES_SPENT, f"{text}windows wait until 00:00 UTC, or for a hold.")
    return None
