"""Endpoint files made to cost their reader time, memory or a path."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from autoscaler.runtime.staging import PlanRequest
from autoscaler.spec import SpecError, parse_spec
from autoscaler.spec.schedule import MOST_WINDOWS
from autoscaler.staging.errors import UnsafeNameError
from autoscaler.staging.names import check_names
from tests.hostile import DEEP, TEXTS, mutants
from tests.samples import document
from tools.cli.client import RefusedError
from tools.cli.files import read_document

LONGEST_SECONDS = 20.0  # of a busy machine's wall; it takes milliseconds, and what unfolds hours
WHOLE = document(
    schedule={
        "time_zone": "Europe/Berlin",
        "windows": [{"name": "peak", "days": ["mon"], "start": "08:00", "end": "18:00",
                     "min_copies": 1, "max_copies": 2}],
    },
    team="research",
    serving={"engine": "vllm", "context_tokens": 8192, "parameters": {"dtype": "auto"}},
    budget={"monthly_usd": 100},
    tags={"cost-centre": "42"},
)  # fmt: skip


def windows(number: int) -> list[dict[str, Any]]:
    one = {"days": ["mon"], "start": "08:00", "end": "18:00", "min_copies": 0, "max_copies": 1}
    return [{**one, "name": f"w{index}"} for index in range(number)]


def test_the_file_that_is_changed_below_is_right() -> None:
    assert parse_spec(WHOLE).schedule.windows[0].name == "peak"


@settings(max_examples=300, derandomize=True, database=None, deadline=None)
@given(mutants(WHOLE))
def test_a_file_that_is_nearly_right_is_taken_or_refused_by_field(changed: Any) -> None:
    began = time.monotonic()
    try:
        parse_spec(changed)
    except SpecError as refused:
        assert refused.problems and all(isinstance(one, str) for one in refused.problems)
        assert max(len(one) for one in refused.problems) < 1000, "a field is named, not repeated"
    assert time.monotonic() - began < LONGEST_SECONDS


def test_ten_thousand_windows_are_refused_by_number() -> None:
    began = time.monotonic()
    with pytest.raises(SpecError, match=f"at most {MOST_WINDOWS} are taken here, not 10000"):
        parse_spec(document(schedule={"windows": windows(10_000)}))
    assert time.monotonic() - began < LONGEST_SECONDS


@pytest.mark.parametrize(
    "change",
    [
        {"name": "a" + "-a" * 50_000 + "!"},
        {"scaling": {"max_copies": 1, "keep_alive": "1h" * 50_000 + "x"}},
        {"schedule": {"windows": [{**windows(1)[0], "start": "0" * 100_000}]}},
        {"schedule": {"windows": [{**windows(1)[0], "days": ["mon-" * 50_000]}]}},
        {"schedule": {"time_zone": "A/" * 50_000}},
        {"model": {"id": "a/" + "a." * 100_000}},
        {"instances": {"types": ["ml." + "g" * 100_000 + "!"]}},
        {"serving": DEEP},
    ],
    ids=lambda change: next(iter(change)),
)
def test_text_that_patterns_go_back_over_costs_no_time(change: dict[str, Any]) -> None:
    began = time.monotonic()
    with pytest.raises(SpecError):
        parse_spec({**document(), **change})
    assert time.monotonic() - began < LONGEST_SECONDS


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "more than 16 aliases"),
        ("[" * 2_000, "not YAML"),
        ("name: !!python/object/apply:os.system ['true']", "not YAML"),
        ("name: &a [*a]", "name"),
        ("name: a\nname: b", "stands there twice"),
        ("name: \x00", "not YAML"),
        ("? [a, b]\n: c", "not YAML"),
    ],
)
def test_yaml_that_unfolds_or_runs_is_refused_in_words(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "endpoint.yaml"
    path.write_text(text)
    began = time.monotonic()
    with pytest.raises(RefusedError) as refused:
        read_document(path)
    assert said in str(refused.value)
    assert time.monotonic() - began < LONGEST_SECONDS


def test_an_alias_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "endpoint.yaml"
    path.write_text(
        "name: llama\nmodel: {id: deepseek-ai/DeepSeek-R1-Distill-Llama-8B}\n"
        "instances: {types: &types [ml.g6e.xlarge], alternatives: [{types: *types}]}\n"
        "scaling: {max_copies: 1}\n"
    )
    assert read_document(path)["instances"]["alternatives"][0]["types"] == ["ml.g6e.xlarge"]


@pytest.mark.parametrize(("aliases", "too_many"), [(16, False), (17, True)])
def test_sixteen_aliases_are_taken_and_no_more(
    tmp_path: Path, aliases: int, too_many: bool
) -> None:
    path = tmp_path / "endpoint.yaml"
    path.write_text(f"name: &n llama\nteams: [{', '.join(['*n'] * aliases)}]\n")
    with pytest.raises(RefusedError) as refused:
        read_document(path)
    assert ("more than 16 aliases" in str(refused.value)) == too_many
    assert ("teams: unknown key" in str(refused.value)) != too_many


@pytest.mark.parametrize(("number", "refused"), [(400, False), (401, True)])
def test_four_hundred_windows_are_taken_and_no_more(number: int, refused: bool) -> None:
    """Whatever else may be wrong with so many windows of one time."""
    try:
        parse_spec(document(schedule={"windows": windows(number)}))
    except SpecError as error:
        assert any("at most 400 are taken" in one for one in error.problems) == refused
    else:
        assert not refused


@pytest.mark.parametrize("field", ["id", "revision"])
@pytest.mark.parametrize("text", [*TEXTS, "a/../b", "a//b", "-a/b", "a/b\n", "a/b?x", "a/b@c"])
def test_a_model_or_revision_names_no_other_place(field: str, text: str) -> None:
    """They become S3 keys, URLs, tags and log lines."""
    try:
        request = PlanRequest.model_validate({"id": "org/model", field: text})
    except ValidationError:
        return
    kept = request.model_id if field == "id" else request.revision
    assert kept == text and kept.isascii() and kept.isprintable()
    assert not set(kept) & set(" \\?#%@:*\"'<>|$&;`") and ".." not in kept


@pytest.mark.parametrize(
    "name",
    [*(text for text in TEXTS if not text.replace("-", "").isalnum()), "/etc/passwd", "a\\b"],
)
def test_a_file_name_that_is_none_is_refused(name: str) -> None:
    try:
        check_names([name])
    except UnsafeNameError:
        return
    assert name.isascii() and name.isprintable() and ".." not in name and name[0] != "/"
