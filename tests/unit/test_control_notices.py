"""What nobody decided and people should hear of, each once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autoscaler.control.reconcile import reconcile
from autoscaler.policy.types import Hold, Phase
from autoscaler.ports import Load
from tests.memory import MemoryWorld, memory_world
from tests.samples import asleep, awake, put, spec

NAME = "llama"
BLIND = Load(backlog=0, concurrency_per_copy=None)
BUSY = Load(backlog=0, concurrency_per_copy=2.0, invocations=3.0)


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


def told(world: MemoryWorld, kind: str) -> list:
    return [event for event in world.announcer.events if event.detail_type == kind]


def tick(world: MemoryWorld, minutes: int, load: Load = BUSY) -> None:
    world.load.loads[NAME] = load
    for _ in range(minutes):
        reconcile(world)
        world.clock.forward(minutes=1)


@pytest.mark.parametrize("phase", [Phase.ASLEEP, Phase.AWAKE])
def test_the_end_of_a_hold_is_told_once_and_the_hold_is_gone(world, phase) -> None:
    hold = Hold(world.clock.now() + timedelta(minutes=3), 0, "demo", "ada")
    make = {Phase.ASLEEP: asleep, Phase.AWAKE: awake}[phase]
    put(world, make(NAME, hold=hold))
    world.scaler.settle(NAME, int(phase is Phase.AWAKE))
    world.load.loads[NAME] = Load(backlog=0, concurrency_per_copy=0.0)
    tick(
        world, 6, Load(backlog=0, concurrency_per_copy=0.0, invocations=float(phase is phase.AWAKE))
    )
    (ended,) = told(world, "HoldEnded")
    assert ended.author is None
    assert world.store.records[NAME].status.hold is None


def test_a_budget_is_told_at_each_step_once(world) -> None:
    put(world, awake(NAME), spec(NAME, budget={"monthly_usd": 10}))
    world.scaler.settle(NAME, 1)
    tick(world, 240)  # $2.61 an hour, an hour of it before the first tick
    assert [event.step for event in told(world, "BudgetReached")] == [50, 80, 100]
    first = told(world, "BudgetReached")[0]
    assert 5 <= float(first.spent_usd) < 5.1


def test_without_a_budget_nothing_is_told(world) -> None:
    put(world, awake(NAME))
    world.scaler.settle(NAME, 1)
    tick(world, 60)
    assert told(world, "BudgetReached") == []


def test_a_signal_that_does_not_come_is_told_after_ten_minutes_and_once(world) -> None:
    put(world, awake(NAME))
    world.scaler.settle(NAME, 1)
    tick(world, 10, BLIND)
    assert told(world, "SignalMissing") == []
    tick(world, 30, BLIND)
    assert [event.signal for event in told(world, "SignalMissing")] == ["concurrency"]


def test_a_signal_that_came_back_and_went_again_is_told_again(world) -> None:
    put(world, awake(NAME))
    world.scaler.settle(NAME, 1)
    for load in (BLIND, BUSY, BLIND):
        tick(world, 12, load)
    first, second = told(world, "SignalMissing")
    assert first.dedupe_key != second.dedupe_key, "within the hour in which a repetition is none"


def test_asleep_a_missing_concurrency_is_no_news(world) -> None:
    put(world, asleep(NAME))
    world.scaler.settle(NAME, 0)
    tick(world, 30, BLIND)
    assert told(world, "SignalMissing") == []
