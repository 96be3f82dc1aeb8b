"""Copies that do not come while others serve: no more are asked for, and it is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.control.reconcile import reconcile
from autoscaler.control.shortage import FIRST_PAUSE, PATIENCE
from autoscaler.endpoints.status import EndpointStatus
from autoscaler.policy.types import Hold
from autoscaler.ports import Capacity
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import awake, put

NAME = "llama"
TWO = Hold(until=NOON + timedelta(days=1), min_copies=2, reason="a demo", author="ada")


@pytest.fixture
def world() -> MemoryWorld:
    world = memory_world()
    put(world, awake(NAME, desired_copies=2, hold=TWO))
    short(world)
    return world


def short(world: MemoryWorld, **seen: object) -> None:
    there = Capacity(
        exists=True,
        desired_copies=2,
        current_copies=1,
        instances_by_type={"ml.g6e.xlarge": 2},
        status="Updating",
    )
    world.scaler.capacities[NAME] = replace(there, **seen)  # type: ignore[arg-type]


def status(world: MemoryWorld) -> EndpointStatus:
    return world.store.records[NAME].status


def copies(world: MemoryWorld) -> int:
    return world.scaler.look(NAME).desired_copies


def test_a_copy_may_take_its_time(world) -> None:
    reconcile(world)
    world.clock.forward(minutes=19)
    reconcile(world)
    assert (copies(world), status(world).reach) == (2, None)
    assert "CopiesMissing" not in world.announcer.kinds()


@pytest.mark.parametrize("gave_up", [False, True])
def test_what_does_not_come_is_given_up_and_said_once(world, gave_up) -> None:
    reconcile(world)
    if gave_up:
        short(world, status="InService", failure="did not pass the ping health check")
    else:
        short(world, status="InService")
        world.clock.forward(seconds=PATIENCE.total_seconds())
    reconcile(world)
    assert copies(world) == 1, "in spite of the hold: what does not come up is only paid for"
    assert world.announcer.kinds().count("CopiesMissing") == 1
    world.scaler.settle(NAME, 1)
    world.clock.forward(minutes=5)
    reconcile(world)
    assert (copies(world), status(world).bounds.max_copies) == (1, 1)
    assert world.announcer.kinds().count("CopiesMissing") == 1


def test_it_is_tried_again_after_the_pause_which_doubles(world) -> None:
    for times in (1, 2):
        short(world, status="InService", failure="no")
        reconcile(world)
        reach = status(world).reach
        assert reach is not None
        assert reach.until - world.clock.now() == FIRST_PAUSE * times
        world.scaler.settle(NAME, 1)
        world.clock.moment = reach.until
        reconcile(world)
        assert copies(world) == 2, "the hold asks for two again"


def test_when_they_come_after_all_nothing_is_capped_any_more(world) -> None:
    short(world, status="InService", failure="no")
    reconcile(world)
    reach = status(world).reach
    assert reach is not None
    world.clock.moment = reach.until
    world.scaler.settle(NAME, 1)
    reconcile(world)
    short(world)
    reconcile(world)
    world.scaler.settle(NAME, 2)
    reconcile(world)
    assert (status(world).reach, status(world).shortages, copies(world)) == (None, 0, 2)
