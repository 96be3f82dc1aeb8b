"""A changed file: which way it takes, when it begins, and what becomes of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from autoscaler.control.apply import apply
from autoscaler.control.plan import Setting, plan
from autoscaler.control.progress import NotYetError
from autoscaler.control.reconcile import reconcile
from autoscaler.control.updating import record_update_failed, record_updated
from autoscaler.control.waking import wake_for
from autoscaler.endpoints.lives import MachineBefore
from autoscaler.endpoints.status import Cause, EndpointStatus, Shape, UpdateWay
from autoscaler.policy.ladder import Try, TryOutcome
from autoscaler.policy.types import Phase
from autoscaler.ports import Capacity, Flow, FlowState
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


@pytest.mark.parametrize("fails", [False, True])
def test_after_an_update_its_queue_is_read_by_as_many_as_its_copies_keep_busy(world, fails) -> None:
    """The flow has set the mapping for the most copies that the file allows."""
    generation = updating(world, awake(NAME, readers=2))
    if fails:
        assert record_update_failed(world, NAME, generation, "States.Timeout", "")
    else:
        assert record_updated(world, NAME, generation, Shape(model_build=generation), 1)
    reconcile(world)
    assert stored(world).phase is Phase.AWAKE
    assert world.readers.given == [(NAME, 2)]


def test_the_machines_that_it_had_are_kept_for_reports(world) -> None:
    endpoint(world, asleep(NAME))
    generation = applied(world, instances={"types": ["ml.g6e.12xlarge"]}).generation
    assert record_updated(world, NAME, generation, Shape(config_build=generation), 1)
    kept = MachineBefore(until=NOON, instance_type="ml.g6e.xlarge")
    assert stored(world).machines_before == (kept,)
    failed = stored(world).model_copy(update={"phase": Phase.FAILED})
    world.store.save(failed)
    after = applied(world, instances={"types": ["ml.g6e.xlarge"]})
    dear = MachineBefore(until=NOON, instance_type="ml.g6e.12xlarge")
    assert (after.phase, after.machines_before) == (Phase.STAGING, (kept, dear))


def test_an_update_is_not_over_while_sagemaker_says_that_there_is_no_endpoint(world) -> None:
    generation = updating(world, awake(NAME))
    world.scaler.capacities[NAME] = Capacity(exists=False)
    with pytest.raises(NotYetError, match="there is no llama"):
        record_updated(world, NAME, generation, Shape(model_build=generation), 1)
    assert stored(world).phase is Phase.UPDATING


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


def test_who_stands_in_for_another_cannot_come_back_as_async(world) -> None:
    put(world, awake(NAME), spec(NAME, fallback="other"))
    with pytest.raises(SpecError, match="kind: llama falls back to 'other', which would be async"):
        plan(world, SETTING, document("other", kind="async"))
    plan(world, SETTING, document("other"))


def test_each_rung_is_checked_and_named(world) -> None:
    rungs = [{"types": ["ml.g6e.2xlarge"]}, {"types": ["ml.g4dn.xlarge"]}]
    with pytest.raises(SpecError, match=r"alternatives, number 2: instances\.types"):
        instances = {"types": ["ml.g6e.xlarge"], "alternatives": rungs}
        plan(world, SETTING, document(NAME, instances=instances))
