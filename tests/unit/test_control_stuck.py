"""What outlives all of its flow's deadlines is told, once for each stay in a phase."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autoscaler.control.reconcile import reconcile
from autoscaler.control.stuck import LONGEST, is_stuck
from autoscaler.policy.types import Phase
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, put

NAME = "llama"


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


@pytest.mark.parametrize("phase", list(Phase))
def test_each_phase_that_a_flow_works_on_has_its_bound(phase) -> None:
    longest = LONGEST.get(phase, timedelta(days=400))
    just = asleep(NAME, phase=phase, phase_since=NOON - longest)
    assert is_stuck(just, NOON) is (phase in LONGEST)
    assert not is_stuck(just, NOON - timedelta(seconds=1))


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
