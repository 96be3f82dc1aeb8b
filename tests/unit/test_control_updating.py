"""A changed file: which way it takes, when it begins, and what becomes of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from autoscaler.control.apply import Setting, apply, plan
from autoscaler.control.dispatch import wake_for
from autoscaler.control.metering import running
from autoscaler.control.progress import (
    record_asleep,
    record_failed,
    record_shaped,
    record_staged,
)
from autoscaler.control.reconcile import reconcile
from autoscaler.control.size import plan_wake
from autoscaler.control.updating import record_update_failed, record_updated
from autoscaler.control.wishes import request_wake
from autoscaler.endpoints.status import Cause, EndpointStatus, Shape, UpdateWay
from autoscaler.policy.ladder import Try, TryOutcome
from autoscaler.policy.types import Phase
from autoscaler.ports import Capacity, Flow, FlowState
from autoscaler.runtime.deployment import wanted_spec
from autoscaler.spec import SpecError
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, awake, document, put, spec

NAME = "llama"
SETTING = Setting("autoscaler", "UTC", "us-east-1", lambda _model, _revision: "c" * 40)
SCALING = {"max_copies": 2, "keep_alive": "10m"}


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


def endpoint(world: MemoryWorld, status: EndpointStatus) -> None:
    wanted = spec(NAME)
    zone = wanted.schedule.model_copy(update={"time_zone": "UTC"})
    put(world, status, wanted.model_copy(update={"schedule": zone}))
    world.scaler.settle(NAME, status.observed_copies)


def applied(world: MemoryWorld, **changes: Any) -> EndpointStatus:
    return apply(world, SETTING, document(NAME, **changes))[1]


def stored(world: MemoryWorld) -> EndpointStatus:
    return world.store.records[NAME].status


@pytest.mark.parametrize(
    ("changes", "way"),
    [
        ({}, None),
        ({"scaling": {**SCALING, "keep_alive": "5m"}}, None),
        ({"team": "search"}, None),
        ({"scaling": {**SCALING, "max_copies": 1}}, None),
        ({"scaling": {**SCALING, "max_copies": 3}}, UpdateWay.ROLL),
        ({"scaling": {**SCALING, "target_concurrency": 4}}, UpdateWay.ROLL),
        ({"serving": {"context_tokens": 4096}}, UpdateWay.ROLL),
        ({"model": {"id": "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"}}, UpdateWay.ROLL),
        ({"instances": {"types": ["ml.g6e.2xlarge"]}}, UpdateWay.REPLACE),
        (
            {"serving": {"context_tokens": 4096}, "instances": {"types": ["ml.g6e.2xlarge"]}},
            UpdateWay.REPLACE,
        ),
        # the other rungs concern the next wake only
        (
            {
                "instances": {
                    "types": ["ml.g6e.xlarge"],
                    "alternatives": [{"types": ["ml.g6e.2xlarge"]}],
                }
            },
            None,
        ),
    ],
)
def test_the_way_that_a_change_takes(world, changes, way) -> None:
    endpoint(world, awake(NAME))
    assert plan(world, SETTING, document(NAME, **changes)).way is way


def test_what_needs_no_update_takes_effect_at_once(world) -> None:
    endpoint(world, awake(NAME))
    status = applied(world, scaling={**SCALING, "keep_alive": "5m"})
    assert (status.phase, status.update) == (Phase.AWAKE, None)
    assert world.store.records[NAME].spec.scaling.keep_alive == timedelta(minutes=5)
    assert world.flows.started == []


@pytest.mark.parametrize("status", [awake(NAME), asleep(NAME)], ids=["awake", "asleep"])
def test_a_rolled_change_begins_at_once_and_the_old_file_counts_until_it_is_in_place(
    world, status
) -> None:
    endpoint(world, status)
    after = applied(world, serving={"context_tokens": 4096})
    assert (after.phase, after.cause) == (Phase.UPDATING, Cause.UPDATE)
    assert after.update is not None
    assert after.update.build == after.generation
    assert world.flows.started == [(Flow.UPDATE, NAME, after.generation)]
    assert world.store.records[NAME].spec.serving.context_tokens == 8192


def test_other_machines_go_by_way_of_zero_and_requests_do_not_turn_that_round(world) -> None:
    endpoint(world, awake(NAME))
    after = applied(world, instances={"types": ["ml.g6e.2xlarge"]})
    assert (after.phase, after.cause) == (Phase.SLEEPING, Cause.UPDATE)
    assert wake_for(world, world.store.records[NAME]).status.phase is Phase.SLEEPING
    slept = stored(world).model_copy(update={"phase": Phase.ASLEEP, "observed_at": NOON})
    world.store.save(slept)
    world.scaler.settle(NAME, 0)
    # a request in that minute wakes nothing with the old file
    assert wake_for(world, world.store.records[NAME]).status.phase is Phase.ASLEEP
    reconcile(world)
    assert stored(world).phase is Phase.UPDATING


def test_while_it_moves_the_new_file_waits(world) -> None:
    endpoint(world, asleep(NAME, phase=Phase.WAKING, generation=4))
    after = applied(world, serving={"context_tokens": 4096})
    assert (after.phase, after.generation) == (Phase.WAKING, 4)
    assert after.update is not None
    assert world.flows.started == []


def test_the_file_as_it_was_drops_an_update_that_waits(world) -> None:
    endpoint(world, asleep(NAME, phase=Phase.WAKING, generation=4))
    applied(world, serving={"context_tokens": 4096})
    assert applied(world).update is None


def test_during_an_update_another_file_is_refused(world) -> None:
    endpoint(world, awake(NAME))
    applied(world, serving={"context_tokens": 4096})
    with pytest.raises(SpecError, match="is being updated; apply this file when it is done"):
        applied(world, serving={"context_tokens": 2048})


def updating(world: MemoryWorld, status: EndpointStatus) -> int:
    endpoint(world, status)
    return applied(world, serving={"context_tokens": 4096}).generation


@pytest.mark.parametrize(
    ("status", "phase"), [(awake(NAME), Phase.AWAKE), (asleep(NAME), Phase.ASLEEP)]
)
def test_when_it_is_in_place_the_new_file_is_the_endpoints_own(world, status, phase) -> None:
    generation = updating(world, status)
    shape = Shape(model_build=generation)
    assert record_updated(world, NAME, generation, shape, 1)
    after = stored(world)
    assert (after.phase, after.shape, after.shaped, after.update) == (phase, shape, shape, None)
    assert world.store.records[NAME].spec.serving.context_tokens == 4096
    assert world.announcer.kinds() == ["EndpointUpdated"]
    assert record_updated(world, NAME, generation, shape, 1), "told twice, it is still true"
    assert world.announcer.kinds() == ["EndpointUpdated"]


def test_what_fails_is_dropped_and_said_and_the_endpoint_goes_on(world) -> None:
    generation = updating(world, awake(NAME))
    record_update_failed(world, NAME, generation, "UpdateFailed", "its container dies: out of")
    after = stored(world)
    assert (after.phase, after.update, after.shaped) == (Phase.AWAKE, None, Shape())
    assert "its container dies" in (after.failure or "")
    assert world.store.records[NAME].spec.serving.context_tokens == 8192
    assert world.announcer.kinds() == ["UpdateFailed"]


def test_an_update_whose_executions_die_is_given_up_after_three(world) -> None:
    updating(world, awake(NAME))
    for _ in range(3):
        world.flows.end(Flow.UPDATE, NAME, stored(world).generation, FlowState.FAILED, "gone")
        world.clock.forward(minutes=20)
        reconcile(world)
    assert stored(world).phase is Phase.AWAKE
    assert world.announcer.kinds()[-1] == "UpdateFailed"


def without_capacity(world: MemoryWorld) -> None:
    """The creation under way finds no machine; its execution ends."""
    generation = stored(world).generation
    record_staged(world, NAME, generation, "a" * 40, "s3://weights/models/x/")
    record_failed(world, NAME, generation, "NoCapacity", "no instance was seen within 45 min")
    world.flows.end(Flow.DEPLOY, NAME, generation, FlowState.FAILED, "NoCapacity")


@pytest.mark.parametrize("waits", [False, True], ids=["between two tries", "during a try"])
def test_a_creation_that_gets_no_machine_goes_on_with_the_file_that_came_meanwhile(
    world, waits
) -> None:
    applied(world)
    if waits:
        without_capacity(world)
    after = applied(world, instances={"types": ["ml.g6e.2xlarge"]})
    assert after.update is not None
    if not waits:
        without_capacity(world)
    world.clock.forward(minutes=2)
    reconcile(world)
    after, taken = stored(world), world.store.records[NAME].spec
    assert (after.phase, after.generation, after.update) == (Phase.STAGING, 2, None)
    assert taken.instances.types == ("ml.g6e.2xlarge",)
    assert after.shape.config_build == 2, "what the first try left is not taken for it"
    assert world.flows.started[-1] == (Flow.DEPLOY, NAME, 2)


def test_a_creation_without_capacity_whose_next_execution_dies_is_no_endless_loop(world) -> None:
    applied(world)
    without_capacity(world)
    tries = len(stored(world).tries)
    for _ in range(8):
        world.clock.forward(minutes=20)
        reconcile(world)
        generation = stored(world).generation
        if world.flows.look(Flow.DEPLOY, NAME, generation).state is FlowState.RUNNING:
            world.flows.end(Flow.DEPLOY, NAME, generation, FlowState.FAILED, "aborted by hand")
    assert len(stored(world).tries) == tries, "none of them said what it died of"
    assert stored(world).phase is Phase.FAILED


def test_a_file_that_waits_is_not_what_a_creation_or_a_wake_makes(world) -> None:
    applied(world)
    applied(world, model={"id": "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"})
    record = world.store.records[NAME]
    assert record.status.update is not None
    assert wanted_spec(record).model.id.endswith("Llama-8B"), "what is staged is what is made"
    updating = record.status.model_copy(update={"phase": Phase.UPDATING})
    assert wanted_spec(record.having(updating)).model.id.endswith("Qwen-7B")


def test_an_update_that_left_no_copy_in_service_is_given_up_by_way_of_zero(world) -> None:
    """Neither came the new copies nor back the old ones: nothing would ever get it out of there."""
    updating(world, awake(NAME))
    dead = Capacity(
        exists=True, desired_copies=1, instances_by_type={"ml.g6e.xlarge": 1}, status="Failed"
    )
    world.scaler.capacities[NAME] = dead
    for _ in range(3):
        world.flows.end(Flow.UPDATE, NAME, stored(world).generation, FlowState.FAILED, "gone")
        world.clock.forward(minutes=20)
        reconcile(world)
    after = stored(world)
    assert (after.phase, after.update, after.cause) == (Phase.SLEEPING, None, Cause.UPDATE)
    assert world.flows.started[-1] == (Flow.SLEEP, NAME, after.generation)
    assert world.announcer.kinds()[-1] == "UpdateFailed"
    assert world.store.records[NAME].spec.serving.context_tokens == 8192
    world.scaler.settle(NAME, 0)
    assert record_asleep(world, NAME, after.generation)
    woken = request_wake(world, world.store.records[NAME], Cause.MESSAGE, 1, "A request waits.")
    assert plan_wake(world, NAME, woken.status.generation).reshape, "back to its old shape first"


def test_after_an_update_that_failed_the_next_wake_makes_sure_of_the_old_shape(world) -> None:
    """Whether all was put back is not known: RecordFailure is told either way."""
    generation = updating(world, asleep(NAME))
    record_update_failed(world, NAME, generation, "UpdateFailed", "its old config is gone")
    woken = request_wake(world, world.store.records[NAME], Cause.MESSAGE, 1, "A request waits.")
    assert plan_wake(world, NAME, woken.status.generation).reshape
    record_shaped(world, NAME, woken.status.generation, Shape(), 1)
    assert not plan_wake(world, NAME, woken.status.generation).reshape


def test_one_in_place_is_shaped_as_it_is_wished(world) -> None:
    generation = updating(world, asleep(NAME))
    record_updated(world, NAME, generation, Shape(model_build=generation), 1)
    woken = request_wake(world, world.store.records[NAME], Cause.MESSAGE, 1, "A request waits.")
    assert not plan_wake(world, NAME, woken.status.generation).reshape


def test_other_machines_are_what_the_next_wake_is_counted_for(world) -> None:
    endpoint(world, asleep(NAME))
    generation = applied(world, instances={"types": ["ml.g6e.2xlarge"]}).generation
    record_updated(world, NAME, generation, Shape(config_build=generation), 1)
    woken = request_wake(world, world.store.records[NAME], Cause.MESSAGE, 1, "A request waits.")
    assert running(woken.status) == {"ml.g6e.2xlarge": 1}


def test_a_wake_that_was_overtaken_while_it_took_another_rung_leaves_nothing_for_sure(
    world,
) -> None:
    """Its endpoint may have the other rung's config already, although `shaped` says the first."""
    alternatives = [{"types": ["ml.g6e.2xlarge"]}]
    wanted = spec(NAME, instances={"types": ["ml.g6e.xlarge"], "alternatives": alternatives})
    tried = Try(NOON - timedelta(minutes=1), 0, TryOutcome.CAPACITY)
    put(world, asleep(NAME, tries=(tried,), failed_wakes=1), wanted)
    world.scaler.settle(NAME, 0)
    woken = request_wake(world, world.store.records[NAME], Cause.MESSAGE, 1, "A request waits.")
    assert woken.status.shape.rung == 1
    assert plan_wake(world, NAME, woken.status.generation).reshape
    # UpdateEndpoint was done, UpdateInferenceComponent refused: the wake fails in Reshape
    record_failed(world, NAME, woken.status.generation, "UpdateFailed", "no such model")
    record_asleep(world, NAME, stored(world).generation)
    world.clock.forward(hours=2)
    woken = request_wake(world, world.store.records[NAME], Cause.MESSAGE, 1, "A request waits.")
    assert woken.status.shape == woken.status.shaped == Shape()
    assert plan_wake(world, NAME, woken.status.generation).reshape


def test_a_mended_file_closes_the_circuit(world) -> None:
    dead = tuple(Try(NOON, 0, TryOutcome.CONTAINER) for _ in range(2))
    later = NOON + timedelta(hours=6)
    endpoint(world, asleep(NAME, tries=dead, failed_wakes=2, retry_at=later))
    after = applied(world, scaling={**SCALING, "keep_alive": "5m"})
    assert (after.tries, after.retry_at) == ((), None)


@pytest.mark.parametrize(
    ("fallback", "words"),
    [
        ("nobody", "fallback: there is no endpoint 'nobody'"),
        (NAME, "cannot answer for itself"),
        ("other", "fallback: 'other' falls back to 'llama' itself"),
    ],
)
def test_a_fallback_has_to_be_there_and_to_be_another(world, fallback, words) -> None:
    put(world, awake("other"), spec("other", fallback=NAME))
    with pytest.raises(SpecError, match=words):
        plan(world, SETTING, document(NAME, fallback=fallback))


def test_each_rung_is_checked_and_named(world) -> None:
    rungs = [{"types": ["ml.g6e.2xlarge"]}, {"types": ["ml.g4dn.xlarge"]}]
    with pytest.raises(SpecError, match=r"alternatives, number 2: instances\.types"):
        instances = {"types": ["ml.g6e.xlarge"], "alternatives": rungs}
        plan(world, SETTING, document(NAME, instances=instances))
