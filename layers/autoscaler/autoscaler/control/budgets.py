"""Budgets that are being used up, of endpoints and of the stack: what is new of them, told once.

Months and days are UTC's. The forecast is told when it passes the budget, and when it has come
back by a twentieth, so that it does not flutter.

What is told as spent are instances that were seen. What was asked for and did not come yet counts
for who yields, as it does for an endpoint's own limits (`purse`): a budget must not be passed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from ..alerts.events.base import Event
from ..alerts.events.budgets import ForecastExceeded, ForecastRecovered
from ..alerts.events.costs import BudgetReached
from ..endpoints.stack_state import StackState, Yielding, life_of, name_of_life
from ..endpoints.status import EndpointRecord, EndpointStatus
from ..policy.budget import period_end, yields_at
from ..policy.types import StackLimit, StackWakes
from ..spec import Limits, OnForecast, WhenSpent
from .metering import settled
from .purse import forecast, spent_of

_RECOVERED = Decimal("0.95")  # of the budget


@dataclass(frozen=True)
class Books:
    """Dollars of one endpoint or of the stack. `forecast_usd` None: too little was seen."""

    month_usd: Decimal
    day_usd: Decimal
    forecast_usd: Decimal | None


@dataclass(frozen=True)
class Told:
    """What was announced last, as a status or the stack's item remembers it."""

    month: str
    day: str
    forecast: str


@dataclass(frozen=True)
class _Mark:
    """The percentage of a period that was announced last: stored as 2026-11#80, and after what is
    spent fell below such a one again, as 2026-11#50#1."""

    period: str
    step: int = 0
    fallen: int = 0

    @classmethod
    def of(cls, period: str, told: str) -> _Mark:
        """What was told of this period; of another one it says nothing."""
        whose, *figures = told.split("#")
        return cls(period, *map(int, figures)) if whose == period else cls(period)

    def __str__(self) -> str:
        return f"{self.period}#{self.step}" + (f"#{self.fallen}" if self.fallen else "")


def books_of(record: EndpointRecord, now: datetime) -> Books:
    """What one endpoint has spent and will probably spend."""
    month, day = spent_of(record, now)
    return Books(month, day, forecast(record, now))


def books_of_all(state: StackState, records: Sequence[EndpointRecord], now: datetime) -> Books:
    """The sum of the endpoints, and of those that were removed; one whose rest of the month is not
    foretold counts with what it has spent, so that the forecast is a low one."""
    names = {record.status.name for record in records}
    month, day = state.gone_usd(now, {key for key in state.gone if name_of_life(key) in names})
    foretold, known = month, False
    for record in records:
        own = books_of(record.model_copy(update={"stack": state}), now)
        month, day = month + own.month_usd, day + own.day_usd
        foretold += own.month_usd if own.forecast_usd is None else own.forecast_usd
        known = known or own.forecast_usd is not None
    return Books(month, day, foretold if known else None)


def budget_news(
    record: EndpointRecord, status: EndpointStatus, now: datetime, events: list[Event]
) -> EndpointStatus:
    """The status of an endpoint with what is told of its budget; adds the events."""
    budget = record.spec.budget
    if not budget.limited:
        return status
    who = {"endpoint": status.name, "generation": status.generation, "at": now}
    before = Told(status.budget_told, status.day_told, status.forecast_told)
    seen = books_of(settled(record.having(status)), now)
    after = _news(budget, seen, before, who, now, events)
    if after == before:
        return status
    return status.model_copy(
        update={
            "budget_told": after.month,
            "day_told": after.day,
            "forecast_told": after.forecast,
        }
    )


def stack_news(
    state: StackState, records: Sequence[EndpointRecord], now: datetime, events: list[Event]
) -> StackState:
    """The same of the stack, and which endpoints yield to its budget from now on."""
    if not state.budget.limited:
        return state.model_copy(update={"yielding": ()}) if state.yielding else state
    books = books_of_all(state, records, now)
    seen = books_of_all(state, [settled(record) for record in records], now)
    who = {"endpoint": "", "generation": 0, "at": now}
    before = Told(state.month_told, state.day_told, state.forecast_told)
    after = _news(state.budget, seen, before, who, now, events)
    over = seen.forecast_usd if after.forecast else None
    priorities = [record.spec.budget.priority for record in records]
    found = tuple(_yielding(state.budget, books, seen, over, priorities, now))
    return state.model_copy(
        update={
            "month_told": after.month,
            "day_told": after.day,
            "forecast_told": after.forecast,
            "yielding": state.yielding if _same(found, state.yielding) else found,
        }
    )


def wakes_of_all(state: StackState, records: Sequence[EndpointRecord], now: datetime) -> int:
    """How often the endpoints, and those that were removed, woke on this UTC day."""
    lives = {life_of(r.status.name, r.status.created_at) for r in records}
    own = (r.status.wakes_today for r in records if r.status.wakes_on == now.date())
    return sum(own, state.gone_wakes(now, lives))


def wakes_counted(
    state: StackState, records: Sequence[EndpointRecord], now: datetime
) -> StackState:
    """The stack's state with the day's wakes as spent, or not. Those that come beyond the limit (a
    hold's, a person's) are no reason to write it again."""
    most, before = state.wakes_per_day, state.wakes_spent(now)
    wakes = wakes_of_all(state, records, now)
    if most is None or wakes < most:
        return state.model_copy(update={"wakes": None}) if state.wakes else state
    if before is not None and before.most == most:
        return state
    return state.model_copy(update={"wakes": StackWakes(now.date(), wakes, most)})


def _news(
    budget: Limits,
    books: Books,
    before: Told,
    who: Mapping[str, Any],
    now: datetime,
    events: list[Event],
) -> Told:
    month = _step(budget, books.month_usd, budget.monthly_usd, before.month, "month", who, events)
    day = _step(budget, books.day_usd, budget.daily_usd, before.day, "day", who, events)
    return Told(month, day, _forecast(budget, books, before.forecast, who, now, events))


def _step(
    budget: Limits,
    spent: Decimal,
    limit: Decimal | None,
    before: str,
    per: str,
    who: Mapping[str, Any],
    events: list[Event],
) -> str:
    """Announces a percentage that was passed; returns what was told then. When less is spent than
    was told (another budget, another price), it is told anew when that is passed again."""
    if limit is None:
        return before
    reached = BudgetReached(
        **who,
        spent_usd=spent,
        monthly_usd=limit,
        share=float(spent / limit),
        thresholds=budget.steps,
        per=per,
        when_spent=budget.when_spent,
    )
    last = _Mark.of(reached.day or reached.month, before)
    if reached.step == last.step:
        return before
    if reached.step < last.step:
        return str(replace(last, step=reached.step, fallen=last.fallen + 1))
    events.append(reached.model_copy(update={"fallen": last.fallen}))
    return str(replace(last, step=reached.step))


def _forecast(
    budget: Limits,
    books: Books,
    before: str,
    who: Mapping[str, Any],
    now: datetime,
    events: list[Event],
) -> str:
    """The month while it is foretold to cost too much; else ""."""
    foretold, limit = books.forecast_usd, budget.monthly_usd
    told = before if before == f"{now:%Y-%m}" else ""
    if foretold is None or limit is None or budget.on_forecast is OnForecast.NONE:
        return ""
    figures = {"forecast_usd": foretold, "monthly_usd": limit, "spent_usd": books.month_usd}
    if foretold > limit and not told:
        events.append(ForecastExceeded(**who, **figures, on_forecast=budget.on_forecast))
        return f"{now:%Y-%m}"
    if told and foretold <= limit * _RECOVERED:
        events.append(ForecastRecovered(**who, **figures))
        return ""
    return told


def _yielding(
    budget: Limits,
    books: Books,
    seen: Books,
    over: Decimal | None,
    priorities: Sequence[int],
    now: datetime,
) -> list[Yielding]:
    """Who yields: by what is spent from the lowest priority on, by the forecast all at once."""
    at, found = yields_at(priorities), []
    for per, spent, there, limit in (
        ("month", books.month_usd, seen.month_usd, budget.monthly_usd),
        ("day", books.day_usd, seen.day_usd, budget.daily_usd),
    ):
        if limit is None or budget.when_spent is WhenSpent.ALERT:
            continue
        yields = [priority for priority, share in at.items() if spent * 100 >= limit * share]
        if yields:
            really = there * 100 >= limit * at[max(yields)]
            bound = StackLimit(spent, limit, per, 100, budget.when_spent, with_unseen=not really)
            found.append(_until(bound, max(yields) + 1, at, now))
    if over is not None and budget.monthly_usd and budget.on_forecast is OnForecast.CAP:
        bound = StackLimit(over, budget.monthly_usd, "month", 0, WhenSpent.CAP, by_forecast=True)
        found.append(_until(bound, max(at, default=0) + 1, {}, now))
    return found


def _until(bound: StackLimit, below: int, at: dict[int, int], now: datetime) -> Yielding:
    return Yielding(below=below, yields_at=at, limit=bound, until=period_end(bound.per, now))


def _same(found: tuple[Yielding, ...], before: tuple[Yielding, ...]) -> bool:
    """But for what was spent meanwhile: that alone is no reason to write."""

    def shape(one: Yielding) -> tuple[Any, ...]:
        limit = one.limit
        kind = (limit.budget_usd, limit.per, limit.action, limit.by_forecast, limit.with_unseen)
        return one.below, one.yields_at, one.until, kind

    return [shape(one) for one in found] == [shape(one) for one in before]
