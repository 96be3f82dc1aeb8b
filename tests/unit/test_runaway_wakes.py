"""A runaway of wakes, as it comes: an endpoint that is woken by what waits, and goes down again."""

from __future__ import annotations

from datetime import timedelta

from autoscaler.control.awake import record_awake
from autoscaler.control.breaker import WAKES_AN_HOUR
from autoscaler.control.progress import record_asleep
from autoscaler.control.reconcile import reconcile
from autoscaler.control.waking import wake_for
from autoscaler.control.wishes import request_sleep
from autoscaler.endpoints.status import Cause
from autoscaler.policy.types import Phase
from autoscaler.ports import Flow, Load
from tests.memory import MemoryWorld, memory_world
from tests.samples import asleep, put

NAME = "llama"
WAITING = Load(backlog=7, concurrency_per_copy=None)


def _up_and_down(world: MemoryWorld) -> bool:
    """One life of four minutes, if a tick begins it for what waits, or else a message."""
    world.scaler.settle(NAME, 0)
    reconcile(world)
    wake_for(world, world.store.load(NAME))
    status = world.store.records[NAME].status
    if status.phase is not Phase.WAKING:
        return False
    world.scaler.settle(NAME, 1)
    assert record_awake(world, NAME, status.generation)
    world.clock.forward(minutes=2)
    down = request_sleep(world, world.store.load(NAME), Cause.DRIFT, "its copies went")
    world.scaler.settle(NAME, 0)
    assert record_asleep(world, NAME, down.status.generation)
    world.clock.forward(minutes=2)
    return True


def test_wakes_without_end_are_stopped_at_the_most_of_an_hour_and_requests_wait() -> None:
    world = memory_world()
    put(world, asleep(NAME))
    world.load.loads[NAME] = WAITING
    began = world.clock.now()
    lives = [_up_and_down(world) for _ in range(40)]
    wakes = [one for one in world.flows.started if one[0] is Flow.WAKE]
    assert sum(lives) == len(wakes) == WAKES_AN_HOUR + 1
    assert world.clock.now() - began < timedelta(hours=1)
    assert world.announcer.kinds().count("RunawayStopped") == 1
    assert world.store.stack().stopped_endpoints[NAME].author == "the breaker"
    for _ in range(120):  # when the hour is over too
        assert not _up_and_down(world)
        world.clock.forward(minutes=1)
    assert world.store.records[NAME].status.phase is Phase.ASLEEP
