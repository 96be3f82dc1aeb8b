"""Applying a file: refused whole, or stored with the execution that makes it true."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from autoscaler.control.apply import apply
from autoscaler.control.plan import Setting, plan
from autoscaler.policy.types import Bounds, Phase
from autoscaler.ports import Flow, FlowState
from autoscaler.spec import SpecError
from autoscaler.spec.schedule import MOST_WINDOWS
from tests.memory import MemoryWorld, memory_world
from tests.samples import asleep, awake, document, put
from tests.unit.policy_cases import rivals

NAME = "llama"


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


def setting(error: str | None = None) -> Setting:
    def resolve(model_id: str, revision: str) -> str:
        if error:
            raise RuntimeError(error)
        return "c" * 40

    return Setting("stack", "Europe/Berlin", "us-east-1", resolve)


@pytest.mark.parametrize("zone", ["Europe/Berlim", "UTC+2", "Europe"])
def test_a_stack_whose_time_zone_is_none_says_so_and_takes_files_that_name_one(world, zone) -> None:
    mistaken = replace(setting(), default_time_zone=zone)
    with pytest.raises(SpecError) as refused:
        apply(world, mistaken, document(NAME))
    (wrong,) = refused.value.problems
    assert wrong.startswith(
        f"schedule.time_zone: the stack's parameter DefaultTimeZone: {zone!r} is not a time zone"
    )
    assert world.store.records == {}
    apply(world, mistaken, document(NAME, schedule={"time_zone": "Europe/Berlin"}))
    assert world.store.records[NAME].spec.schedule.time_zone == "Europe/Berlin"


def test_a_new_file_is_stored_and_deployed(world) -> None:
    planned, status = apply(world, setting(), document(NAME))
    assert planned.record is None
    assert (status.phase, status.generation, status.bounds) == (Phase.STAGING, 1, Bounds(0, 2))
    assert world.flows.started == [(Flow.DEPLOY, NAME, 1)]
    assert world.store.records[NAME].spec.schedule.time_zone == "Europe/Berlin"


def test_planning_stores_nothing(world) -> None:
    planned = plan(world, setting(), document(NAME))
    assert {change.field for change in planned.changes} >= {"model.id", "scaling.max_copies"}
    assert (world.store.records, world.flows.started) == ({}, [])


def test_what_a_new_endpoint_would_be_and_cost_is_told_beforehand(world) -> None:
    told = "\n".join(plan(world, setting(), document(NAME)).preview)
    assert "ml.g6e.xlarge ($2.61 an hour)" in told
    assert "a copy needs 22.9 GiB" in told
    assert "copies: 0 to 2" in told
    assert "$0.00 an hour asleep, $2.61 with one instance, $5.22 at most" in told
    put(world, awake(NAME))
    assert plan(world, setting(), document(NAME)).preview == ()


@pytest.mark.parametrize(
    ("copies", "most"),
    [
        (2, "$13.12 at most"),  # both on one machine of the second rung
        (6, "$26.24 at most"),  # four to a machine
        (40, "$131.20 at most"),  # and not $104.40 on the first rung
    ],
)
def test_at_most_it_costs_what_the_dearest_rung_of_its_ladder_does(world, copies, most) -> None:
    ladder = {"types": ["ml.g6e.xlarge"], "alternatives": [{"types": ["ml.g6e.12xlarge"]}]}
    wanted = document(NAME, instances=ladder, scaling={"max_copies": copies})
    told = "\n".join(plan(world, setting(), wanted).preview)
    assert "alternatives: ml.g6e.12xlarge ($13.12 an hour)" in told
    assert f"$2.61 with one instance, {most};" in told


def test_a_cheaper_alternative_takes_nothing_from_the_most(world) -> None:
    ladder = {"types": ["ml.g6e.2xlarge"], "alternatives": [{"types": ["ml.g6e.xlarge"]}]}
    told = "\n".join(plan(world, setting(), document(NAME, instances=ladder)).preview)
    assert "$2.80 with one instance, $5.60 at most" in told


def test_what_may_surprise_is_told_beforehand(world) -> None:
    wanted = document(NAME, instances={"types": ["ml.g6e.12xlarge"]})
    (warning,) = plan(world, setting(), wanted).warnings
    assert "holds 4 copies and at most 2 are ever wanted" in warning


def test_a_name_that_was_used_before_goes_on_where_its_executions_ended(world) -> None:
    put(world, asleep(NAME, generation=9, phase=Phase.RETIRED))
    world.store.forget(world.store.records[NAME].status)
    _, status = apply(world, setting(), document(NAME))
    assert status.generation == 10
    assert world.flows.started == [(Flow.DEPLOY, NAME, 10)]


def test_a_name_whose_last_owner_is_not_forgotten_yet_is_refused(world) -> None:
    put(world, asleep(NAME, phase=Phase.RETIRED))
    with pytest.raises(SpecError, match="is being removed; apply it again when it is gone"):
        apply(world, setting(), document(NAME))


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"instances": {"types": ["ml.g4dn.xlarge"]}}, None, "instances.types"),
        ({}, "model: there is no such repository", "there is no such repository"),
        ({"name": "x" * 60}, None, "name"),
    ],
)
def test_what_cannot_work_is_refused_whole(world, changes, error, words) -> None:
    with pytest.raises(SpecError) as refused:
        apply(world, setting(error), document(NAME) | changes)
    assert words in "\n".join(refused.value.problems)
    assert (world.store.records, world.flows.started) == ({}, [])


def test_the_policys_fields_take_effect_without_an_execution(world) -> None:
    put(world, awake(NAME))
    changed = {"max_copies": 2, "keep_alive": "5m"}
    planned, status = apply(world, setting(), document(NAME, scaling=changed))
    assert "scaling.keep_alive" in [change.field for change in planned.changes]
    assert (status.phase, world.flows.started) == (Phase.AWAKE, [])


def test_a_failed_endpoint_is_deployed_anew_under_a_new_generation(world) -> None:
    put(world, asleep(NAME, phase=Phase.FAILED, failure="out of memory", generation=4))
    _, status = apply(world, setting(), document(NAME))
    assert (status.phase, status.generation, status.failure) == (Phase.STAGING, 5, None)
    assert world.flows.started == [(Flow.DEPLOY, NAME, 5)]


def test_what_a_failure_left_must_be_gone_first(world) -> None:
    put(world, asleep(NAME, phase=Phase.FAILED, generation=4))
    world.flows.start(Flow.REMOVE, NAME, 4)
    with pytest.raises(SpecError, match="is being removed; apply it again"):
        apply(world, setting(), document(NAME))
    world.flows.end(Flow.REMOVE, NAME, 4, FlowState.SUCCEEDED)
    _, status = apply(world, setting(), document(NAME))
    assert status.phase is Phase.STAGING


def test_what_is_being_removed_cannot_be_applied(world) -> None:
    put(world, asleep(NAME, phase=Phase.RETIRING))
    with pytest.raises(SpecError, match="is being removed"):
        apply(world, setting(), document(NAME))


def test_what_is_said_of_400_windows_that_all_overlap_fits_into_an_answer(world) -> None:
    """Beside the file itself, which is told with its changes: a sentence for each pair is 7 MB."""
    windows = rivals(MOST_WINDOWS)
    wide = document(NAME, scaling={"max_copies": 4}, schedule={"windows": windows})
    planned = plan(world, setting(), wide)
    assert any("it wins where it overlaps 399 others" in said for said in planned.warnings)
    assert len(json.dumps([*planned.warnings, *planned.preview])) < 100_000
