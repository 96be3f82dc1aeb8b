"""An endpoint that SageMaker keeps in one state for hours: a person is told, and it is billed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autoscaler.control.metering import running
from autoscaler.control.progress import record_asleep
from autoscaler.control.reconcile import reconcile
from autoscaler.control.wishes import FLOWS
from autoscaler.endpoints.phases import IN_TRANSITION
from autoscaler.endpoints.status import Cause
from autoscaler.policy.types import Phase
from autoscaler.ports import Capacity, Load
from tests.memory import MemoryWorld, memory_world
from tests.samples import awake, put

NAME = "llama"
TYPE = "ml.g6e.xlarge"
# What DescribeEndpoint and DescribeInferenceComponent may answer besides InService.
STATES = (
    "Creating",
    "Updating",
    "SystemUpdating",
    "RollingBack",
    "Deleting",
    "Failed",
    "UpdateRollbackFailed",
    "OutOfService",
)
LONGEST = timedelta(hours=13)  # more than any flow may take
WAITING = Load(backlog=3, concurrency_per_copy=None)


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


def stays(world: MemoryWorld, state: str, copies: int = 0) -> None:
    """One instance, asked for one copy; SageMaker is at it for ever."""
    world.scaler.capacities[NAME] = Capacity(
        exists=True,
        desired_copies=1,
        current_copies=copies,
        instances_by_type={TYPE: 1},
        status=state,
    )


def live(world: MemoryWorld, hours: timedelta = LONGEST) -> None:
    """A tick every half an hour, and SageMaker stays as it is."""
    until, state = world.clock.now() + hours, world.scaler.capacities[NAME]
    while world.clock.now() < until:
        world.clock.forward(minutes=30)
        reconcile(world)
        world.scaler.capacities[NAME] = state


@pytest.mark.parametrize("phase", sorted(IN_TRANSITION))
@pytest.mark.parametrize("state", STATES)
def test_in_transition_it_is_told_once_and_its_instance_is_in_the_ledger(
    world, state, phase
) -> None:
    put(world, awake(NAME, phase=phase, phase_since=world.clock.now()))
    world.flows.start(FLOWS[phase], NAME, 1)
    world.load.loads[NAME] = WAITING
    stays(world, state)
    live(world)
    status = world.store.records[NAME].status
    assert status.phase is phase
    assert world.announcer.kinds().count("PhaseStuck") == 1
    assert running(status) == {TYPE: 1}
    billed = sum(segment.instance_seconds for segment in world.store.segments)
    opened = (world.clock.now() - status.meters[0].since).total_seconds()
    assert billed + opened >= LONGEST.total_seconds()


@pytest.mark.parametrize("state", STATES)
def test_awake_without_a_copy_it_goes_to_zero_is_told_and_comes_back(world, state) -> None:
    """It stayed awake for ever with an instance that was billed and requests that waited, and all
    that was told was a missing metric."""
    put(world, awake(NAME))
    world.load.loads[NAME] = WAITING
    stays(world, state)
    live(world, timedelta(hours=2))
    status = world.store.records[NAME].status
    assert (status.phase, status.cause) == (Phase.SLEEPING, Cause.FAILED_WAKE)
    assert "CapacityMissing" in world.announcer.kinds()
    assert ("failed" if state == "Failed" else state) in (status.failure or "")
    assert running(status) == {TYPE: 1}, "it is billed until it is gone"
    world.scaler.settle(NAME, 0)
    assert record_asleep(world, NAME, status.generation)
    live(world, timedelta(hours=1))
    assert world.store.records[NAME].status.phase is Phase.WAKING, "its requests still wait"


def test_a_copy_that_is_replaced_within_the_time_of_a_wake_is_waited_for(world) -> None:
    put(world, awake(NAME))
    world.load.loads[NAME] = WAITING
    stays(world, "Updating")
    for _ in range(59):
        world.clock.forward(minutes=1)
        reconcile(world)
    assert world.store.records[NAME].status.short_since is not None
    world.load.loads[NAME] = Load(backlog=3, concurrency_per_copy=2.0, invocations=3.0)
    world.scaler.settle(NAME, 1)
    live(world, timedelta(hours=3))
    status = world.store.records[NAME].status
    assert (status.phase, status.generation, status.short_since) == (Phase.AWAKE, 1, None)


@pytest.mark.parametrize("state", [one for one in STATES if one != "Failed"])
def test_awake_with_all_its_copies_it_serves_on_whatever_state_it_is_in(world, state) -> None:
    """A change that does not end takes no request away."""
    put(world, awake(NAME))
    world.load.loads[NAME] = Load(backlog=0, concurrency_per_copy=2.0, invocations=9.0)
    stays(world, state, copies=1)
    live(world, timedelta(hours=3))
    status = world.store.records[NAME].status
    assert (status.phase, status.generation) == (Phase.AWAKE, 1)
    assert running(status) == {TYPE: 1}
