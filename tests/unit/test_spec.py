"""Bad endpoint files: each is refused with a sentence that names the field and the cause."""

from __future__ import annotations

from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from autoscaler.spec import SpecError, format_duration, parse_duration, parse_spec

EXAMPLES = sorted((Path(__file__).parents[2] / "endpoints").glob("*.yaml"))
WHOLE = """
name: llama
model: {id: deepseek-ai/DeepSeek-R1-Distill-Llama-8B}
instances: {types: [ml.g6e.xlarge]}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(SpecError) as refused:
        parse_spec(yaml.safe_load(WHOLE + text))
    return refused.value.problems


def in_window(line: str) -> list[str]:
    key = line.partition(":")[0]
    window = {"name": "peak", "days": "[mon]", "start": '"08:00"', "end": '"18:00"'}
    window.pop(key, None)
    lines = [f"{name}: {value}" for name, value in window.items()]
    return problems(f"schedule: {{windows: [{{{', '.join([*lines, line])}}}]}}")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_valid_and_survive_json(path: Path) -> None:
    spec = parse_spec(yaml.safe_load(path.read_text()))
    assert parse_spec(spec.model_dump(mode="json")) == spec


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("scalling: {}", "scalling: unknown key; did you mean `scaling`?"),
        (
            "scaling: {keepalive: 10m}",
            "scaling.keepalive: unknown key; did you mean `keep_alive`?",
        ),
        (
            "budget: {zzz: 1}",
            "budget.zzz: unknown key; known keys: monthly_usd, daily_usd, thresholds, on_forecast, "
            "when_spent, wakes_per_day, priority",
        ),
        ("1: 2", "endpoint: 1 is not a key: keys are texts"),
        (
            f"name: {'x' * 41}",
            f"name: '{'x' * 41}' is longer than 40 characters",
        ),
        (
            "name: My_Llama",
            "name: 'My_Llama' is not a name: small letters, digits and single hyphens, "
            "the first of them a letter",
        ),
        ("model: {id: a/b..c}", "model.id: '..' is not allowed"),
        ("model: {}", "model.id: this key is required"),
        (
            "instances: {types: [ml.g6e.xlarge, ml.g6e.xlarge]}",
            "instances.types: an instance type is listed twice",
        ),
        (
            "instances: {types: [g6e.xlarge]}",
            "instances.types: 'g6e.xlarge' is not an instance type such as ml.g6e.xlarge",
        ),
        (
            "scaling: {min_copies: 3, max_copies: 2}",
            "scaling: min_copies 3 is above max_copies 2; lower the one or raise the other",
        ),
        (
            "scaling: {max_copies: 0}",
            "scaling.max_copies: 0 is below 1",
        ),
        (
            "scaling: {keep_alive: 600}",
            "scaling.keep_alive: 600 is not a duration: write it as 90s, 10m, 2h or 1h30m",
        ),
        (
            "scaling: {keep_alive: -5m}",
            "scaling.keep_alive: '-5m' is not a duration: write it as 90s, 10m, 2h or 1h30m",
        ),
        ("scaling: {keep_alive: 5s}", "scaling.keep_alive: 5s is too short: at least 30s"),
        ("scaling: {drain_target: 0s}", "scaling.drain_target: 0s is too short: at least 30s"),
        (
            "scaling: {stabilization_window: 99999999999999d}",
            "scaling.stabilization_window: 99999999999999d is too long: at most 365d",
        ),
        (
            "scaling: {target_concurrency: 32}",
            "endpoint: scaling.target_concurrency 32 is above serving.concurrency_per_copy 16: "
            "a copy never gets there, so nothing would scale out",
        ),
        (
            "serving: {parameters: {gpu: [1]}}",
            "serving.parameters.gpu: [1] is not a text, a number, true or false",
        ),
        *(
            (
                f"serving: {{parameters: {{gpu_memory_utilization: {written}}}}}",
                f"serving.parameters.gpu_memory_utilization: {said} is not a finite number",
            )
            for written, said in [
                (".nan", "nan"),
                ("-.inf", "-inf"),
                ("nan", "nan"),
                ("Inf", "Inf"),
            ]
        ),
        (
            "budget: {monthly_usd: .nan}",
            "budget.monthly_usd: nan is not a finite number",
        ),
        (
            "tenants: {'': {}}",
            "tenants..[key]: '' is not a tenant's name: letters, digits, dots, hyphens and "
            'underscores, up to 64, the first of them a letter or a digit; or "*" for all others',
        ),
        (
            "schedule: {time_zone: Mars/Base}",
            "schedule.time_zone: 'Mars/Base' is not a time zone: "
            "use an IANA name such as Europe/Berlin",
        ),
        (
            "schedule: {time_zone: ../../etc/passwd}",
            "schedule.time_zone: '../../etc/passwd' is not a time zone: "
            "use an IANA name such as Europe/Berlin",
        ),
    ],
)
def test_a_bad_field(text: str, problem: str) -> None:
    assert problems(text) == [problem]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            "end: '08:00'",
            "schedule.windows.peak: window 'peak' starts and ends at 08:00: it would be empty; "
            'give it two different times (a whole day is from "00:00" to "24:00")',
        ),
        (
            "start: '24:00'",
            "schedule.windows.peak.start: '24:00' is not a time of day: "
            'write it as "08:00", up to "23:59"',
        ),
        (
            "start: 8",
            "schedule.windows.peak.start: 8 is not a time of day: "
            'write it as "08:00", up to "23:59"',
        ),
        (
            "start: 8.30",
            "schedule.windows.peak.start: 8.3 is not a time of day: "
            'write it as "08:00", up to "23:59"',
        ),
        (
            "min_copiez: 1",
            "schedule.windows.peak.min_copiez: unknown key; did you mean `min_copies`?",
        ),
        ("days: [mon, mon]", "schedule.windows.peak.days: a day is listed twice"),
        (
            "days: [Mon]",
            "schedule.windows.peak.days: 'Mon' is not a day: write mon, tue, wed, thu, fri, sat or "
            "sun, or one of each month: first mon, second tue, third wed, fourth thu, last fri",
        ),
        (
            "days: []",
            "schedule.windows.peak.days: at least 1 is needed here",
        ),
        ("keep_alive: 0s", "schedule.windows.peak.keep_alive: 0s is too short: at least 30s"),
        (
            "min_copies: 2",
            "endpoint: window 'peak': min_copies 2 is above max_copies 1; "
            "lower the one or raise the other",
        ),
        (
            "min_copies: 1, max_copies: 0",
            "schedule.windows.peak: window 'peak': min_copies 1 is above max_copies 0; "
            "lower the one or raise the other",
        ),
        (
            "max_copies: 0, deferrable: true",
            "schedule.windows.peak: window 'peak': deferrable with max_copies 0 contradicts "
            "itself, since nothing is worked off in it; take `deferrable` out, or allow a copy",
        ),
        ("max_copies: -1", "schedule.windows.peak.max_copies: -1 is below 0"),
    ],
)
def test_a_bad_window(line: str, problem: str) -> None:
    assert in_window(line) == [problem]


SWITCHES = [
    ("scaling", "min_copies"),
    ("scaling", "max_copies"),
    ("scaling", "target_concurrency"),
    ("serving", "context_tokens"),
    ("serving", "concurrency_per_copy"),
    ("instances", "accelerators_per_copy"),
    ("budget", "wakes_per_day"),
]


@pytest.mark.parametrize(("part", "key"), SWITCHES)
@pytest.mark.parametrize("switch", ["true", "no"])
def test_a_switch_is_not_a_number(part: str, key: str, switch: str) -> None:
    """YAML reads `no` as false, and Python takes false for 0."""
    document = yaml.safe_load(WHOLE)
    document.setdefault(part, {})[key] = yaml.safe_load(switch)
    with pytest.raises(SpecError) as refused:
        parse_spec(document)
    value = "true" if switch == "true" else "false"
    assert f"{part}.{key}: {value} is not a number" in refused.value.problems


@pytest.mark.parametrize("key", ["min_copies", "max_copies"])
def test_a_switch_is_not_a_number_of_copies_in_a_window(key: str) -> None:
    assert in_window(f"{key}: yes") == [f"schedule.windows.peak.{key}: true is not a number"]


@pytest.mark.parametrize(
    ("window", "problem"),
    [
        ("days: [mon]", "schedule.windows.number 2.name: this key is required"),
        ("name: 5", "schedule.windows.number 2.name: 5 is not a text: put it in quotes"),
        (
            "name: Night",
            "schedule.windows.Night.name: 'Night' is not a window's name: small letters, digits "
            "and hyphens, up to 32, the first of them a letter",
        ),
    ],
)
def test_a_window_without_a_name_goes_by_its_number(window: str, problem: str) -> None:
    rest = 'days: [mon], start: "18:00", end: "19:00"'
    second = f"{{{window}, {rest}}}" if "name" in window else f"{{{rest}}}"
    first = '{name: peak, days: [mon], start: "08:00", end: "18:00"}'
    assert problems(f"schedule: {{windows: [{first}, {second}]}}") == [problem]


def test_two_windows_of_the_same_name() -> None:
    window = '{name: peak, days: [mon], start: "08:00", end: "18:00"}'
    text = f"schedule: {{windows: [{window}, {window}]}}"
    assert problems(text) == ["schedule: two windows are named peak"]


def test_every_bad_field_is_named_at_once() -> None:
    found = problems("scaling: {keep_alive: 600, max_copies: 0}\nteam: ''")
    assert [problem.partition(":")[0] for problem in found] == [
        "scaling.max_copies",
        "scaling.keep_alive",
        "team",
    ]


@pytest.mark.parametrize("document", [None, [1], "llama", 7, "x" * 10_000], ids=type)
def test_what_is_no_mapping_is_refused_in_a_short_sentence(document: Any) -> None:
    with pytest.raises(SpecError, match="an endpoint file is a mapping") as refused:
        parse_spec(document)
    assert len(str(refused.value)) < 200


def test_an_empty_mapping_names_what_is_required() -> None:
    with pytest.raises(SpecError) as refused:
        parse_spec({})
    assert refused.value.problems == [
        "name: this key is required",
        "model: this key is required",
        "instances: this key is required",
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("08:00", time(8)),  # text for PyYAML
        ("8:00", time(8)),  # the number 480
        ("18:30", time(18, 30)),  # the number 1110
        ("0:30", time(0, 30)),
        ('"23:59"', time(23, 59)),
    ],
)
def test_unquoted_times_mean_what_they_look_like(written: str, meant: time) -> None:
    text = f'schedule: {{windows: [{{name: w, days: [mon], start: {written}, end: "12:00"}}]}}'
    assert parse_spec(yaml.safe_load(WHOLE + text)).schedule.windows[0].start == meant


@pytest.mark.parametrize(
    ("text", "seconds", "shortest"),
    [("90s", 90, "1m30s"), ("10m", 600, "10m"), ("1h30m", 5400, "1h30m"), ("0s", 0, "0s")],
)
def test_durations(text: str, seconds: int, shortest: str) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)
    assert format_duration(timedelta(seconds=seconds)) == shortest
    assert parse_duration(shortest) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "m", "10", "10 minutes", "1.5h", "10m!", "٣m", None, True])
def test_what_is_no_duration(text: Any) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


def test_defaults_that_depend_on_other_fields() -> None:
    spec = parse_spec(yaml.safe_load(WHOLE))
    assert spec.target_concurrency == 16  # what a copy takes
    assert spec.highest_max_copies == 1
    single = parse_spec(yaml.safe_load(WHOLE + "serving: {concurrency_per_copy: 1}"))
    assert single.target_concurrency == 1


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse_spec(yaml.safe_load(WHOLE)).name = "other"  # type: ignore[misc]
