"""A wish is stored before anything is done; whoever dies in between is made up for by the tick."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from autoscaler.control.awake import record_awake
from autoscaler.control.metering import running
from autoscaler.control.progress import (
    NotYetError,
    record_asleep,
    record_failed,
    record_retired,
)
from autoscaler.control.reconcile import reconcile
from autoscaler.control.size import may_sleep, plan_wake
from autoscaler.control.wishes import request_retirement, request_sleep, request_wake
from autoscaler.endpoints.status import Cause, UsageKind
from autoscaler.policy.types import Bounds, Hold, Phase
from autoscaler.ports import Capacity, ConflictError, Flow, FlowState, Load
from tests.memory import MemoryWorld, memory_world
from tests.samples import asleep, awake, put, spec

NAME = "llama"


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


def phase(world: MemoryWorld) -> Phase:
    return world.store.records[NAME].status.phase


def test_a_wake_raises_the_generation_and_starts_the_execution_named_after_it(world) -> None:
    record = put(world, asleep(NAME, generation=4))
    request_wake(world, record, Cause.MESSAGE, 2, "A request is waiting.")
    status = world.store.records[NAME].status
    assert (status.phase, status.generation, status.wish_copies) == (Phase.WAKING, 5, 2)
    assert world.flows.started == [(Flow.WAKE, NAME, 5)]
    assert world.announcer.kinds() == ["WakeRequested"]


def test_of_two_wakes_from_the_same_look_only_one_is_stored(world) -> None:
    record = put(world, asleep(NAME))
    request_wake(world, record, Cause.MESSAGE, 1, "first")
    with pytest.raises(ConflictError):
        request_wake(world, record, Cause.MESSAGE, 1, "second")
    assert len(world.flows.started) == 1


def test_a_wish_whose_starter_died_is_started_by_the_next_tick(world) -> None:
    record = put(world, asleep(NAME))
    world.flows.broken = True
    with pytest.raises(ConnectionError):
        request_wake(world, record, Cause.MESSAGE, 1, "A request is waiting.")
    assert world.flows.started == []
    world.flows.broken = False
    world.scaler.settle(NAME, 0)
    reconcile(world)
    assert world.flows.started == [(Flow.WAKE, NAME, 2)]


def test_the_meter_runs_from_the_wish_on_not_from_the_first_instance_seen(world) -> None:
    record = put(world, asleep(NAME))
    request_wake(world, record, Cause.MESSAGE, 2, "A request is waiting.")
    (meter,) = world.store.records[NAME].status.meters
    assert (meter.instances, meter.since) == (2, world.clock.now())


def test_awake_is_recorded_only_with_a_copy_in_service(world) -> None:
    record = put(world, asleep(NAME))
    request_wake(world, record, Cause.MESSAGE, 1, "A request is waiting.")
    world.scaler.settle(NAME, 0)
    with pytest.raises(NotYetError):
        record_awake(world, NAME, 2)
    world.scaler.settle(NAME, 1)
    world.clock.forward(seconds=245)
    assert record_awake(world, NAME, 2)
    status = world.store.records[NAME].status
    assert status.phase is Phase.AWAKE
    assert status.lead_times() == (timedelta(seconds=245),)
    assert world.scaler.calls[-1][0] == "bounds"
    assert world.announcer.kinds()[-1] == "EndpointAwoke"


def test_how_many_copies_an_instance_holds_is_kept_and_counts_in_the_next_wake(world) -> None:
    put(world, asleep(NAME, phase=Phase.CREATING))
    world.scaler.settle(NAME, 1)
    assert record_awake(world, NAME, 1, copies_per_instance=4)
    assert world.store.records[NAME].status.copies_per_instance == 4
    request_sleep(world, world.store.records[NAME], Cause.IDLE, "idle")
    world.scaler.settle(NAME, 0)
    record_asleep(world, NAME, 2)
    request_wake(world, world.store.records[NAME], Cause.MESSAGE, 2, "A request is waiting.")
    assert running(world.store.records[NAME].status) == {"ml.g6e.xlarge": 1}


def test_recording_awake_twice_changes_nothing_the_second_time(world) -> None:
    record = put(world, asleep(NAME))
    request_wake(world, record, Cause.MESSAGE, 1, "A request is waiting.")
    world.scaler.settle(NAME, 1)
    record_awake(world, NAME, 2)
    before = world.store.records[NAME]
    assert record_awake(world, NAME, 2)
    assert world.store.records[NAME] == before


def test_an_overtaken_execution_is_told_so_and_changes_nothing(world) -> None:
    record = put(world, asleep(NAME))
    request_wake(world, record, Cause.MESSAGE, 1, "A request is waiting.")
    before = world.store.records[NAME]
    assert not record_awake(world, NAME, 1)
    assert not plan_wake(world, NAME, 1).current
    assert not may_sleep(world, NAME, 1)
    assert world.store.records[NAME] == before


def test_a_wake_is_sized_by_the_backlog_and_never_cut(world) -> None:
    record = put(world, asleep(NAME))
    request_wake(world, record, Cause.MESSAGE, 1, "A request is waiting.")
    world.scaler.settle(NAME, 0)
    world.load.loads[NAME] = Load(backlog=500, concurrency_per_copy=None)
    assert plan_wake(world, NAME, 2).copies == 2  # max_copies bounds it
    world.load.loads[NAME] = Load(backlog=1, concurrency_per_copy=None)
    plan = plan_wake(world, NAME, 2)
    assert (plan.copies, plan.bounds) == (2, Bounds(2, 2))


def test_asleep_is_recorded_only_when_zero_instances_were_seen(world) -> None:
    record = put(world, awake(NAME, instances=1))
    request_sleep(world, record, Cause.IDLE, "idle")
    world.scaler.settle(NAME, 0, instances=1)
    with pytest.raises(NotYetError):
        record_asleep(world, NAME, 2)
    world.clock.forward(seconds=90)
    world.scaler.settle(NAME, 0)
    assert record_asleep(world, NAME, 2)
    assert phase(world) is Phase.ASLEEP
    assert world.store.records[NAME].status.meters == ()
    slept = world.announcer.events[-1]
    assert slept.detail_type == "EndpointSlept"
    hours = Decimal(3600 + 90) / 3600
    assert slept.cost_usd == pytest.approx(hours * Decimal("2.61")), "an hour and the tail"


def test_a_request_in_the_middle_of_a_sleep_turns_it_round(world) -> None:
    record = put(world, awake(NAME))
    request_sleep(world, record, Cause.IDLE, "idle")
    world.load.loads[NAME] = Load(backlog=1, concurrency_per_copy=0.0)
    assert not may_sleep(world, NAME, 2)
    assert phase(world) is Phase.WAKING
    assert world.flows.started[-1] == (Flow.WAKE, NAME, 3)
    assert world.flows.stopped == [(Flow.SLEEP, NAME, 2)]


def test_a_hold_set_during_a_sleep_turns_it_round(world) -> None:
    record = put(world, awake(NAME))
    request_sleep(world, record, Cause.IDLE, "idle")
    status = world.store.records[NAME].status
    hold = Hold(world.clock.now() + timedelta(hours=1), 1, "demo", "ada")
    world.store.save(status.model_copy(update={"hold": hold}))
    assert not may_sleep(world, NAME, 2)
    assert phase(world) is Phase.WAKING


def test_a_failed_wake_goes_back_to_zero_and_waits_before_the_next(world) -> None:
    record = put(world, asleep(NAME))
    request_wake(world, record, Cause.MESSAGE, 1, "A request is waiting.")
    assert record_failed(world, NAME, 2, "NoCapacity", "insufficient capacity")
    assert phase(world) is Phase.SLEEPING
    assert world.flows.started[-1] == (Flow.SLEEP, NAME, 3)
    assert world.announcer.kinds()[-1] == "CapacityMissing"
    # work is waiting, and yet it goes to zero: nothing is paid for a wake that cannot succeed
    world.load.loads[NAME] = Load(backlog=5, concurrency_per_copy=None)
    assert may_sleep(world, NAME, 3)
    world.scaler.settle(NAME, 0)
    record_asleep(world, NAME, 3)
    status = world.store.records[NAME].status
    pause = status.retry_at - world.clock.now()
    assert timedelta(seconds=30) <= pause <= timedelta(seconds=60)
    # no instance was ever seen, so none is billed
    assert world.store.segments == []


def test_the_backlog_of_a_failed_wake_is_tried_again_after_the_backoff(world) -> None:
    retry = world.clock.now() + timedelta(seconds=60)
    put(world, asleep(NAME, retry_at=retry, failed_wakes=1))
    world.scaler.settle(NAME, 0)
    world.load.loads[NAME] = Load(backlog=5, concurrency_per_copy=None)
    reconcile(world)
    assert phase(world) is Phase.ASLEEP
    world.clock.forward(seconds=61)
    reconcile(world)
    assert phase(world) is Phase.WAKING


def test_of_a_failed_wake_only_what_came_is_billed(world) -> None:
    record = put(world, asleep(NAME))
    request_wake(world, record, Cause.MESSAGE, 2, "A request is waiting.")
    world.scaler.settle(NAME, 0, instances=1)
    reconcile(world)
    assert running(world.store.records[NAME].status) == {"ml.g6e.xlarge": 2}, "still asked for"
    world.clock.forward(seconds=600)
    record_failed(world, NAME, 2, "NoCapacity", "insufficient capacity")
    (segment,) = world.store.segments
    assert (segment.instances, segment.instance_seconds) == (1, 600)
    assert running(world.store.records[NAME].status) == {"ml.g6e.xlarge": 1}


def test_each_instance_is_billed_as_the_type_that_came(world) -> None:
    record = put(world, asleep(NAME))
    request_wake(world, record, Cause.MESSAGE, 2, "A request is waiting.")
    came = {"ml.g6e.xlarge": 1, "ml.g5.2xlarge": 1}
    capacity = Capacity(True, 2, 2, instances_by_type=came, status="InService")
    world.scaler.capacities[NAME] = capacity
    world.clock.forward(seconds=300)
    record_awake(world, NAME, 2)
    billed = {s.instance_type: (s.instance_seconds, s.kind) for s in world.store.segments}
    assert billed == dict.fromkeys(came, (300, UsageKind.PROVISIONING))
    assert running(world.store.records[NAME].status) == came


def test_a_wake_whose_execution_died_is_settled_as_a_failed_one(world) -> None:
    record = put(world, asleep(NAME))
    request_wake(world, record, Cause.MESSAGE, 1, "A request is waiting.")
    world.scaler.settle(NAME, 0)
    world.flows.end(Flow.WAKE, NAME, 2, FlowState.FAILED, "timed out")
    reconcile(world)
    status = world.store.records[NAME].status
    assert (status.phase, status.failed_wakes, status.meters) == (Phase.SLEEPING, 1, ())
    assert world.announcer.kinds()[-1] == "CapacityMissing"


def test_a_sleep_that_is_tried_again_keeps_the_cause_that_lets_it_go_on(world) -> None:
    put(world, asleep(NAME, phase=Phase.SLEEPING, cause=Cause.FAILED_WAKE))
    world.scaler.settle(NAME, 0, instances=1)
    world.flows.end(Flow.SLEEP, NAME, 1, FlowState.FAILED, "StillThere")
    world.load.loads[NAME] = Load(backlog=5, concurrency_per_copy=None)
    reconcile(world)
    assert may_sleep(world, NAME, 2)


def test_a_sleep_goes_on_when_the_wakes_of_the_day_are_spent(world) -> None:
    today = world.clock.now().date()
    put(world, asleep(NAME, phase=Phase.SLEEPING, wakes_on=today, wakes_today=96))
    world.load.loads[NAME] = Load(backlog=5, concurrency_per_copy=None)
    assert may_sleep(world, NAME, 1)


def test_a_failed_creation_waits_for_a_person_and_says_why(world) -> None:
    put(world, asleep(NAME, phase=Phase.CREATING))
    assert record_failed(world, NAME, 1, "ComponentFailed", "CUDA out of memory")
    status = world.store.records[NAME].status
    assert (status.phase, status.failed_in) == (Phase.FAILED, Phase.CREATING)
    assert status.failure == "ComponentFailed: CUDA out of memory"
    assert world.announcer.kinds() == ["EndpointFailed"]


def test_an_execution_that_died_is_replaced_under_a_new_generation(world) -> None:
    record = put(world, awake(NAME))
    request_sleep(world, record, Cause.IDLE, "idle")
    world.scaler.settle(NAME, 0, instances=1)
    world.flows.end(Flow.SLEEP, NAME, 2, FlowState.FAILED, "StillThere")
    reconcile(world)
    status = world.store.records[NAME].status
    assert (status.phase, status.generation) == (Phase.SLEEPING, 3)
    assert world.flows.started[-1] == (Flow.SLEEP, NAME, 3)
    assert "SleepStuck" in world.announcer.kinds()


def test_a_creation_is_given_up_after_three_executions_and_its_capacity_removed(world) -> None:
    put(world, asleep(NAME, phase=Phase.CREATING))
    for generation in (1, 2, 3):
        world.flows.end(Flow.DEPLOY, NAME, generation, FlowState.FAILED, "timed out")
        world.clock.forward(minutes=20)
        reconcile(world)
    assert phase(world) is Phase.FAILED
    assert world.flows.started[-1][0] is Flow.REMOVE


def test_retired_is_recorded_only_when_nothing_is_left_and_then_forgotten(world) -> None:
    record = put(world, awake(NAME))
    request_retirement(world, record, Cause.PERSON, discard_requests=False)
    world.scaler.settle(NAME, 1)
    with pytest.raises(NotYetError):
        record_retired(world, NAME, 2)
    world.scaler.capacities.clear()
    assert record_retired(world, NAME, 2)
    assert world.store.records == {}
    assert world.announcer.kinds()[-1] == "EndpointRetired"


def test_a_step_is_repeated_when_somebody_else_wrote_in_between(world) -> None:
    record = put(world, asleep(NAME))
    request_wake(world, record, Cause.MESSAGE, 1, "A request is waiting.")
    world.scaler.settle(NAME, 1)
    world.store.conflicts_to_come = 2
    assert record_awake(world, NAME, 2)
    assert world.store.conflicts_to_come == 0
    assert phase(world) is Phase.AWAKE


def test_a_wake_ahead_of_a_window_is_as_big_as_the_tick_that_anticipates_it_wished() -> None:
    """A tick of a quarter of an hour looks further ahead than one of a minute; all decide alike."""
    world = replace(memory_world(), tick=timedelta(minutes=15))
    peak = {"name": "peak", "days": ["tue"], "start": "12:15", "end": "18:00", "min_copies": 4}
    windows = {"windows": [{**peak, "max_copies": 4}]}
    put(world, asleep(NAME), spec(NAME, schedule=windows, scaling={"max_copies": 2}))
    reconcile(world)
    wish = world.store.records[NAME].status
    assert (wish.phase, wish.wish_copies) == (Phase.WAKING, 4)
    planned = plan_wake(world, NAME, wish.generation)
    assert (planned.copies, planned.bounds) == (4, Bounds(4, 4))
    world.scaler.settle(NAME, 4)
    record_awake(world, NAME, wish.generation)
    assert world.store.records[NAME].status.bounds == Bounds(4, 4)


@pytest.mark.parametrize(("copies", "read"), [(0, []), (1, [NAME])])
def test_metrics_are_read_for_a_wakes_size_only_where_a_copy_is_up(
    copies: int, read: list[str]
) -> None:
    world = memory_world()
    put(world, asleep(NAME, phase=Phase.WAKING, observed_copies=copies))
    assert plan_wake(world, NAME, 1).current
    assert world.load.metrics_read == read


def test_one_request_that_turns_a_sleep_round_is_one(world) -> None:
    record = put(world, awake(NAME))
    request_sleep(world, record, Cause.IDLE, "idle")
    world.load.loads[NAME] = Load(backlog=1, concurrency_per_copy=None)
    assert not may_sleep(world, NAME, 2)
    lines = [line.text for line in world.store.history(NAME)]
    assert "1 request came while it went to sleep: turning round." in lines
