"""Events that come late, twice, out of order or never: nothing depends on which of them came.

A report of a state machine is of a generation, and only the newest counts. Everything else (a tick,
an alarm, SageMaker's own events, a message) says "look now".
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from datetime import timedelta
from itertools import permutations
from pathlib import Path

import pytest

from autoscaler.control.awake import record_awake
from autoscaler.control.progress import (
    NotYetError,
    record_asleep,
    record_failed,
    record_retired,
    record_shaped,
    record_staged,
)
from autoscaler.control.reconcile import reconcile
from autoscaler.control.size import may_sleep, plan_wake
from autoscaler.control.start import Patience, Verdict, look_at_start
from autoscaler.control.updating import record_update_failed, record_updated
from autoscaler.control.wishes import request_sleep, request_wake
from autoscaler.endpoints.status import Cause, Shape
from autoscaler.policy.types import Phase
from autoscaler.ports import Capacity, Flow, FlowState, Load
from tests.desk import NAME, dispatch, memory_desk, message
from tests.memory import MemoryWorld, memory_world
from tests.samples import asleep, awake, put

ROOT = Path(__file__).parents[2]
COMMIT = "a" * 40
PATIENCE = Patience(capacity=timedelta(minutes=15), wake=timedelta(hours=1))
REPORTS: dict[str, Callable[[MemoryWorld, int], bool]] = {
    "staged": lambda w, g: record_staged(w, NAME, g, COMMIT, "s3://w/m/"),
    "shaped": lambda w, g: record_shaped(w, NAME, g, Shape(rung=1), 2),
    "updated": lambda w, g: record_updated(w, NAME, g, Shape(rung=1), 2),
    "awake": lambda w, g: record_awake(w, NAME, g, 2),
    "asleep": lambda w, g: record_asleep(w, NAME, g),
    "retired": lambda w, g: record_retired(w, NAME, g),
    "failed": lambda w, g: record_failed(w, NAME, g, "Error", "cause"),
    "update failed": lambda w, g: record_update_failed(w, NAME, g, "Error", "cause"),
    "may it sleep": lambda w, g: may_sleep(w, NAME, g),
    "size of a wake": lambda w, g: plan_wake(w, NAME, g).current,
    "how far is it": lambda w, g: (
        look_at_start(w, NAME, g, 1, PATIENCE).verdict is not Verdict.OVERTAKEN
    ),
}


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


@pytest.mark.parametrize("generation", [4, 6], ids=["older", "of a table that was set back"])
@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("report", REPORTS)
def test_a_report_of_another_generation_changes_nothing(world, report, phase, generation) -> None:
    put(world, awake(NAME, phase=phase, generation=5))
    world.scaler.settle(NAME, 1)
    before = world.store.records[NAME].status
    assert REPORTS[report](world, generation) is False
    assert world.store.records[NAME].status == before
    assert (world.store.segments, world.flows.started, world.announcer.events) == ([], [], [])


@pytest.mark.parametrize("report", REPORTS)
def test_a_report_on_an_endpoint_that_is_gone_changes_nothing(world, report) -> None:
    assert REPORTS[report](world, 1) is False
    assert world.store.records == {}


def test_the_reports_of_a_life_in_any_order_end_where_aws_is(world) -> None:
    """All six orders of three reports of one wake: awake, a failure of an older execution, asleep
    of an older one; each twice."""
    ends = set()
    for order in permutations(("awake", "failed", "asleep")):
        world = memory_world()
        put(world, asleep(NAME, phase=Phase.WAKING, generation=5, wish_copies=1))
        world.scaler.settle(NAME, 1)
        for report in order:
            for _ in range(2):
                REPORTS[report](world, 5 if report == "awake" else 4)
        status = world.store.records[NAME].status
        ends.add((status.phase, status.generation, status.observed_copies, len(status.meters)))
    assert ends == {(Phase.AWAKE, 5, 1, 1)}


INSTANCE = {"ml.g6e.xlarge": 1}
TOO_EARLY = {
    "awake": ("awake", Capacity(True, instances_by_type=INSTANCE, status="InService")),
    "asleep, an instance": ("asleep", Capacity(True, instances_by_type=INSTANCE)),
    "asleep, a copy serves": ("asleep", Capacity(True, current_copies=1)),
    "asleep, a copy is wished": ("asleep", Capacity(True, desired_copies=1)),
    "retired, all is there": ("retired", Capacity(True, status="InService")),
    "retired, an instance": ("retired", Capacity(False, instances_by_type=INSTANCE)),
    "retired, it is being deleted": ("retired", Capacity(False, status="Deleting")),
}
IN_PHASE = {"awake": Phase.WAKING, "asleep": Phase.SLEEPING, "retired": Phase.RETIRING}


@pytest.mark.parametrize(("report", "there"), [*TOO_EARLY.values()], ids=[*TOO_EARLY])
def test_a_report_before_its_time_is_refused_and_asked_again(world, report, there) -> None:
    """SageMaker's own list may lag behind what it just did."""
    put(world, asleep(NAME, phase=IN_PHASE[report]))
    world.scaler.capacities[NAME] = there
    before = world.store.records[NAME].status
    with pytest.raises(NotYetError):
        REPORTS[report](world, 1)
    assert world.store.records[NAME].status == before


def test_the_look_is_the_same_whatever_event_called_for_it() -> None:
    """The function that reconciles hands its event to nobody but the log."""
    tree = ast.parse((ROOT / "functions" / "reconcile" / "app.py").read_text())
    (handler,) = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    calls = [node for node in ast.walk(handler) if isinstance(node, ast.Call)]
    given = {ast.unparse(call.func): [ast.unparse(a) for a in call.args] for call in calls}
    assert given["tick"] == []
    assert {name for name, args in given.items() if "event" in args} <= {"about"}


@pytest.mark.parametrize("looks", [1, 2, 7])
def test_events_that_are_doubled_act_once(world, looks: int) -> None:
    put(world, asleep(NAME))
    world.scaler.settle(NAME, 0)
    world.load.loads[NAME] = Load(backlog=3, concurrency_per_copy=None)
    for _ in range(looks):
        reconcile(world)
    assert world.flows.started == [(Flow.WAKE, NAME, 2)]
    assert world.store.records[NAME].status.wakes_today == 1


def test_an_event_that_is_lost_is_made_up_for_by_the_next_look(world) -> None:
    """The execution ended, and neither its report nor SageMaker's event was heard."""
    record = put(world, asleep(NAME))
    request_wake(world, record, Cause.MESSAGE, 1, "A request is waiting.")
    world.scaler.settle(NAME, 0)
    world.flows.end(Flow.WAKE, NAME, 2, FlowState.FAILED, "the report was lost")
    world.load.loads[NAME] = Load(backlog=1, concurrency_per_copy=None)
    reconcile(world)
    assert world.store.records[NAME].status.phase is Phase.SLEEPING
    assert record_asleep(world, NAME, 3)
    world.clock.forward(hours=1)
    reconcile(world)
    assert world.store.records[NAME].status.phase is Phase.WAKING
    assert world.flows.started[-1] == (Flow.WAKE, NAME, 4)


def test_a_message_that_comes_after_its_sleep_was_wished_turns_it_round(world) -> None:
    desk = memory_desk()
    record = put(desk.world, awake(NAME))
    desk.world.scaler.settle(NAME, 1)
    request_sleep(desk.world, record, Cause.IDLE, "idle")
    assert dispatch(desk, NAME, [message()]) == ["m-1"]
    status = desk.world.store.records[NAME].status
    assert (status.phase, status.generation) == (Phase.WAKING, 3)
    assert desk.world.flows.stopped == [(Flow.SLEEP, NAME, 2)]


def test_messages_in_any_order_are_each_answered_once() -> None:
    for order in permutations((1, 2, 3)):
        desk = memory_desk()
        put(desk.world, awake(NAME))
        desk.world.scaler.settle(NAME, 1)
        for number in (*order, *order):
            assert dispatch(desk, NAME, [message(number)]) == []
        assert sorted(desk.results.stored) == [f"{NAME}/r-{n}" for n in (1, 2, 3)]
        assert len(desk.models.asked) == 3, "the second delivery found its answer"
