"""What waits for its next try is tried when a person says so; else they hear why not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from autoscaler.control.progress import record_failed
from autoscaler.control.reconcile import reconcile
from autoscaler.control.retry import retry
from autoscaler.control.world import OrderError, UnknownEndpointError
from autoscaler.endpoints.status import Cause
from autoscaler.policy.ladder import FIRST_OPEN, Try, TryOutcome
from autoscaler.policy.types import Phase, Reach
from autoscaler.ports import Capacity, Flow, FlowReport, FlowState
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, awake, put
from tests.unit.test_control_reshaping import without_capacity
from tests.unit.test_control_updating import NAME, applied, stored

LATER = NOON + timedelta(hours=1)
DEAD = tuple(Try(NOON - timedelta(minutes=m), 0, TryOutcome.CONTAINER) for m in (20, 10))


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


def test_a_creation_that_waits_for_capacity_is_tried_at_once(world) -> None:
    applied(world, instances={"types": ["ml.g6e.xlarge"]})
    without_capacity(world)
    waits = stored(world)
    assert waits.retry_at is not None
    assert waits.retry_at > world.clock.now()
    reconcile(world)
    assert stored(world).generation == waits.generation, "by itself it can only wait"

    after, did = retry(world, NAME, "ada")

    assert did == "its creation is tried now, on ml.g6e.xlarge"
    assert (after.status.phase, after.status.retry_at) == (Phase.STAGING, None)
    assert world.flows.started[-1] == (Flow.DEPLOY, NAME, waits.generation + 1)
    assert any("ada did not wait" in line.text for line in world.store.history(NAME))
    with pytest.raises(OrderError, match="is STAGING and being worked on"):
        retry(world, NAME, "ada")


def test_a_wake_whose_circuit_is_open_is_tried_once_and_its_failure_opens_it_again(world) -> None:
    open_until = NOON + FIRST_OPEN
    put(world, asleep(NAME, retry_at=open_until, failed_wakes=2, tries=DEAD))
    after, did = retry(world, NAME, "ada")
    assert did == "it is woken now, on ml.g6e.xlarge"
    assert (after.status.phase, after.status.cause) == (Phase.WAKING, Cause.PERSON)
    generation = after.status.generation
    assert world.flows.started == [(Flow.WAKE, NAME, generation)]

    world.scaler.settle(NAME, 1)
    record_failed(world, NAME, generation, "ContainerCrash", "its container dies")
    (told,) = [e for e in world.announcer.events if e.detail_type == "CapacityMissing"]
    assert told.circuit_open
    assert told.retry_at == world.clock.now() + 2 * FIRST_OPEN, "what failed is not forgotten"


def test_copies_that_did_not_come_may_be_asked_for_again(world) -> None:
    put(world, awake(NAME, reach=Reach(1, LATER), shortages=2))
    after, did = retry(world, NAME, "ada")
    assert "more copies are asked for" in did
    assert (after.status.reach, after.status.shortages) == (None, 2)


@pytest.mark.parametrize("phase", [Phase.SLEEPING, Phase.RETIRING])
def test_a_flow_that_waits_for_its_next_execution_gets_it(world, phase) -> None:
    put(world, asleep(NAME, phase=phase, retry_at=LATER, attempts=1))
    flow = {Phase.SLEEPING: Flow.SLEEP, Phase.RETIRING: Flow.RETIRE}[phase]
    world.flows.states[flow, NAME, 1] = FlowReport(FlowState.FAILED, "aborted")
    world.scaler.capacities[NAME] = Capacity(exists=True)
    _, did = retry(world, NAME, "ada")
    assert did == f"its {phase} is tried now"
    assert world.flows.started == [(flow, NAME, 2)]


def test_the_last_try_that_is_over_is_no_success(world) -> None:
    put(world, asleep(NAME, phase=Phase.CREATING, retry_at=LATER, attempts=2))
    world.flows.states[Flow.DEPLOY, NAME, 1] = FlowReport(FlowState.FAILED, "aborted by hand")
    after, did = retry(world, NAME, "ada")
    assert after.status.phase is Phase.FAILED
    assert "no other try left" in did
    assert "aborted by hand" in did


NOTHING: list[tuple[dict[str, Any], str]] = [
    ({}, "llama is ASLEEP and waits for no other try: autoscaler wake llama wakes it"),
    ({"retry_at": NOON}, "waits for no other try"),
    ({"phase": Phase.AWAKE}, "no copy of it waits to be tried again"),
    ({"phase": Phase.AWAKE, "reach": Reach(1, NOON)}, "no copy of it waits"),
    ({"phase": Phase.FAILED}, "mend the cause and apply it again"),
    ({"phase": Phase.RETIRED}, "llama is RETIRED: there is nothing to try again"),
]


@pytest.mark.parametrize(("status", "words"), NOTHING)
def test_where_nothing_waits_it_says_why_and_does_nothing(world, status, words) -> None:
    before = put(world, asleep(NAME, **status))
    with pytest.raises(OrderError, match=words):
        retry(world, NAME, "ada")
    assert world.store.records[NAME] == before
    assert world.flows.started == []


def test_an_unknown_name_is_answered_with_those_there_are(world) -> None:
    put(world, awake("qwen"))
    with pytest.raises(UnknownEndpointError, match="endpoints here: qwen"):
        retry(world, NAME, "ada")
