"""Events as a real fleet has them, for the pictures of docs/alerts.md."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from autoscaler.alerts.events import capacity, costs, life
from autoscaler.alerts.events.base import Event
from autoscaler.endpoints.status import Cause
from autoscaler.policy.types import Phase
from tests.alerts_events import AT

WHO = {"endpoint": "deepseek-r1-8b", "generation": 41, "at": AT, "team": "research"}

DAY: tuple[Event, ...] = (
    life.WakeRequested(
        **WHO, cause=Cause.MESSAGE, asked_by="search", copies=1, expected_seconds=312
    ),
    life.EndpointAwoke(
        **WHO,
        cause=Cause.MESSAGE,
        asked_by="search",
        in_force=("kept from scaling in until 24 Nov 14:00 UTC by ana: load test",),
        copies=1,
        lead_seconds=297,
        stages={"trigger": 2, "capacity": 104, "container": 71, "weights": 88, "ready": 32},
        backlog=12,
    ),
    life.EndpointSlept(
        **{**WHO, "at": AT + timedelta(hours=2, minutes=16)},
        awake_seconds=8_040,
        reason=Cause.IDLE,
        cost_usd=Decimal("6.04"),
        saved_usd=Decimal("1187.30"),
    ),
)

TROUBLE: tuple[Event, ...] = (
    capacity.CapacityMissing(
        **{**WHO, "endpoint": "deepseek-r1-671b"},
        instance_types=("ml.p5en.48xlarge",),
        attempt=2,
        retry_at=AT + timedelta(minutes=4),
        failure="InsufficientInstanceCapacity in every zone",
        rung=1,
        rungs=3,
        next_types=("ml.p5.48xlarge",),
    ),
    life.EndpointFailed(
        **WHO,
        failed_in=Phase.CREATING,
        failure="its container dies: torch.cuda.OutOfMemoryError; lower `context_tokens` or take "
        "an instance with more memory",
        execution="deepseek-r1-8b-40",
    ),
    costs.BudgetReached(**WHO, spent_usd=Decimal("402.17"), monthly_usd=Decimal(500), share=0.804),
)


def _woken(number: int) -> Event:
    return life.EndpointAwoke(
        endpoint=f"team-{number:02}-llama",
        generation=9,
        at=AT + timedelta(seconds=7 * number),
        cause=Cause.WINDOW,
        copies=1,
        lead_seconds=280 + 7 * (number % 5),
    )


NIGHT: tuple[Event, ...] = (
    *(_woken(number) for number in range(30)),
    life.EndpointSlept(**WHO, awake_seconds=600, reason=Cause.IDLE, cost_usd=Decimal("0.51")),
    life.HoldEnded(**{**WHO, "endpoint": "search-embeddings"}, author=None),
)
