"""Budgets and instances that were asked for and did not come: eight copies for an hour, $20.88,
against a budget of $20."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from autoscaler.alerts.message import message_of
from autoscaler.catalog.prices import usd_per_hour
from autoscaler.control.budget_orders import set_budget
from autoscaler.control.purse import purse
from autoscaler.control.reconcile import reconcile
from autoscaler.control.spent import spent_today
from autoscaler.control.wishes import request_wake
from autoscaler.endpoints.status import Cause, EndpointRecord, EndpointStatus
from autoscaler.policy.types import Phase
from autoscaler.ports import Capacity, Load
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, awake, put, spec

NAME = "llama"
PRICE = Decimal("2.61")  # ml.g6e.xlarge, an hour
BUSY = Load(backlog=3, concurrency_per_copy=2.0, invocations=3.0)


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


def told(world: MemoryWorld, kind: str) -> list[Any]:
    return [event for event in world.announcer.events if event.detail_type == kind]


def record_of(world: MemoryWorld) -> EndpointRecord:
    found = world.store.load(NAME)
    assert found is not None
    return found


def status_of(world: MemoryWorld) -> EndpointStatus:
    return record_of(world).status


def tick(world: MemoryWorld, minutes: int) -> None:
    for _ in range(minutes):
        reconcile(world)
        world.clock.forward(minutes=1)


def waking(world: MemoryWorld, came: int = 0, **budget: Any) -> None:
    of = spec(NAME, scaling={"max_copies": 8}, budget=budget)
    put(world, asleep(NAME), of)
    world.scaler.settle(NAME, 0)
    request_wake(world, record_of(world), Cause.BACKLOG, 8, "8 copies.")
    world.load.loads[NAME] = Load(backlog=9, concurrency_per_copy=None)
    if came:
        there = {"came": {"ml.g6e.xlarge": came}, "instance_seen_at": NOON}
        world.store.save(status_of(world).model_copy(update=there))


def test_it_is_not_told_as_spent_and_the_wake_is_put_down_with_the_reason(world) -> None:
    waking(world, daily_usd=20, when_spent="sleep")
    world.clock.forward(minutes=60)
    reconcile(world)
    assert status_of(world).phase is Phase.SLEEPING
    assert told(world, "BudgetReached") == []
    assert spent_today(record_of(world), world.clock.now()) == 0
    (down,) = told(world, "WakePutDown")
    why = "$20.88 of $20.00 would be spent today if all instances that were asked for had come"
    assert (
        message_of(down).body
        == f"{why}: it goes to zero, or stays there, and only what comes counts."
    )
    assert world.store.entries[-1].text == down.why


def test_of_what_was_asked_for_only_what_came_is_told(world) -> None:
    waking(world, came=4, daily_usd=20, when_spent="sleep")
    world.clock.forward(minutes=60)
    reconcile(world)
    (half,) = told(world, "BudgetReached")
    assert (half.step, half.spent_usd) == (50, 4 * PRICE)


def test_if_all_of_it_came_it_is_spent_as_ever(world) -> None:
    waking(world, came=8, daily_usd=20, when_spent="sleep")
    world.clock.forward(minutes=60)
    reconcile(world)
    (event,) = told(world, "BudgetReached")
    assert (event.step, event.spent_usd) == (100, 8 * PRICE)
    (down,) = told(world, "WakePutDown")
    assert down.why.startswith("$20.88 of $20.00 are spent today: it sleeps until 25 Nov")


def test_a_dearer_type_that_came_in_the_place_of_the_one_asked_for_is_spent_as_what_it_costs(
    world,
) -> None:
    dear = "ml.g6e.12xlarge"
    budget = {"daily_usd": 15, "when_spent": "sleep"}
    machines = {"types": ["ml.g6e.xlarge", dear]}
    put(world, asleep(NAME), spec(NAME, instances=machines, budget=budget))
    world.scaler.settle(NAME, 0)
    request_wake(world, record_of(world), Cause.BACKLOG, 1, "a copy.")
    came = Capacity(True, desired_copies=1, instances_by_type={dear: 1}, status="Updating")
    world.scaler.capacities[NAME] = came
    tick(world, 60)
    assert status_of(world).phase is Phase.WAKING
    assert purse(record_of(world), world.clock.now())["unseen_today_usd"] == 0
    price = usd_per_hour(dear)
    assert price is not None
    tick(world, round(60 * (15 / float(price) - 1)) + 3)
    assert status_of(world).phase is Phase.SLEEPING
    (down,) = told(world, "WakePutDown")
    assert "are spent today" in down.why


def test_a_creation_is_parked_with_the_same_reason(world) -> None:
    waking(world, daily_usd=20, when_spent="sleep")
    creating = {"phase": Phase.CREATING, "cause": Cause.APPLY}
    world.store.save(status_of(world).model_copy(update=creating))
    world.clock.forward(minutes=60)
    reconcile(world)
    assert status_of(world).parked
    (down,) = told(world, "WakePutDown")
    assert (status_of(world).failure, status_of(world).untold) == (down.why, ())


def test_nor_is_it_told_of_the_stack_which_yields_all_the_same(world) -> None:
    waking(world)
    set_budget(world, "ada", {"daily_usd": 20, "when_spent": "sleep"})
    world.clock.forward(minutes=60)
    reconcile(world)
    assert told(world, "BudgetReached") == []
    assert status_of(world).phase is Phase.SLEEPING
    (down,) = told(world, "WakePutDown")
    assert down.why.startswith("The stack would have spent $20.88 of $20.00 today if all")
    reconcile(world)
    assert world.store.stack().yielding == ()


@pytest.mark.parametrize("per", ["daily_usd", "monthly_usd"])
def test_what_was_told_and_fell_is_told_again_when_it_is_passed_again(world, per) -> None:
    """As a release before this one left it: told by what was asked for, and nothing spent."""
    budget = {per: 5, "when_spent": "alert"}
    put(world, awake(NAME), spec(NAME, budget=budget))
    world.scaler.settle(NAME, 1)
    world.load.loads[NAME] = BUSY
    marks = {"budget_told": "2026-11#100", "day_told": f"{NOON.date()}#100"}
    world.store.save(status_of(world).model_copy(update=marks))
    tick(world, 120)
    events = told(world, "BudgetReached")
    assert [(event.step, event.fallen) for event in events] == [(80, 1), (100, 1)]
    first = [event.model_copy(update={"fallen": 0}) for event in events]
    assert not {e.dedupe_key for e in events} & {e.dedupe_key for e in first}
    version = status_of(world).day_told + status_of(world).budget_told
    tick(world, 3)
    assert len(told(world, "BudgetReached")) == 2
    assert status_of(world).day_told + status_of(world).budget_told == version
