"""What the endpoint may still spend, in dollars of the month and the day and in wakes of the day.

Months and days are UTC's, as AWS bills them. Of several limits that are reached the hardest counts:
to sleep is harder than to be capped at one copy, and an alert asks for nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from ..spec import EndpointSpec, OnForecast, WhenSpent
from .allowance import Allowance
from .types import Observation, Reason, ReasonCode, StackLimit, Stop
from .wording import at_utc, counted

_HARDNESS = {WhenSpent.ALERT: 0, WhenSpent.CAP: 1, WhenSpent.SLEEP: 2}
_CAPPED = "at most 1 copy, no minimum, asleep when idle."
_PERIODS = {"month": "this month", "day": "today"}
_WITH_UNSEEN = " if all instances that were asked for had come"


@dataclass(frozen=True)
class Bound:
    """A limit that is reached, and what it asks for."""

    code: ReasonCode
    action: WhenSpent
    text: str  # what is spent, without what follows from it
    per: str = "month"  # or "day": the UTC time after which it is over
    with_unseen: bool = False  # only with instances that were asked for and did not come yet


def binding(spec: EndpointSpec, observation: Observation) -> Bound | None:
    """Returns the hardest limit that is reached and does something, of equals the one that lasts
    longest; None: there is none."""
    hard = [one for one in _reached(spec, observation) if one.action is not WhenSpent.ALERT]
    return max(hard, key=lambda one: (_HARDNESS[one.action], one.per == "month"), default=None)


def hardest(limits: Sequence[StackLimit]) -> StackLimit | None:
    """Of what the stack's budget asks of an endpoint, what counts; None: nothing."""
    hard = [one for one in limits if one.action is not WhenSpent.ALERT]
    return max(hard, key=lambda one: _HARDNESS[one.action], default=None)


def yields_at(priorities: Sequence[int]) -> dict[int, int]:
    """At which percentage of the stack's budget each priority yields: the highest that there is
    at 100, each one below ten earlier, and none before half."""
    present = sorted(set(priorities), reverse=True)
    return {priority: max(50, 100 - 10 * rank) for rank, priority in enumerate(present)}


def is_spent(spec: EndpointSpec, observation: Observation) -> bool:
    """True when some limit allows one copy at most."""
    return binding(spec, observation) is not None


def within_budget(allowance: Allowance, spec: EndpointSpec, observation: Observation) -> Allowance:
    """Caps a spent endpoint to one copy that sleeps when idle; its requests are still answered."""
    bound = binding(spec, observation)
    if bound is None:
        return allowance
    capped = replace(allowance, min_copies=0, max_copies=1)
    return capped.because(bound.code, f"{bound.text}: {_CAPPED}")


@dataclass(frozen=True)
class Halt:
    """Why it must be at zero, and until when; None: until a person takes it back."""

    reason: Reason
    until: datetime | None


def halted(spec: EndpointSpec, observation: Observation, now: datetime) -> Halt | None:
    """Returns why it must be at zero whatever waits, is held or is scheduled; None: it need not."""
    if stop := observation.stopped:
        return Halt(Reason(ReasonCode.STOPPED, f"{stopped_text(stop)}."), None)
    bound = binding(spec, observation)
    if bound is None or bound.action is not WhenSpent.SLEEP:
        return None
    until = period_end(bound.per, now)
    text = f"{bound.text}: it sleeps until {at_utc(until)}, or until a person raises the budget."
    if bound.with_unseen:  # what does not come is not spent, so that it may be tried again
        text = f"{bound.text}: it goes to zero, or stays there, and only what comes counts."
    return Halt(Reason(bound.code, text), until)


def stopped_text(stop: Stop) -> str:
    """What the kill switch says wherever it is told of: since when, by whom and why."""
    why = stop.reason.rstrip(".")
    back = f"autoscaler start {stop.endpoint}".rstrip()
    what = stop.endpoint or "Everything"
    return (
        f"{what} is stopped since {at_utc(stop.since)} by {stop.author}: {why}; nothing wakes "
        f"until `{back}`"
    )


def period_end(per: str, now: datetime) -> datetime:
    """The end of the UTC month or day that holds `now`."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if per == "day":
        return midnight + timedelta(days=1)
    return (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)


def obstacle_to_wake(
    allowance: Allowance, spec: EndpointSpec, observation: Observation, now: datetime
) -> Reason | None:
    """Returns why a wake that is wanted must wait, or None."""
    retry_at = observation.retry_at
    if retry_at is not None and retry_at > now:
        text = f"The last wake failed: the next try is at {at_utc(retry_at)}."
        return Reason(ReasonCode.BACKING_OFF, text)
    spent = _wakes_spent(spec, observation)
    if spent and not allowance.held:
        waiting = counted(observation.backlog or 0, "request")
        text = f"{spent} are spent today: {waiting} and all windows wait until 00:00 UTC, or for a "
        return Reason(ReasonCode.WAKES_SPENT, f"{text}hold.")
    return None


def _wakes_spent(spec: EndpointSpec, observation: Observation) -> str:
    """Which wakes of the day are spent, its own first; empty: it has some left."""
    if observation.wakes_today >= (most := spec.budget.wakes_per_day):
        return f"{observation.wakes_today} of {most} wakes"
    if stack := observation.stack_wakes:
        return f"{stack.wakes} of {stack.most} wakes of the whole stack"
    return ""


def _reached(spec: EndpointSpec, observation: Observation) -> Iterator[Bound]:
    budget = spec.budget
    for per, spent, unseen, limit in (
        (
            "month",
            observation.spent_this_month_usd,
            observation.unseen_this_month_usd,
            budget.monthly_usd,
        ),
        ("day", observation.spent_today_usd, observation.unseen_today_usd, budget.daily_usd),
    ):
        if limit is not None and spent >= limit:
            early = spent - unseen < limit
            verb = "would be spent" if early else "are spent"
            text = f"{_of(spent, limit)} {verb} {_PERIODS[per]}{_WITH_UNSEEN if early else ''}"
            yield Bound(ReasonCode.BUDGET_SPENT, budget.when_spent, text, per, early)
    if stack := observation.stack_limit:
        code, text = ReasonCode.STACK_BUDGET_SPENT, _stack_text(stack)
        yield Bound(code, stack.action, text, stack.per, stack.with_unseen)
    forecast, monthly = observation.forecast_over_usd, budget.monthly_usd
    if forecast is not None and monthly is not None and budget.on_forecast is OnForecast.CAP:
        text = f"The month will probably cost {_usd(forecast)} of {_usd(monthly)}"
        yield Bound(ReasonCode.FORECAST_OVER, WhenSpent.CAP, text)


def _stack_text(stack: StackLimit) -> str:
    of = _of(stack.spent_usd, stack.budget_usd)
    if stack.by_forecast:
        return f"The stack's month will probably cost {of}"
    has = "would have" if stack.with_unseen else "has"
    spent = f"The stack {has} spent {of} {_PERIODS[stack.per]}"
    early = _WITH_UNSEEN if stack.with_unseen else ""
    return f"{spent}{early}, and it yields at {stack.yields_at} %"


def _of(spent: Decimal, limit: Decimal) -> str:
    return f"{_usd(spent)} of {_usd(limit)}"


def _usd(money: Decimal) -> str:
    return f"${money:,.2f}"
