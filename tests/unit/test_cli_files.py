"""Endpoint files that cannot be accepted: each problem names its file, line or field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.cli.client import RefusedError
from tools.cli.files import read_document, read_documents

GOOD = """\
name: llama
model: {id: acme/llama}
instances: {types: [ml.g6e.xlarge]}
"""
WINDOW = 'schedule: {{windows: [{{name: x, {}, start: "00:00", end: "24:00"}}]}}\n'


def _problems(path: Path, text: str | bytes) -> list[str]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RefusedError) as refused:
        read_document(path)
    assert refused.value.exit_code == 2
    return refused.value.problems


def test_a_good_file_is_its_document(tmp_path: Path) -> None:
    path = tmp_path / "llama.yaml"
    path.write_text(GOOD + "team: Forschung\n")
    assert read_document(path)["model"] == {"id": "acme/llama"}


@pytest.mark.parametrize("dates", ["2026-12-24", '"2026-12-24"', "2026-12-24..2027-01-02"])
def test_a_date_stays_text_that_can_be_sent(tmp_path: Path, dates: str) -> None:
    path = tmp_path / "llama.yaml"
    path.write_text(GOOD + WINDOW.format(f"dates: [{dates}]"))
    document = json.loads(json.dumps(read_document(path)))
    assert document["schedule"]["windows"][0]["dates"] == [dates.strip('"')]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [llama\nmodel: x\n", ":2: not YAML: expected"),
        ("name: llama\n\tmodel: x\n", ":2: not YAML: found character"),
        (GOOD + "name: other\n", ":4: not YAML: the key `name` stands there twice"),
        ("a: 1\n---\nb: 2\n", ":2: not YAML: but found another document"),
        ("", ": an endpoint file is a mapping with `name:` and `model:`, it is empty"),
        ("- llama\n", ": an endpoint file is a mapping"),
        (b"name: \xff\n", ": cannot be read: "),
        (GOOD + "scaling: {keep_aliv: 10m}\n", ": scaling.keep_aliv: unknown key; did you mean"),
        (GOOD + "scaling: {min_copies: 3, max_copies: 2}\n", ": scaling: min_copies 3 is above"),
        (GOOD + "schedule: {time_zone: Europe/Atlantis}\n", ": schedule.time_zone: "),
        ("!!python/object/apply:os.system [true]\n", ":1: not YAML: could not determine"),
        (GOOD + "scaling: {max_copies: 0b_}\n", ":4: not YAML: `0b_` is no int; put text into"),
        (GOOD + "team: !!bool maybe\n", ":4: not YAML: `maybe` is no bool"),
        (GOOD + "team: !!int ''\n", ":4: not YAML: `` is no int"),
        (GOOD + "team: !!timestamp soon\n", ":4: not YAML: `soon` is no timestamp"),
        (GOOD + 'team: "\\UFFFFFFFF"\n', ": not YAML: "),
        (GOOD + "team: a\0b\n", ": not YAML: unacceptable character"),
        (
            GOOD + "team: !!binary aGVsbG8=\n",
            ": team: its tag makes it bytes, which JSON",
        ),
        (GOOD + "team: !!timestamp 2026-01-01\n", ": team: its tag makes it date, which JSON"),
        (GOOD + "tags: !!set {a, b}\n", ": tags: its tag makes it set, which JSON has not"),
        (GOOD + "tags: {2026: x}\n", ": tags: the key 2026 is no text; put it into quotes"),
        (GOOD + f"team: 0x{'f' * 4000}\n", ": team: a number of 16000 bits; no field takes such"),
        (GOOD + f"tags: {{? 0x{'f' * 4000} : x}}\n", ": tags: the key is no text; put it into"),
        (
            GOOD + WINDOW.format("days: [mon]").replace('"00:00"', f"0x{'f' * 4000}"),
            ": schedule.windows number 1.start: a number of 16000 bits",
        ),
        (GOOD + "tags: &a {b: *a}\n", ": it holds itself by an alias (*name)"),
        (
            GOOD + WINDOW.format("dates: [2026-02-30]"),
            ": schedule.windows.x.dates: '2026-02-30'",
        ),
        (
            GOOD + WINDOW.format("dates: [2026-01-01 25:00:00]"),
            ": schedule.windows.x.dates: '2026-01-01 25:00:00' is not a date",
        ),
    ],
)
def test_a_bad_file_is_named_with_its_line_or_field(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "x.yaml"
    problems = _problems(path, text)
    assert problems[0].startswith(f"{path}{said}")
    assert all("\n" not in problem for problem in problems)


def test_brackets_without_end_are_no_yaml_however_deep_the_stack_may_grow(tmp_path: Path) -> None:
    problems = _problems(tmp_path / "x.yaml", "[" * 3000)
    assert len(problems) == 1
    assert "not YAML: " in problems[0]


def test_every_wrong_field_has_its_own_line(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    problems = _problems(path, "name: UPPER\nmodel: {id: nope}\ninstances: {types: []}\n")
    fields = [problem.removeprefix(f"{path}: ").split(":")[0] for problem in problems]
    assert fields == ["name", "model.id", "instances.types"]


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="there is no such file"):
        read_document(tmp_path / "none.yaml")
    with pytest.raises(RefusedError, match="cannot be read"):
        read_document(tmp_path)


def test_the_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    one, two, three = (tmp_path / f"{name}.yaml" for name in ("one", "two", "three"))
    one.write_text(GOOD)
    two.write_text(GOOD + "teem: x\n")
    three.write_text(GOOD)
    with pytest.raises(RefusedError) as refused:
        read_documents([one, two, three])
    assert len(refused.value.problems) == 2
    assert refused.value.problems[0].startswith(f"{two}: teem: unknown key")
    assert refused.value.problems[1] == f"{three}: name: 'llama' is also in {one}"


def test_a_time_of_day_is_text_and_no_number_of_minutes(tmp_path: Path) -> None:
    path = tmp_path / "llama.yaml"
    window = "schedule: {windows: [{name: x, days: [mon], start: %s, end: %s}]}\n"
    path.write_text(GOOD + window % ("8:00", "18:00"))
    (found,) = read_document(path)["schedule"]["windows"]
    assert (found["start"], found["end"]) == ("8:00", "18:00")
    said = 'is a number, not a time of day: write it as "08:00"'
    assert _problems(path, GOOD + window % ("800", "1200")) == [
        f"{path}: schedule.windows number 1.start: 800 {said}",
        f"{path}: schedule.windows number 1.end: 1200 {said}",
    ]
