"""What is spent of a budget, as a report shows it. Dollars are exact Decimals."""

from __future__ import annotations

from datetime import date

from pydantic import computed_field

from ..alerts.money import Money
from .bill import Figure


class BudgetUse(Figure):
    """Dollars of a UTC month against the endpoint's limit."""

    month: str
    monthly_usd: Money
    spent_usd: Money
    # At the month's end; None: too little is known, or it is over.
    forecast_usd: Money | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def share(self) -> float:
        return float(self.spent_usd / self.monthly_usd)


class DailyBudget(Figure):
    """Dollars of UTC days against a limit for each of them: of `day`, the last of the report's,
    and on how many of its `days` they were above it."""

    day: date
    daily_usd: Money
    spent_usd: Money
    days: int
    days_over: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def share(self) -> float:
        return float(self.spent_usd / self.daily_usd)
