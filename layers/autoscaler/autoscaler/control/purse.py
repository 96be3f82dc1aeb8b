"""What an endpoint has spent and may spend, and whether anything bars it from waking."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TypedDict

from ..endpoints.spending import foretold_of
from ..endpoints.status import Cause, EndpointRecord
from ..policy.budget import Halt, halted, is_spent
from ..policy.types import Observation, ReasonCode, StackLimit, StackWakes, Stop
from .metering import settled
from .spent import spent_this_month, spent_today


class BarredError(ValueError):
    """It may not wake now: the kill switch is on, or a budget that ends in sleep is spent."""


class Purse(TypedDict):
    """The part of an observation that is about money and about the kill switch."""

    spent_this_month_usd: Decimal
    spent_today_usd: Decimal
    unseen_this_month_usd: Decimal
    unseen_today_usd: Decimal
    forecast_over_usd: Decimal | None
    stack_limit: StackLimit | None
    stack_wakes: StackWakes | None
    stopped: Stop | None


def purse(record: EndpointRecord, now: datetime) -> Purse:
    """What the policy is told of it. Instances count from when they are asked for, so that what
    comes cannot pass a budget; what came instead and is dearer, as it is."""
    name, budget, seen = record.status.name, record.spec.budget, settled(record)
    asked, asked_today = spent_of(record, now)
    there, there_today = spent_of(seen, now)
    month, today = max(asked, there), max(asked_today, there_today)
    over = record.status.forecast_told == f"{now:%Y-%m}"
    return {
        "spent_this_month_usd": month,
        "spent_today_usd": today,
        "unseen_this_month_usd": month - there,
        "unseen_today_usd": today - there_today,
        "forecast_over_usd": forecast(record, now) if over else None,
        "stack_limit": record.stack.limit_of(budget.priority, now),
        "stack_wakes": record.stack.wakes_spent(now),
        "stopped": record.stack.stop_of(name),
    }


def spent_of(record: EndpointRecord, now: datetime) -> tuple[Decimal, Decimal]:
    """Dollars of this UTC month and of this day, of earlier endpoints of its name too: to delete
    and apply it again is no new budget."""
    status = record.status
    month, today = record.stack.spent_before(status.name, status.created_at, now)
    return month + spent_this_month(record, now), today + spent_today(record, now)


def forecast(record: EndpointRecord, now: datetime) -> Decimal | None:
    """What its month will probably cost; None: too little was seen, or no price is known."""
    month, _ = spent_of(record, now)
    return foretold_of(record, month, now)


def barred(record: EndpointRecord, now: datetime) -> Halt | None:
    """Why nothing may wake it, by the policy's own rule; None: something may."""
    return halted(record.spec, _money_alone(record, now), now)


def capped(record: EndpointRecord, now: datetime) -> bool:
    """Whether a budget leaves it one copy at most, and that only for what asks for it."""
    return is_spent(record.spec, _money_alone(record, now))


def _money_alone(record: EndpointRecord, now: datetime) -> Observation:
    status = record.status
    return Observation(
        phase=status.phase,
        phase_since=status.phase_since,
        desired_copies=status.desired_copies,
        observed_copies=status.observed_copies,
        bounds=status.bounds,
        backlog=None,
        in_flight=None,
        **purse(record, now),
    )


def cause_of(halt: Halt) -> Cause:
    """Under which cause it goes to zero."""
    return Cause.STOPPED if halt.reason.code is ReasonCode.STOPPED else Cause.BUDGET
