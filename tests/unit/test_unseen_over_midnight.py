"""Machines that are asked for before UTC's midnight, where days are cut, and seen after it: each is
booked from when it was asked for, however alike what is booked of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.aws.table import TableStore
from autoscaler.control.reconcile import reconcile
from autoscaler.endpoints.status import Meter, UsageKind
from autoscaler.ports import Load
from tests.memory import MemoryWorld, memory_world
from tests.samples import awake, spec
from tests.tables import TABLE, in_moto

NAME, TYPE = "llama", "ml.g6e.xlarge"
BEGAN = datetime(2026, 11, 24, 23, 54, tzinfo=UTC)


@pytest.fixture
def store() -> Iterator[TableStore]:
    with in_moto() as dynamodb:
        yield TableStore(TABLE, dynamodb)


def one_awake(store: TableStore) -> MemoryWorld:
    world = memory_world()
    object.__setattr__(world, "store", store)
    world.load.loads[NAME] = Load(backlog=40, concurrency_per_copy=16.0, invocations=9.0)
    meter = Meter(instances=1, instance_type=TYPE, kind=UsageKind.SERVING, since=BEGAN)
    status = awake(NAME, at=BEGAN, instances=1, observed_at=BEGAN, phase_since=BEGAN)
    scaling = {"max_copies": 4, "min_copies": 1, "keep_alive": "3h"}
    store.create(spec(NAME, scaling=scaling), status.model_copy(update={"meters": (meter,)}))
    return world


def look(world: MemoryWorld, minute: int, copies: int, instances: int, changed: int) -> None:
    """A tick so many minutes after the beginning, that sees what was changed so many after it."""
    world.clock.moment = BEGAN + timedelta(minutes=minute)
    world.scaler.settle(NAME, copies, instances)
    seen: Any = world.scaler.capacities[NAME]
    world.scaler.capacities[NAME] = replace(
        seen, current_copies=instances, changed_at=BEGAN + timedelta(minutes=changed)
    )
    reconcile(world)


@pytest.mark.parametrize(
    ("looks", "minutes"),
    [
        # Two that were asked for one by one come together: 26 of the first, 24 and 22 of theirs.
        ([(1, 1, 1, 0), (2, 2, 1, 2), (4, 3, 1, 4), (7, 3, 1, 4), (8, 3, 3, 4), (26, 3, 3, 4)], 72),
        # Two that were asked for together come one by one.
        ([(1, 1, 1, 0), (2, 3, 1, 2), (5, 3, 1, 2), (7, 3, 2, 2), (8, 3, 3, 2), (26, 3, 3, 2)], 74),
    ],
)
def test_each_is_in_the_ledger_from_when_it_was_asked_for(
    store: TableStore, looks: list[tuple[int, int, int, int]], minutes: int
) -> None:
    world = one_awake(store)
    for one in looks:
        look(world, *one)
    now = world.clock.now()
    segments = store.usage(BEGAN, now)
    record = store.load(NAME)
    assert record is not None
    running = sum(
        meter.instances * (now - meter.since).total_seconds() for meter in record.status.meters
    )
    assert sum(one.instance_seconds for one in segments) + running == minutes * 60
    spent = sum(
        (one.usd_per_hour * Decimal(str(one.instance_seconds)) / 3600 for one in segments),
        Decimal(0),
    )
    assert record.status.spent_usd == pytest.approx(spent), "what budgets and ledger say"
