"""What the table holds is brought up to the present schema, or refused before it is used."""

from __future__ import annotations

import json
from typing import Any

import pytest

from autoscaler.endpoints.migrations import (
    FIRST,
    SCHEMA,
    STEPS,
    NewerSchemaError,
    Part,
    UnreadableError,
    brought_up,
    spec_of,
    status_of,
)
from autoscaler.endpoints.status import Update, UpdateWay
from tests.samples import asleep, spec


def body(**changes: Any) -> str:
    return json.dumps({**spec().model_dump(mode="json"), **changes})


def test_there_is_one_step_for_every_schema_before_the_present_one() -> None:
    assert sorted(STEPS) == list(range(FIRST, SCHEMA))


@pytest.mark.parametrize("part", Part)
def test_what_is_of_the_present_schema_is_not_touched(part: Part) -> None:
    text = '{"schema_version": 1, "odd":  "spacing"}'
    assert brought_up(part, SCHEMA, text) is text


def test_the_number_within_the_status_is_gone_in_the_second_schema() -> None:
    before = {"schema_version": 1, "name": "llama", "phase": "ASLEEP"}
    after = json.loads(brought_up(Part.STATUS, 1, json.dumps(before)))
    assert after == {"name": "llama", "phase": "ASLEEP"}


@pytest.mark.parametrize("part", [part for part in Part if part is not Part.STATUS])
def test_the_first_step_leaves_everything_else_as_it_was(part: Part) -> None:
    before = {"schema_version": 1, "spent": "0.100"}
    assert json.loads(brought_up(part, 1, json.dumps(before))) == before


@pytest.mark.parametrize("part", Part)
@pytest.mark.parametrize("ahead", [1, 7])
def test_what_a_newer_release_wrote_is_refused_with_the_way_out(part: Part, ahead: int) -> None:
    with pytest.raises(NewerSchemaError) as refused:
        brought_up(part, SCHEMA + ahead, "not even read")
    said = str(refused.value)
    assert f"a {part} in the table has schema {SCHEMA + ahead}" in said
    assert f"reads up to {SCHEMA}" in said
    assert "deploy the newer release again" in said


def test_keys_that_a_newer_release_added_to_a_file_are_left_out() -> None:
    newer = json.loads(body(colour="red"))
    newer["scaling"]["mood"] = {"deep": [1, 2]}
    newer["instances"]["alternatives"] = [{"types": ["ml.g5.xlarge"], "odour": 1}]
    read = spec_of(json.dumps(newer))
    assert read == spec(
        instances={"types": ["ml.g6e.xlarge"], "alternatives": [{"types": ["ml.g5.xlarge"]}]}
    )


def test_tags_and_parameters_of_a_file_that_would_be_refused_today_stop_no_fleet() -> None:
    """A table is read whole or not at all; an endpoint that could never be made is no reason."""
    parameters = {"dtype": "auto", "gpu_memory_utilization": None, "swap_space": "inf"}
    stored = json.loads(body(tags={"a\x1cb": "c\nd", "cost-centre": "42"}))
    stored["serving"]["parameters"] = parameters  # null is what NaN was stored as
    read = spec_of(json.dumps(stored))
    assert read.tags == {"a b": "c d", "cost-centre": "42"}
    assert read.serving.parameters == {"dtype": "auto"}
    stored["serving"]["parameters"] = {"gpu_memory_utilization": float("nan")}
    assert spec_of(json.dumps(stored)).serving.parameters == {}


def test_a_value_that_this_release_does_not_know_is_refused_and_names_the_field() -> None:
    with pytest.raises(UnreadableError) as refused:
        spec_of(body(kind="serverless", colour="red"))
    assert "the stored file of llama cannot be read by this release (kind: " in str(refused.value)


def test_what_only_a_new_key_made_right_is_refused_when_it_is_left_out() -> None:
    newer = json.loads(body(colour="red"))
    newer["scaling"]["min_copies"] = 5
    with pytest.raises(UnreadableError, match="min_copies 5 is above max_copies 2"):
        spec_of(json.dumps(newer))


def test_the_file_of_an_update_that_waits_is_read_in_the_same_way() -> None:
    status = asleep("llama", update=Update(spec=spec(team="a"), way=UpdateWay.ROLL))
    newer = json.loads(status.model_dump_json())
    newer["update"]["spec"]["colour"] = "red"
    newer["mood"] = "new"
    assert status_of(json.dumps(newer)) == status


@pytest.mark.parametrize("update", [True, False])
def test_a_status_of_an_unknown_phase_is_refused(update: bool) -> None:
    waits = Update(spec=spec(), way=UpdateWay.ROLL) if update else None
    newer = json.loads(asleep("llama", update=waits).model_dump_json())
    with pytest.raises(UnreadableError, match=r"stored status of llama .*\(phase: "):
        status_of(json.dumps({**newer, "phase": "DREAMING"}))
