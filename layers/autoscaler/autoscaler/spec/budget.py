"""What may be spent: by one endpoint, as its file says, and by the stack, as a person set it."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .numbers import Whole

Usd = Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=2)]
Percentage = Annotated[Whole, Field(ge=1, le=100)]
ALL_OF_IT = 100  # per cent; told whatever the thresholds are


class WhenSpent(StrEnum):
    """What becomes of an endpoint whose budget is spent."""

    CAP = "cap"  # one copy at most, none kept: requests are still answered
    SLEEP = "sleep"  # zero, and no wake: requests wait
    ALERT = "alert"  # it is told, and nothing else


class OnForecast(StrEnum):
    """What becomes of it when the month will probably cost more than its budget."""

    ALERT = "alert"
    CAP = "cap"
    NONE = "none"


class Limits(BaseModel):
    """Dollars of a UTC month and of a UTC day; None means no limit."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid")

    monthly_usd: Usd | None = None
    daily_usd: Usd | None = None
    thresholds: Annotated[tuple[Percentage, ...], Field(max_length=5)] = (50, 80, 100)
    on_forecast: OnForecast = OnForecast.ALERT
    when_spent: WhenSpent = WhenSpent.CAP

    @model_validator(mode="after")
    def _a_day_is_part_of_a_month(self) -> Self:
        if self.monthly_usd and self.daily_usd and self.daily_usd > self.monthly_usd:
            raise ValueError(
                f"daily_usd {self.daily_usd} is above monthly_usd {self.monthly_usd}: the month "
                "would be spent first; lower the one or raise the other"
            )
        return self

    @model_validator(mode="after")
    def _thresholds_rise(self) -> Self:
        if list(self.thresholds) != sorted(set(self.thresholds)):
            shown = ", ".join(map(str, self.thresholds))
            raise ValueError(f"thresholds {shown} do not rise; list each once, lowest first")
        return self

    @property
    def steps(self) -> tuple[int, ...]:
        """The percentages that are told."""
        return tuple(sorted({*self.thresholds, ALL_OF_IT}))

    @property
    def limited(self) -> bool:
        return self.monthly_usd is not None or self.daily_usd is not None


class Budget(Limits):
    """What the endpoint may spend, and when it yields to others if the stack's budget is short."""

    wakes_per_day: Annotated[Whole, Field(ge=1, le=1440)] = 96
    priority: Annotated[Whole, Field(ge=0, le=9)] = 5  # 0 yields first, 9 last


class StackBudget(Limits):
    """What all endpoints may spend together; kept in the table, set by `autoscaler budget set`."""


class StackLimits(StackBudget):
    """Everything that `autoscaler budget set` sets. Release 0.1.0 refuses a stored budget with a
    key that it does not know, so that the wakes are kept beside it."""

    wakes_per_day: Annotated[Whole, Field(ge=1, le=1_000_000)] | None = None  # None: no limit

    @property
    def budget(self) -> StackBudget:
        """The dollars."""
        return StackBudget.model_validate(self.model_dump(exclude={"wakes_per_day"}))
