"""What comes, as the tick decides by it: a queue that grows, that only waits, that drains."""

from __future__ import annotations

from dataclasses import replace
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


def wake_of(world: MemoryWorld, stored: int, backlog: int) -> int:
    """The size of the wake that this backlog asks for; the endpoint was looked at so many minutes
    before."""
    counted = Queued(world.clock.now() - timedelta(minutes=stored), 0)
    status = asleep(NAME, observed_at=counted.at, desired_copies=0, bounds=Bounds(0, 8))
    episode = Episode(looked_at=counted.at, idle_from=counted.at, queued=counted)
    put(world, status.model_copy(update={"episode": episode}), MANY)
    world.scaler.settle(NAME, 0)
    world.load.loads[NAME] = Load(backlog, None, seconds_per_request=SECONDS_PER_REQUEST)
    reconcile(world)
    found = world.store.records[NAME].status
    assert found.phase is Phase.WAKING
    return found.wish_copies


def test_a_wake_is_as_large_whenever_its_endpoint_was_looked_at_before() -> None:
    """It was so in three minutes of fifteen: of the others nobody knew what had come."""
    sizes = {stored: wake_of(memory_world(), stored, 60) for stored in range(1, 17)}
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


def test_a_tick_that_was_lost_makes_no_rush_of_a_queue_that_was_there() -> None:
    """Of a minute that nobody saw it was thought that nothing waited in it: twelve requests that
    one copy had all at once were two copies, and a hundred that waited were five."""
    for backlog in (12, 16, 24, 60, 100):
        asked = []
        for minutes in (1, 2, 3):
            world = memory_world()
            put(world, awake(NAME, bounds=Bounds(1, 8), last_active_at=world.clock.now()), MANY)
            world.scaler.settle(NAME, 1)
            world.load.loads[NAME] = Load(
                backlog, 12.0, seconds_per_request=SECONDS_PER_REQUEST, served_per_second=0.4
            )
            reconcile(world)
            first = world.scaler.look(NAME).desired_copies
            world.scaler.settle(NAME, 1)
            world.clock.forward(minutes=minutes)
            reconcile(world)
            asked.append((first, world.scaler.look(NAME).desired_copies))
        assert len(set(asked)) == 1 and asked[0][0] == asked[0][1], (backlog, asked)


def test_what_one_copy_has_at_a_time_goes_up_and_down_and_asks_for_no_other() -> None:
    assert [wanted(before=before, backlog=14) for before in (0, 4, 8, 14)] == [1, 1, 1, 1]


def test_requests_that_come_and_go_while_it_may_not_be_woken_are_one_idle_time_each(
    world: MemoryWorld,
) -> None:
    """One comes every twenty minutes and is taken back after three. Each closes the idle time since
    the one before it, and none the hours since the last that was served."""
    now = world.clock.now()
    barred = now + timedelta(days=1)
    put(world, asleep(NAME, observed_at=now, retry_at=barred, last_active_at=now), MANY)
    world.scaler.settle(NAME, 0)
    for minute in range(4 * 60):
        world.load.loads[NAME] = Load(int(minute % 20 < 3), None)
        reconcile(world)
        world.clock.forward(minutes=1)
    gaps = world.store.records[NAME].pattern.pattern().gaps
    assert 11 * 16 * 60 < sum(gaps.seconds) < 4 * 3600, "no more than the time that passed"


def test_a_message_that_a_dispatcher_has_is_no_arrival_when_the_wake_counts_it(
    world: MemoryWorld,
) -> None:
    """Of an endpoint that keeps answers such a message wakes nothing by a tick."""
    keeps = spec(NAME, scaling={"max_copies": 8}, answers={"keep": "7d"})
    put(world, asleep(NAME, observed_at=world.clock.now()), keeps)
    world.scaler.settle(NAME, 0)
    world.load.loads[NAME] = Load(60, None)
    assert world.load.untaken(NAME) == 0
    reconcile(world)
    found = world.store.records[NAME].status
    assert found.phase is Phase.ASLEEP
    assert found.episode.queued == Queued(world.clock.now(), 60)


@pytest.mark.parametrize("phase", [Phase.AWAKE, Phase.ASLEEP])
def test_a_stack_that_ticks_seldom_counts_what_came_as_of_its_own_tick(phase: Phase) -> None:
    world = replace(memory_world(), tick=timedelta(minutes=5))
    now, copies = world.clock.now(), int(phase is Phase.AWAKE)
    before = now - timedelta(minutes=5 if copies else 14)
    counted = Episode(queued=Queued(before, 0))
    barred = None if copies else now + timedelta(hours=1)
    put(
        world,
        awake(NAME, phase=phase, observed_at=before, episode=counted, retry_at=barred),
        MANY,
    )
    world.scaler.settle(NAME, copies)
    world.load.loads[NAME] = Load(300, 16.0 if copies else None)
    reconcile(world)
    assert world.store.records[NAME].status.episode.queued == Queued(now, 300, 1.0)
