"""What the controller itself costs, from what it used. Prices: us-east-1, dollars, no free tier.

The free tiers are left out on purpose: an account has one of each, and may have spent it already.
What AWS counted is called counted, what was worked out from the books estimated.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..alerts.money import Money

Count = Annotated[Decimal, Field(ge=0)] | None


class Known(StrEnum):
    """How a count is known."""

    COUNTED = "counted"
    ESTIMATED = "estimated"
    UNKNOWN = "unknown"


class ControllerUsage(BaseModel):
    """Counts of a period; None: not known. Of per-month things, so many at a time. `estimated`: the
    fields that were worked out; all others were counted."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid")

    lambda_requests: Count = None
    lambda_gb_seconds: Count = None
    state_transitions: Count = None
    alarms: Count = None
    high_resolution_alarms: Count = None
    secrets: Count = None
    table_writes: Count = None
    table_reads: Count = None
    queue_requests: Count = None
    metrics_read: Count = None
    metric_hours: Count = None  # custom metrics, by the hours in which each has a value
    bus_events: Count = None
    log_gb: Count = None
    stored_gb: Count = None  # weights, results and reports in S3
    traces: Count = None
    schedule_calls: Count = None
    estimated: frozenset[str] = frozenset()

    @model_validator(mode="after")
    def _estimated_are_fields(self) -> Self:
        if wrong := self.estimated - _PRICES.keys():
            raise ValueError(f"estimated: {', '.join(sorted(wrong))} is no count of this usage")
        return self


class _Price(BaseModel):
    title: str
    usd: Decimal
    per_month: bool = False  # else per piece


# Lambda, Step Functions, alarms, secrets, S3: AWS price pages as of 2026-11; GB-seconds are those
# of Arm (aws.amazon.com/lambda/pricing), on which all functions run (template.yaml, Globals), a
# fifth below x86;
# DynamoDB on demand, SQS, GetMetricData, EventBridge and its Scheduler, CloudWatch Logs, X-Ray:
# list prices of 2025.
_PRICES = {
    "lambda_requests": _Price(title="Lambda requests", usd=Decimal("0.0000002")),
    "lambda_gb_seconds": _Price(title="Lambda GB-seconds", usd=Decimal("0.0000133334")),
    "state_transitions": _Price(title="Step Functions transitions", usd=Decimal("0.000025")),
    "alarms": _Price(title="CloudWatch alarms", usd=Decimal("0.10"), per_month=True),
    "high_resolution_alarms": _Price(
        title="High-resolution alarms", usd=Decimal("0.30"), per_month=True
    ),
    "secrets": _Price(title="Secrets", usd=Decimal("0.40"), per_month=True),
    "table_writes": _Price(title="DynamoDB write units", usd=Decimal("0.000000625")),
    "table_reads": _Price(title="DynamoDB read units", usd=Decimal("0.000000125")),
    "queue_requests": _Price(title="SQS requests", usd=Decimal("0.0000004")),
    "metrics_read": _Price(title="Metrics read", usd=Decimal("0.00001")),
    # $0.30 a month of 730.5 hours
    "metric_hours": _Price(title="Custom metrics, hours", usd=Decimal("0.00041068")),
    "bus_events": _Price(title="EventBridge events", usd=Decimal("0.000001")),
    "log_gb": _Price(title="Logs, GB", usd=Decimal("0.50")),
    "stored_gb": _Price(title="S3 storage, GB", usd=Decimal("0.023"), per_month=True),
    "traces": _Price(title="X-Ray traces", usd=Decimal("0.000005")),
    "schedule_calls": _Price(title="Scheduler calls", usd=Decimal("0.000001")),
}


class ControllerLine(BaseModel):
    """One item; None: not known, and then in no sum. Reports of release 0.1.0 have no `known`."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    item: str
    count: Money | None
    usd: Money | None
    known: Known | None = None


class ControllerCost(BaseModel):
    """The breakdown. With anything in `unknown` the total is a lower bound."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    lines: tuple[ControllerLine, ...]
    total_usd: Money
    unknown: tuple[str, ...]

    @property
    def estimated_usd(self) -> Decimal:
        """The part of the total that was worked out and not counted."""
        found = (line.usd for line in self.lines if line.known is Known.ESTIMATED)
        return sum((usd for usd in found if usd is not None), Decimal(0))


def controller_cost(usage: ControllerUsage, months: Decimal) -> ControllerCost:
    """Prices the counts of a period that is `months` long (a day is about 1/30.44)."""
    lines = []
    for name, price in _PRICES.items():
        count: Decimal | None = getattr(usage, name)
        factor = months if price.per_month else Decimal(1)
        usd = None if count is None else count * price.usd * factor
        known = Known.ESTIMATED if name in usage.estimated else Known.COUNTED
        if count is None:
            known = Known.UNKNOWN
        lines.append(ControllerLine(item=price.title, count=count, usd=usd, known=known))
    return ControllerCost(
        lines=tuple(lines),
        total_usd=sum((line.usd for line in lines if line.usd is not None), Decimal(0)),
        unknown=tuple(line.item for line in lines if line.usd is None),
    )
