"""Budgets that will not last, and the kill switch."""

from __future__ import annotations

from ...spec import OnForecast
from ..money import Money
from .base import DAY, Event, Severity


class ForecastExceeded(Event):
    """The month will probably cost more than its budget; an empty endpoint: the stack's month."""

    salient = ("at",)
    repeat_seconds = 31 * DAY

    forecast_usd: Money
    monthly_usd: Money
    spent_usd: Money
    on_forecast: OnForecast = OnForecast.ALERT

    @property
    def month(self) -> str:
        return f"{self.at:%Y-%m}"

    @property
    def severity(self) -> Severity:
        return Severity.WARNING


class ForecastRecovered(Event):
    """The month will probably keep to its budget after all."""

    salient = ("at",)

    forecast_usd: Money
    monthly_usd: Money
    spent_usd: Money


class WakePutDown(Event):
    """A wake or a creation was ended by a budget before it answered."""

    why: str  # with figures, and what follows

    @property
    def severity(self) -> Severity:
        return Severity.WARNING


class StopSet(Event):
    """The kill switch is on: of one endpoint, or, with an empty one, of everything."""

    salient = ("at",)

    generation: int = 0
    author: str
    reason: str

    @property
    def severity(self) -> Severity:
        return Severity.CRITICAL


class StopEnded(Event):
    """The kill switch is off again. `since_seconds`: how long it was on."""

    salient = ("at",)

    generation: int = 0
    author: str
    since_seconds: float
    still_stopped: tuple[str, ...] = ()  # endpoints that are stopped by themselves

    @property
    def severity(self) -> Severity:
        return Severity.WARNING


class RunawayStopped(Event):
    """The breaker has stopped an endpoint that did what its file does not allow."""

    salient = ("at",)

    saw: str  # with figures, and the limit

    @property
    def severity(self) -> Severity:
        return Severity.CRITICAL
