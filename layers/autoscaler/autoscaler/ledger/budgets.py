"""What was spent of the budgets that a report names: of the endpoints' and of the stack's. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from ..endpoints.status import EndpointRecord
from ..spec import Limits
from .billed import Prices, clip, still_open, usd
from .budget_use import BudgetUse, DailyBudget
from .usual import with_forecast

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class StackMoney:
    """The stack's limits, and what all endpoints spent of this UTC month, removed ones too."""

    limits: Limits
    month_usd: Decimal
    forecast_usd: Decimal | None


def budget_of(record: EndpointRecord, now: datetime, prices: Prices) -> BudgetUse | None:
    """Dollars of the present UTC month, the open meter included: what the tick reckons with. Of
    shared machines that is the part that was known at each time. None: it has no such budget."""
    limit = record.spec.budget.monthly_usd
    if limit is None:
        return None
    status, month = record.status, f"{now:%Y-%m}"
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    clipped = (clip(s, first, now) for s in still_open([record], (), prices, now))
    closed = status.spent_usd if status.spent_in == month else Decimal(0)
    spent = closed + sum((usd(s) for s in clipped if s is not None), Decimal(0))
    use = BudgetUse(month=month, monthly_usd=limit, spent_usd=spent)
    return with_forecast(use, record, now)


def stack_budget(stack: StackMoney | None, now: datetime) -> BudgetUse | None:
    """The stack's, of the same month; None: it has none."""
    if stack is None or stack.limits.monthly_usd is None:
        return None
    return BudgetUse(
        month=f"{now:%Y-%m}",
        monthly_usd=stack.limits.monthly_usd,
        spent_usd=stack.month_usd,
        forecast_usd=stack.forecast_usd,
    )


def daily_budget(
    limit: Decimal | None, spent: Mapping[date, Decimal], start: datetime, until: datetime
) -> DailyBudget | None:
    """Of the UTC days that the period touches; `spent`: dollars by UTC day, whole days. None: there
    is no such budget, or no such day."""
    if limit is None or start >= until:
        return None
    first, last = start.astimezone(UTC).date(), (until - _MICROSECOND).astimezone(UTC).date()
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return DailyBudget(
        day=last,
        daily_usd=limit,
        spent_usd=spent.get(last, Decimal(0)),
        days=len(days),
        days_over=sum(spent.get(day, Decimal(0)) > limit for day in days),
    )
