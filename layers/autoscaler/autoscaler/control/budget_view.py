"""Budgets and the kill switch as `get` and `budget` show them; JSON-able."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from ..alerts.money import millionths
from ..endpoints.stack_state import StackState
from ..endpoints.status import EndpointRecord
from ..policy.budget import stopped_text, yields_at
from ..policy.types import Stop
from ..spec import Limits, WhenSpent
from .budgets import Books, books_of, books_of_all, wakes_of_all
from .purse import barred

_AT_100 = {
    WhenSpent.CAP: "one copy at most, none kept warm",
    WhenSpent.SLEEP: "sleeps, requests wait",
    WhenSpent.ALERT: "told, nothing else",
}


def stop_view(stop: Stop | None) -> dict[str, Any] | None:
    """Since when, by whom and why; with the sentence that says it."""
    if stop is None:
        return None
    return {
        "since": stop.since.isoformat(),
        "author": stop.author,
        "reason": stop.reason,
        "text": stopped_text(stop),
    }


def stop_sentences(state: StackState) -> list[str]:
    """Every switch that is on, the one of everything first."""
    stops = [state.stopped] if state.stopped else []
    stops += [stop for _, stop in sorted(state.stopped_endpoints.items())]
    return [f"{stopped_text(stop)}." for stop in stops]


def budget_of(record: EndpointRecord, now: datetime) -> dict[str, Any]:
    """What `get` shows of one endpoint: its budget, what stops it, and what bars its wakes."""
    halt = barred(record, now)
    until = halt.until.isoformat() if halt and halt.until else None
    return {
        "budget": _endpoint(record, now),
        "stopped": stop_view(record.stack.stop_of(record.status.name)),
        "barred": {"reason": halt.reason.text, "until": until} if halt else None,
    }


def budgets_view(
    state: StackState, records: Sequence[EndpointRecord], now: datetime
) -> dict[str, Any]:
    """What `budget` shows: every endpoint and the stack."""
    at = yields_at([record.spec.budget.priority for record in records])
    endpoints = [
        {
            "endpoint": record.status.name,
            **budget_of(record, now),
            "yields_at": at[record.spec.budget.priority],
        }
        for record in sorted(records, key=lambda one: one.status.name)
    ]
    return {
        "at": now.isoformat(),
        "stack": {
            **_limits(state.budget, books_of_all(state, records, now)),
            "wakes_today": wakes_of_all(state, records, now),
            "wakes_per_day": state.wakes_per_day,
            "wakes_spent": state.wakes_spent(now) is not None,
            "set_by": state.budget_by,
            "set_at": state.budget_at.isoformat() if state.budget_at else None,
            "yielding": _yielding(state, records, now),
        },
        "stopped": stop_view(state.stopped),
        "endpoints": endpoints,
    }


def _yielding(
    state: StackState, records: Sequence[EndpointRecord], now: datetime
) -> list[dict[str, Any]]:
    """Who has one copy or none now because the stack's budget is short."""
    found = []
    for record in records:
        limit = state.limit_of(record.spec.budget.priority, now)
        if limit is not None:
            how = _AT_100[limit.action]
            found.append({"endpoint": record.status.name, "action": limit.action.value, "how": how})
    return found


def _endpoint(record: EndpointRecord, now: datetime) -> dict[str, Any]:
    status, budget = record.status, record.spec.budget
    return {
        **_limits(budget, books_of(record, now)),
        "priority": budget.priority,
        "wakes_today": status.wakes_today if status.wakes_on == now.date() else 0,
        "wakes_per_day": budget.wakes_per_day,
    }


def _limits(limits: Limits, books: Books) -> dict[str, Any]:
    return {
        "monthly_usd": _usd(limits.monthly_usd),
        "daily_usd": _usd(limits.daily_usd),
        "spent_usd": _usd(books.month_usd),
        "spent_today_usd": _usd(books.day_usd),
        "forecast_usd": _usd(books.forecast_usd),
        "share": _share(books.month_usd, limits.monthly_usd),
        "share_today": _share(books.day_usd, limits.daily_usd),
        "thresholds": list(limits.steps),
        "when_spent": limits.when_spent.value,
        "at_100": _AT_100[limits.when_spent] if limits.limited else "",
        "on_forecast": limits.on_forecast.value,
    }


def _share(spent: Decimal, limit: Decimal | None) -> float | None:
    return None if limit is None else round(float(spent / limit), 6)


def _usd(money: Decimal | None) -> str | None:
    return None if money is None else f"{millionths(money):f}"
