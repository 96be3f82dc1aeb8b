"""Every metric of our own, as EMF lines: the only place that names them.

CloudWatch bills a custom metric by the hour in which it has a value, $0.30 for a whole month
(docs/costs.md). So they are the stack's, with no other dimension; what they are of each endpoint is
in the log, where the dashboard finds it (`runtime/loop.py`). Nothing is here that AWS measures
itself: backlog and its age are SQS's, concurrency is SageMaker's, failed executions are Step
Functions'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from ..alerts.events.base import Event
from ..alerts.events.capacity import CapacityMissing, CopiesMissing, ScalingMissing
from ..alerts.events.life import (
    EndpointFailed,
    PhaseStuck,
    SleepStuck,
    UpdateFailed,
    WakeRequested,
)
from ..alerts.events.requests import RequestRefused
from ..alerts.events.rounds import RoundFailed
from ..endpoints.status import Cause

NAMESPACE = "Autoscaler"
STACK = "Stack"
_MOST_VALUES = 100  # of one metric in an EMF line


class Metric(StrEnum):
    """Names on the dashboard and in alarms."""

    COPIES = "Copies"  # of all endpoints
    WAIT_SECONDS = "WaitSeconds"  # of each request that was answered
    STUCK_ENDPOINTS = "StuckEndpoints"  # while there are any
    SPENT_TODAY_USD = "SpentTodayUsd"  # of the UTC day so far
    WAKES_BY_REQUEST = "WakesByRequest"
    WAKES_BY_SCHEDULE = "WakesBySchedule"
    WAKES_BY_PERSON = "WakesByPerson"
    WAKES_AGAIN = "WakesAgain"  # after a failure or a change
    FAILURES = "Failures"
    REFUSED_REQUESTS = "RefusedRequests"
    ALERTS_REFUSED = "AlertsRefused"  # by Slack, a topic or a webhook, or not delivered for long


_UNITS = {Metric.WAIT_SECONDS: MetricUnit.Seconds, Metric.SPENT_TODAY_USD: MetricUnit.NoUnit}
_WAKES = {
    Cause.MESSAGE: Metric.WAKES_BY_REQUEST,
    Cause.BACKLOG: Metric.WAKES_BY_REQUEST,
    Cause.WINDOW: Metric.WAKES_BY_SCHEDULE,
    Cause.PATTERN: Metric.WAKES_BY_SCHEDULE,
    Cause.HOLD: Metric.WAKES_BY_PERSON,
    Cause.PERSON: Metric.WAKES_BY_PERSON,
    Cause.APPLY: Metric.WAKES_BY_PERSON,
}
_FAILURES = (
    EndpointFailed, UpdateFailed, CapacityMissing, CopiesMissing, PhaseStuck, SleepStuck,
    ScalingMissing, RoundFailed,
)  # fmt: skip


@dataclass(frozen=True)
class Measures:
    """Writes them for one stack, to standard output, from where Lambda's log has them."""

    stack: str

    def emit(self, values: Mapping[Metric, float | Iterable[float]]) -> None:
        """One line."""
        # Without a service: it would be one more dimension.
        line = EphemeralMetrics(namespace=NAMESPACE, service="")
        line.add_dimension(name=STACK, value=self.stack)
        for metric, value in values.items():
            each = [value] if isinstance(value, int | float) else list(value)[:_MOST_VALUES]
            for one in each:
                unit = _UNITS.get(metric, MetricUnit.Count)
                line.add_metric(name=metric.value, unit=unit, value=one)
        line.flush_metrics()

    def tick(self, copies: int, stuck: int, spent_today_usd: Decimal) -> None:
        """What a tick has seen of the whole stack."""
        self.emit({Metric.COPIES: copies, Metric.SPENT_TODAY_USD: float(round(spent_today_usd, 6))})
        if stuck:
            self.emit({Metric.STUCK_ENDPOINTS: stuck})

    def waited(self, seconds: Iterable[float]) -> None:
        """How long the requests waited that a batch has answered."""
        if rounded := [round(one, 3) for one in seconds]:
            self.emit({Metric.WAIT_SECONDS: rounded})

    def event(self, event: Event) -> None:
        """Wakes by their cause, and what went wrong; each event is counted when it is new."""
        if (metric := metric_of(event)) is not None:
            self.emit({metric: 1})

    def alert_refused(self) -> None:
        self.emit({Metric.ALERTS_REFUSED: 1})


def metric_of(event: Event) -> Metric | None:
    """The metric that counts such an event."""
    if isinstance(event, WakeRequested):
        return _WAKES.get(event.cause, Metric.WAKES_AGAIN)
    if isinstance(event, RequestRefused):
        return Metric.REFUSED_REQUESTS
    return Metric.FAILURES if isinstance(event, _FAILURES) else None
