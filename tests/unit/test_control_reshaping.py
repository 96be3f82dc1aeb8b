"""What an endpoint's resources are like is made sure of, whatever was begun and did not end; and
a creation that gets no machine takes what the file says by then."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from autoscaler.control.metering import running
from autoscaler.control.plan import plan
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
from autoscaler.endpoints.names import ResourceNames
from autoscaler.endpoints.setbacks import outcome_of
from autoscaler.endpoints.status import Cause, Shape, UpdateWay
from autoscaler.policy.ladder import Try, TryOutcome
from autoscaler.policy.types import Phase
from autoscaler.ports import Capacity, Flow, FlowState
from autoscaler.runtime.deployment import wanted_spec
from autoscaler.spec import SpecError
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, awake, document, put, spec
from tests.unit.test_control_updating import NAME, SETTING, applied, endpoint, stored, updating


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


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


def on_rungs(*alternatives: str) -> dict[str, Any]:
    rungs = [{"types": [one]} for one in alternatives]
    return {"instances": {"types": ["ml.g6e.xlarge"], "alternatives": rungs}}


def test_a_changed_alternative_is_no_longer_taken_by_the_name_of_the_old_one(world) -> None:
    """Configs cannot be changed: what "already exists" would be the old machines."""
    endpoint(world, asleep(NAME))
    applied(world, **on_rungs("ml.g6e.2xlarge"))
    first = stored(world).shape
    applied(world, **on_rungs("ml.g6e.4xlarge"))
    second = stored(world).shape
    assert (first.rung, second.rung, stored(world).shaped) == (0, 0, Shape())
    configs = [
        ResourceNames("p", NAME, **{**shape.model_dump(), "rung": rung}).config
        for shape in (Shape(), first, second)
        for rung in (0, 1)
    ]
    assert configs[0] == configs[2] == configs[4] == "p-llama", "the first rung stays as it is"
    assert len({configs[1], configs[3], configs[5]}) == 3
    applied(world, **on_rungs("ml.g6e.4xlarge"), team="search")
    assert stored(world).shape == second, "other changes leave the names"
    assert ResourceNames("p", NAME, rung=1, config_build=9, rungs_build=4).config == "p-llama-b9-r1"


def test_what_runs_on_a_changed_alternative_gets_its_machines_by_way_of_zero(world) -> None:
    endpoint(world, awake(NAME, shape=Shape(rung=1), shaped=Shape(rung=1)))
    changed = {**on_rungs("ml.g6e.2xlarge"), "serving": {"context_tokens": 4096}}
    assert plan(world, SETTING, document(NAME, **changed)).way is UpdateWay.REPLACE


@pytest.mark.parametrize(
    ("changes", "error", "wakes"),
    [
        ({}, "NoCapacity", 2),
        ({}, "SignalError", 2),
        ({}, "ContainerCrash", 3),
        ({"instance_seen_at": NOON}, "NoCapacity", 3),
        ({"instance_seen_at": NOON}, "TooSlow", 3),
    ],
)
def test_a_wake_for_which_no_machine_came_is_none_of_the_days_wakes(
    world, changes, error, wakes
) -> None:
    waking = asleep(NAME, phase=Phase.WAKING, wakes_on=NOON.date(), wakes_today=3, **changes)
    endpoint(world, waking)
    record_failed(world, NAME, 1, error, "in vain")
    assert stored(world).wakes_today == wakes


def test_a_rung_takes_its_own_share_of_its_own_host() -> None:
    """A copy that reserves the CPUs of the first rung finds no place on the smaller second."""
    small = {"types": ["ml.g6e.xlarge"], "cpus_per_copy": 2, "memory_mib_per_copy": 512}
    large = {"types": ["ml.g6e.2xlarge"], "cpus_per_copy": 8, "alternatives": [small]}
    taken = spec(NAME, instances=large).on_rung(1).instances
    assert (taken.cpus_per_copy, taken.memory_mib_per_copy) == (2, 512)


def test_a_rung_that_asks_for_more_than_its_host_has_is_refused(world) -> None:
    greedy = {"types": ["ml.g6e.xlarge"], "cpus_per_copy": 64}
    instances = {"types": ["ml.g6e.2xlarge"], "alternatives": [greedy]}
    with pytest.raises(SpecError, match=r"number 1: instances\.cpus_per_copy: 64 is more"):
        plan(world, SETTING, document(NAME, instances=instances))


def test_trouble_of_our_own_opens_no_circuit(world) -> None:
    """Five wakes in a row that could not even be sized: nothing was paid for."""
    endpoint(world, asleep(NAME))
    world.scaler.settle(NAME, 0)
    for _ in range(6):
        woken = request_wake(world, world.store.records[NAME], Cause.MESSAGE, 1, "waits")
        record_failed(world, NAME, woken.status.generation, "SignalError", "no metrics")
        record_asleep(world, NAME, stored(world).generation)
        world.clock.forward(minutes=31)
    assert [one.outcome for one in stored(world).tries] == [TryOutcome.CAPACITY] * 6
    retry_at = stored(world).retry_at
    assert retry_at is not None
    assert retry_at <= world.clock.now()


def test_the_file_that_is_being_put_in_place_may_be_applied_again_and_no_other(world) -> None:
    generation = updating(world, awake(NAME))
    again = applied(world, serving={"context_tokens": 4096})
    assert (again.phase, again.generation) == (Phase.UPDATING, generation)
    with pytest.raises(SpecError, match="is being updated"):
        applied(world)  # the old one would be overwritten in a moment


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        ("ComponentFailed: The account-level service limit 'ml.g6e.xlarge for endpoint usage' is "
         "0 Instances, with current utilization of 0", TryOutcome.CAPACITY),
        ("ComponentFailed: We currently do not have sufficient ml.p5e.48xlarge capacity",
         TryOutcome.CAPACITY),
        ("SageMaker.ResourceLimitExceededException: too many", TryOutcome.CAPACITY),
        ("ContainerCrash: its container dies: insufficient KV cache capacity",
         TryOutcome.CONTAINER),
        ("ComponentFailed: not enough hardware resources", TryOutcome.OTHER),
        ("ComponentFailed: not enough hardware resources to host the requested copies: the "
         "maximum instance count is reached", TryOutcome.CAPACITY),
    ],
)  # fmt: skip
def test_what_kind_of_failure_sagemakers_words_tell(failure, outcome) -> None:
    assert outcome_of(failure) is outcome
