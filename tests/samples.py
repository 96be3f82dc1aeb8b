"""Specs and statuses that tests begin with."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from autoscaler.control.reconcile import reconcile
from autoscaler.endpoints.status import EndpointRecord, EndpointStatus, Meter, UsageKind
from autoscaler.policy.types import Bounds, Phase
from autoscaler.ports import Load
from autoscaler.spec import EndpointSpec, parse_spec
from tests.memory import NOON, MemoryWorld


def document(name: str = "llama", **changes: Any) -> dict[str, Any]:
    """A small, valid endpoint file."""
    return {
        "name": name,
        "model": {"id": "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"},
        "instances": {"types": ["ml.g6e.xlarge"]},
        "scaling": {"max_copies": 2, "keep_alive": "10m"},
        **changes,
    }


def spec(name: str = "llama", **changes: Any) -> EndpointSpec:
    return parse_spec(document(name, **changes))


def asleep(
    name: str, *, phase: Phase = Phase.ASLEEP, at: datetime = NOON, **changes: Any
) -> EndpointStatus:
    """At zero since an hour ago."""
    before = at - timedelta(hours=1)
    fields: dict[str, Any] = {
        "name": name,
        "phase": phase,
        "phase_since": before,
        "created_at": before,
        "wished_at": before,
        "observed_at": at,
        "bounds": Bounds(0, 2),
        "instance_type": "ml.g6e.xlarge",
    }
    return EndpointStatus(**{**fields, **changes})


def awake(name: str, *, instances: int = 1, at: datetime = NOON, **changes: Any) -> EndpointStatus:
    """Serving since an hour ago, with one copy an instance."""
    before = at - timedelta(hours=1)
    meter = Meter(
        instances=instances,
        instance_type="ml.g6e.xlarge",
        kind=UsageKind.SERVING,
        since=before,
    )
    fields: dict[str, Any] = {
        "phase": Phase.AWAKE,
        "observed_copies": instances,
        "observed_instances": instances,
        "desired_copies": instances,
        "bounds": Bounds(1, 2),
        "last_awake_at": before,
        "last_active_at": before,
        "meters": (meter,),
    }
    return asleep(name, at=at, **{**fields, **changes})


def put(
    world: MemoryWorld, status: EndpointStatus, wanted: EndpointSpec | None = None
) -> EndpointRecord:
    """Puts an endpoint into the world's store; its execution, if it has one, is running."""
    world.store.create(wanted or spec(status.name), status)
    return world.store.records[status.name]


def ticks(world: MemoryWorld, minutes: int, load: Load, name: str = "llama") -> None:
    """A tick a minute, each of which finds this load."""
    world.load.loads[name] = load
    for _ in range(minutes):
        reconcile(world)
        world.clock.forward(minutes=1)


def closed_window(begins: datetime, ends: datetime) -> dict[str, Any]:
    """Every day between these times of the day the endpoint is at zero."""
    return {
        "name": "night",
        "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        "start": f"{begins:%H:%M}",
        "end": f"{ends:%H:%M}",
        "max_copies": 0,
    }
