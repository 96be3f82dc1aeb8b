"""The table restored to an earlier point in time: what it says is not what is there any more.

Nobody tells the controller. It looks at AWS before it believes a status, and it knows an execution
that is older than its wish.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from autoscaler.control.metering import running
from autoscaler.control.reconcile import reconcile
from autoscaler.control.sweep import Fleet, Kind, Resource, Verdict, sentenced
from autoscaler.control.tend import LEAP
from autoscaler.control.wishes import FLOWS, request_wake
from autoscaler.endpoints.status import Cause, EndpointStatus
from autoscaler.endpoints.tags import ENDPOINT, STACK
from autoscaler.policy.types import Phase
from autoscaler.ports import Capacity, Flow, FlowReport, FlowState, Load
from tests.memory import MemoryWorld, memory_world
from tests.samples import asleep, awake, put

NAME = "llama"
WAITING = Load(backlog=3, concurrency_per_copy=None)
LAST_WEEK = timedelta(days=7)


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


def status(world: MemoryWorld) -> EndpointStatus:
    return world.store.records[NAME].status


def ran_before(world: MemoryWorld, flow: Flow, *generations: int, at: datetime) -> None:
    """Executions that the lost rows of the table had asked for."""
    for generation in generations:
        report = FlowReport(FlowState.SUCCEEDED, began_at=at)
        world.flows.states[flow, NAME, generation] = report


@pytest.mark.parametrize("copies", [2, 0], ids=["with copies", "with none"])
def test_asleep_while_instances_run_they_go_and_are_billed(world, copies: int) -> None:
    put(world, asleep(NAME, observed_at=world.clock.now() - LAST_WEEK))
    world.scaler.settle(NAME, copies, 2)
    reconcile(world)
    assert (status(world).phase, status(world).cause) == (Phase.SLEEPING, Cause.DRIFT)
    assert running(status(world)) == {"ml.g6e.xlarge": 2}
    assert world.flows.started == [(Flow.SLEEP, NAME, 2)]


def test_awake_while_nothing_runs_it_is_woken_and_no_instance_is_invented(world) -> None:
    put(world, awake(NAME, at=world.clock.now() - LAST_WEEK))
    world.scaler.settle(NAME, 0)
    world.load.loads[NAME] = WAITING
    reconcile(world)
    assert (status(world).phase, status(world).cause) == (Phase.WAKING, Cause.DRIFT)
    assert world.flows.started == [(Flow.WAKE, NAME, 2)]
    gap = [segment for segment in world.store.segments if segment.over_gap]
    assert gap, "what is booked of the lost time says that nobody looked"


@pytest.mark.parametrize("phase", [Phase.AWAKE, Phase.ASLEEP, Phase.WAKING, Phase.SLEEPING])
def test_an_endpoint_that_was_removed_since_is_said_to_be_gone(world, phase) -> None:
    old = world.clock.now() - LAST_WEEK
    put(world, awake(NAME, phase=phase, at=old, phase_since=old))
    world.scaler.capacities[NAME] = Capacity(exists=False)
    reconcile(world)
    assert status(world).phase is Phase.FAILED
    assert world.announcer.kinds()[-1] == "EndpointFailed"
    assert "Apply its file again" in (status(world).failure or "")
    assert status(world).meters == ()


def test_a_wake_whose_name_was_taken_before_begins_within_a_tick(world) -> None:
    """It counted as begun, and then as failed: each wake of the lost rows took two generations and
    a backoff of up to an hour, so that requests waited for days."""
    ran_before(world, Flow.WAKE, *range(1, 200), at=world.clock.now() - LAST_WEEK)
    record = put(world, asleep(NAME, generation=4))
    world.scaler.settle(NAME, 0)
    world.load.loads[NAME] = WAITING
    request_wake(world, record, Cause.MESSAGE, 1, "A request is waiting.")
    assert world.flows.started == [], "the name is taken: nothing began"
    world.clock.forward(minutes=1)
    reconcile(world)
    assert world.flows.started == [(Flow.WAKE, NAME, 5 + LEAP)]
    now = status(world)
    assert (now.phase, now.cause, now.failed_wakes) == (Phase.WAKING, Cause.MESSAGE, 0)
    assert "the table was set back" in world.store.history(NAME)[0].text
    reconcile(world)
    assert len(world.flows.started) == 1, "once"


@pytest.mark.parametrize("phase", FLOWS)
def test_every_flow_gets_past_names_that_were_taken(world, phase) -> None:
    flow, now = FLOWS[phase], world.clock.now()
    ran_before(world, flow, 1, at=now - LAST_WEEK)
    put(world, asleep(NAME, phase=phase, phase_since=now, wished_at=now))
    world.scaler.settle(NAME, 0, instances=1)
    reconcile(world)
    assert world.flows.started == [(flow, NAME, 1 + LEAP)]
    assert (status(world).phase, status(world).attempts) == (phase, 0)


def test_an_execution_of_before_that_still_runs_is_ended_and_not_taken_for_the_wish(world) -> None:
    began = world.clock.now() - timedelta(hours=2)
    world.flows.states[Flow.WAKE, NAME, 5] = FlowReport(FlowState.RUNNING, began_at=began)
    record = put(world, asleep(NAME, generation=4))
    world.scaler.settle(NAME, 0)
    request_wake(world, record, Cause.MESSAGE, 1, "A request is waiting.")
    reconcile(world)
    assert world.flows.stopped == [(Flow.WAKE, NAME, 5)]
    assert world.flows.started == [(Flow.WAKE, NAME, 5 + LEAP)]


@pytest.mark.parametrize("seconds", [-200, -1, 0, 30])
def test_an_execution_of_this_very_wish_is_none_of_before(world, seconds: int) -> None:
    """Clocks of AWS differ by some seconds."""
    put(world, asleep(NAME, phase=Phase.WAKING, phase_since=world.clock.now()))
    wished = status(world).wished_at
    began = wished + timedelta(seconds=seconds)
    world.flows.states[Flow.WAKE, NAME, 1] = FlowReport(FlowState.RUNNING, began_at=began)
    world.scaler.settle(NAME, 0)
    reconcile(world)
    assert (status(world).generation, world.flows.started) == (1, [])


def test_what_has_no_row_any_more_is_reported_by_the_sweep_and_keeps_its_requests() -> None:
    """Of an endpoint that was applied after the time to which the table was set back."""
    now = memory_world().clock.now()
    tags = {STACK: "autoscaler", ENDPOINT: NAME, "autoscaler:deletable": "true"}
    made = {"created_at": now - timedelta(hours=5), "tags": tags}
    name = f"autoscaler-{NAME}"
    found = [
        Resource(Kind.ENDPOINT, name, status="InService", instances={"ml.g6e.xlarge": 1}, **made),
        Resource(Kind.QUEUE, name, messages=3, **made),
    ]
    fleet = Fleet("autoscaler", frozenset())
    orphans = sentenced(found, fleet, [], now, cap=10, complete=True)
    verdicts = {one.resource.kind: one.verdict for one in orphans}
    assert verdicts == {Kind.ENDPOINT: Verdict.SEEN_ONCE, Kind.QUEUE: Verdict.HOLDS_REQUESTS}
    assert orphans[0].usd_per_hour, "its price is told"
