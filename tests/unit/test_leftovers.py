"""What a failed endpoint has left: looked at each minute until it is gone, removed by one removal
at a time."""

from __future__ import annotations

from autoscaler.control.metering import running
from autoscaler.control.reconcile import reconcile
from autoscaler.policy.types import Phase
from autoscaler.ports import Flow, FlowState
from tests.memory import MemoryWorld, memory_world
from tests.samples import asleep, put

NAME = "llama"


def failed_with_one_instance() -> MemoryWorld:
    world = memory_world()
    put(world, asleep(NAME, phase=Phase.FAILED, observed_at=None))
    world.scaler.settle(NAME, 1)
    return world


def ticks(world: MemoryWorld, minutes: int) -> None:
    for _ in range(minutes):
        reconcile(world)
        world.clock.forward(minutes=1)


def test_while_a_removal_runs_no_other_one_begins() -> None:
    world = failed_with_one_instance()
    ticks(world, 40)
    assert world.flows.started == [(Flow.REMOVE, NAME, 2)]


def test_after_one_that_left_something_the_next_begins_a_quarter_of_an_hour_after_it_began() -> (
    None
):
    world = failed_with_one_instance()
    ticks(world, 1)
    world.flows.end(Flow.REMOVE, NAME, 2, FlowState.FAILED)
    ticks(world, 14)
    assert world.flows.started == [(Flow.REMOVE, NAME, 2)]
    ticks(world, 1)
    assert world.flows.started[1:] == [(Flow.REMOVE, NAME, 3)]


def test_what_is_gone_is_booked_until_the_next_minute() -> None:
    world = failed_with_one_instance()
    ticks(world, 3)
    assert sum(running(world.store.records[NAME].status).values()) == 1
    world.scaler.settle(NAME, 0)
    ticks(world, 1)
    assert not running(world.store.records[NAME].status)
