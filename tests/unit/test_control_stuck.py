"""What outlives all of its flow's deadlines is told, once for each stay in a phase."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.control.reconcile import reconcile
from autoscaler.control.stuck import LONGEST, is_stuck
from autoscaler.endpoints.status import Shape
from autoscaler.policy.types import Phase
from autoscaler.ports import Flow
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, put

NAME = "llama"
WAKE = timedelta(minutes=90)  # the longest that the template allows


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.WAKING])
def test_each_phase_that_a_flow_works_on_has_its_bound(phase) -> None:
    longest = LONGEST.get(phase, timedelta(days=400))
    just = asleep(NAME, phase=phase, phase_since=NOON - longest)
    assert is_stuck(just, NOON, WAKE) is (phase in LONGEST)
    assert not is_stuck(just, NOON - timedelta(seconds=1), WAKE)


WHILE_IT_RESHAPES = {"shape": Shape(rung=2), "shaped": Shape(rung=1), "reshaping": True}


@pytest.mark.parametrize(
    ("seen", "minutes"),
    [
        ({}, 60),  # nobody looked at it once
        ({"asked_at": NOON}, 90 + 60),
        (WHILE_IT_RESHAPES, 3 * 90 + 60),
        ({**WHILE_IT_RESHAPES, "desired_copies": 3}, 5 * 90 + 60),
        # its resources took long to be changed, and a copy is waited for since
        ({"asked_at": NOON + timedelta(minutes=240)}, 240 + 90 + 60),
        # what runs is not changed under it, whatever the next wake will do
        ({**WHILE_IT_RESHAPES, "came": {"ml.g6e.xlarge": 1}}, 60),
    ],
)
def test_a_wake_may_take_what_its_deadlines_add_up_to(seen, minutes) -> None:
    waking = asleep(NAME, phase=Phase.WAKING, phase_since=NOON, **seen)
    end = NOON + timedelta(minutes=minutes)
    assert is_stuck(waking, end, WAKE)
    assert not is_stuck(waking, end - timedelta(seconds=1), WAKE)


def test_the_tick_goes_by_the_patience_of_its_stack(world) -> None:
    put(world, asleep(NAME, phase=Phase.WAKING, phase_since=NOON, asked_at=NOON))
    world.flows.start(Flow.WAKE, NAME, world.store.records[NAME].status.generation)
    world.clock.forward(minutes=121)
    assert reconcile(world).stuck == [NAME]
    assert reconcile(replace(world, wake=WAKE)).stuck == []


def test_it_is_told_once_and_again_after_another_stay(world) -> None:
    put(world, asleep(NAME, phase=Phase.SLEEPING, phase_since=NOON, observed_instances=1))
    world.scaler.settle(NAME, 1)
    world.clock.forward(minutes=31)
    assert reconcile(world).stuck == [NAME]
    reconcile(world)
    assert world.announcer.kinds().count("PhaseStuck") == 1
    status = world.store.records[NAME].status
    world.store.save(status.model_copy(update={"phase_since": NOON + timedelta(minutes=1)}))
    reconcile(world)
    assert world.announcer.kinds().count("PhaseStuck") == 2


def test_what_moves_is_not_stuck(world) -> None:
    put(world, asleep(NAME, phase=Phase.WAKING, phase_since=NOON))
    world.scaler.settle(NAME, 0)
    world.clock.forward(minutes=31)
    assert reconcile(world).stuck == []
    assert "PhaseStuck" not in world.announcer.kinds()
