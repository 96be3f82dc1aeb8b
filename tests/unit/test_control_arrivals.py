"""What comes, as the tick decides by it: a queue that grows, that only waits, that drains."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autoscaler.control.reconcile import reconcile
from autoscaler.policy.types import Bounds, Episode, Phase, Queued
from autoscaler.ports import Load
from tests.memory import MemoryWorld, memory_world
from tests.samples import asleep, awake, put, spec

NAME = "llama"
MANY = spec(NAME, scaling={"max_copies": 8, "keep_alive": "10m"})
SECONDS_PER_REQUEST = 30.0  # one copy has 16 at a time


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


def wanted(before: int, backlog: int) -> int:
    """The copies that the tick asks for where one full copy serves half a request a second, for
    these backlogs of a minute ago and now."""
    world = memory_world()
    now = world.clock.now()
    counted = Episode(queued=Queued(now - timedelta(minutes=1), before))
    put(world, awake(NAME, bounds=Bounds(1, 8), last_active_at=now, episode=counted), MANY)
    world.scaler.settle(NAME, 1)
    world.load.loads[NAME] = Load(
        backlog, 16.0, seconds_per_request=SECONDS_PER_REQUEST, served_per_second=0.5
    )
    reconcile(world)
    return world.scaler.look(NAME).desired_copies


def test_a_rush_on_a_full_copy_is_met_by_what_comes_and_not_by_what_one_copy_serves() -> None:
    """Two and a half requests a second came, and all that a full copy can tell is its own half."""
    assert wanted(before=0, backlog=120) > wanted(before=120, backlog=120) > 1


def test_a_batch_that_is_being_worked_off_is_not_taken_for_as_many_that_come() -> None:
    """What is served of it came before."""
    assert wanted(before=150, backlog=120) < wanted(before=120, backlog=120)


def wake_of(world: MemoryWorld, stored: int, queue: list[int]) -> int:
    """The size of the wake that these backlogs, a minute apart, ask for; the endpoint was looked
    at so many minutes before the first."""
    now = world.clock.now()
    counted = Queued(now - timedelta(minutes=stored), 0)
    status = asleep(NAME, observed_at=counted.at, desired_copies=0, bounds=Bounds(0, 8))
    episode = Episode(looked_at=counted.at, idle_from=counted.at, queued=counted)
    put(world, status.model_copy(update={"episode": episode}), MANY)
    world.scaler.settle(NAME, 0)
    for backlog in queue:
        world.load.loads[NAME] = Load(backlog, None, seconds_per_request=SECONDS_PER_REQUEST)
        reconcile(world)
        world.clock.forward(minutes=1)
    found = world.store.records[NAME].status
    assert found.phase is Phase.WAKING
    return found.wish_copies


def test_a_wake_is_as_large_whenever_its_endpoint_was_looked_at_before() -> None:
    """It was so in three minutes of fifteen: of the others nobody knew what had come."""
    sizes = {stored: wake_of(memory_world(), stored, [60]) for stored in range(1, 17)}
    assert len(set(sizes.values())) == 1, sizes
    assert sizes[1] > 1


def test_what_waited_while_it_might_not_be_woken_is_worked_off_and_not_expected_again(
    world: MemoryWorld,
) -> None:
    """Each tick that finds another queue stores it, so that the one who may wake it knows."""
    second, barred = (world.clock.now() + timedelta(minutes=n) for n in (1, 5))
    put(world, asleep(NAME, observed_at=world.clock.now(), retry_at=barred), MANY)
    world.scaler.settle(NAME, 0)
    for backlog in (20, 60, 60, 60, 60, 60):
        world.load.loads[NAME] = Load(backlog, None, seconds_per_request=SECONDS_PER_REQUEST)
        reconcile(world)
        world.clock.forward(minutes=1)
    found = world.store.records[NAME].status
    assert (found.phase, found.wish_copies) == (Phase.WAKING, 1)
    queued = found.episode.queued
    assert queued and (queued.at, queued.backlog) == (second, 60), "the first look that found it"
