"""What was spent of the budgets that a report names: of the endpoints' and of the stack's. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from ..catalog.prices import PriceBook
from ..endpoints.status import EndpointRecord
from ..spec import Limits
from .billed import clip, still_open, usd
from .budget_use import BudgetUse, DailyBudget
from .periods import Period, PeriodKind
from .usual import with_forecast

_MICROSECOND, _NOON = timedelta(microseconds=1), timedelta(hours=12)


@dataclass(frozen=True)
class StackMoney:
    """The stack's limits, and what all endpoints spent of the UTC month that runs, removed ones
    too."""

    limits: Limits
    month_usd: Decimal
    forecast_usd: Decimal | None


@dataclass(frozen=True)
class BudgetDates:
    """The UTC days and the UTC month that a report's budgets are of, and when it is written.

    Of a period that is over they are the days whose noon lies in it: local days have other
    midnights, and so each UTC day is of one report, the one that most of it lies in; and the month
    is that of the last of them. Of a period that runs they are the days that it touched until now,
    the last so far, and the month that runs.
    """

    now: datetime
    days: Sequence[date]
    past_month: str | None  # None: the month still runs

    @classmethod
    def of(cls, period: Period, now: datetime) -> BudgetDates:
        """`all` ends when it is written, and counts as running."""
        if now < period.end or period.kind is PeriodKind.ALL:
            until = min(now, period.end)
            return cls(now, _days(period.start, until) if period.start < until else (), None)
        days = _days(period.start + _NOON - _MICROSECOND, period.end - _NOON)
        month = f"{days[-1]:%Y-%m}" if days else None
        return cls(now, days, None if month == _running(now) else month)


def _days(start: datetime, until: datetime) -> Sequence[date]:
    """The UTC days that [start, until) touches."""
    first, last = start.astimezone(UTC).date(), (until - _MICROSECOND).astimezone(UTC).date()
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _running(now: datetime) -> str:
    return f"{now.astimezone(UTC):%Y-%m}"


def budget_of(
    record: EndpointRecord, spent: Mapping[date, Decimal], dates: BudgetDates, prices: PriceBook
) -> BudgetUse | None:
    """Dollars of the UTC month. Of the one that runs, what the tick reckons with, the open meter
    included, and of removed endpoints of its name: of shared machines that is the part that was
    known at each time. Of one that is over,
    `spent`: dollars by UTC day from the ledger, for a status forgets them. None: it has no such
    budget."""
    limit, now = record.spec.budget.monthly_usd, dates.now
    if limit is None:
        return None
    if dates.past_month:
        return _past(limit, spent, dates.past_month)
    status, month = record.status, _running(now)
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    clipped = (clip(s, first, now) for s in still_open([record], (), prices, now))
    closed = status.spent_usd if status.spent_in == month else Decimal(0)
    before, _ = record.stack.spent_before(status.name, status.created_at, now)
    total = before + closed + sum((usd(s) for s in clipped if s is not None), Decimal(0))
    use = BudgetUse(month=month, monthly_usd=limit, spent_usd=total)
    return with_forecast(use, record, now)


def stack_budget(
    stack: StackMoney | None, spent: Mapping[date, Decimal], dates: BudgetDates
) -> BudgetUse | None:
    """The stack's, of the same month; `spent`: by all endpoints. None: it has none."""
    if stack is None or stack.limits.monthly_usd is None:
        return None
    if dates.past_month:
        return _past(stack.limits.monthly_usd, spent, dates.past_month)
    return BudgetUse(
        month=_running(dates.now),
        monthly_usd=stack.limits.monthly_usd,
        spent_usd=stack.month_usd,
        forecast_usd=stack.forecast_usd,
    )


def _past(limit: Decimal, spent: Mapping[date, Decimal], month: str) -> BudgetUse:
    """All of a month that is over: nothing is left to foretell."""
    total = sum((usd for day, usd in spent.items() if f"{day:%Y-%m}" == month), Decimal(0))
    return BudgetUse(month=month, monthly_usd=limit, spent_usd=total)


def daily_budget(
    limit: Decimal | None, spent: Mapping[date, Decimal], days: Sequence[date]
) -> DailyBudget | None:
    """Of the report's UTC days; `spent`: dollars by UTC day, whole days. None: there is no such
    budget, or no such day."""
    if limit is None or not days:
        return None
    return DailyBudget(
        day=days[-1],
        daily_usd=limit,
        spent_usd=spent.get(days[-1], Decimal(0)),
        days=len(days),
        days_over=sum(spent.get(day, Decimal(0)) > limit for day in days),
    )
