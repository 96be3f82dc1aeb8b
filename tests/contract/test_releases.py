"""What the release before this one left behind is read, answered and carried on by this one, and
what this one writes is read by it after a rollback (docs/decisions/0014)."""

from __future__ import annotations

import json
import lzma
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from jsonata import Jsonata
from moto import mock_aws
from pydantic import TypeAdapter

from autoscaler.aws.items import (
    Item,
    history_item,
    pattern_item,
    segment_item,
    spec_item,
    stack_item,
    status_item,
)
from autoscaler.aws.table import TableStore
from autoscaler.control.reconcile import reconcile
from autoscaler.endpoints.migrations import SCHEMA, NewerSchemaError
from autoscaler.endpoints.status import EndpointRecord
from autoscaler.policy.pattern import Pattern
from autoscaler.policy.types import Bounds, OverrideKind, Phase
from autoscaler.runtime import ours as our_names
from autoscaler.runtime import steps
from autoscaler.runtime.commands import COMMANDS
from autoscaler.runtime.deployment import Deploy
from autoscaler.runtime.hub_models import NewModel
from autoscaler.runtime.moves import moves_of
from autoscaler.runtime.names import Names
from autoscaler.runtime.settings import Settings
from autoscaler.runtime.stack import StackAnswer, StackRequest
from autoscaler.runtime.staging import PlanRequest, SealRequest, StageRequest
from autoscaler.runtime.weights import Retired
from autoscaler.spec import Kind
from tests.memory import memory_world
from tests.releases import defaults, machines
from tests.releases.archive import PREVIOUS, archive, digests, of_git, unpacked
from tests.releases.record import calls_file, table_file
from tests.samples import asleep, spec
from tests.tables import make_table

ROOT = Path(__file__).parents[2]
EVER = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
THE_USERS_OWN = "ScannerFunctionArn"
# What a machine reads of its input that the release before did not give, and where it goes without.
MAY_BE_MISSING = {
    "requests.bursts": ("create_capacity", "MayBurst", "PutBurstPolicy"),
    "requests.scales": ("create_capacity", "MayScale", "PutPolicy"),
}
# What a machine puts into its own input when it begins again, and asks for by `$exists`.
OF_ITS_LOOP = {"states.input.asked": ("sleep_endpoint", "Guard", "asked")}
# What only machines of the release before read, and functions tell until the next release.
STILL_TOLD = {"sleep_endpoint": {"moves.bounds"}}
# What each function that a state machine calls makes of its event first.
BOUNDARIES: dict[str, TypeAdapter[Any]] = {
    "accept-command": COMMANDS,
    "answer-stack": TypeAdapter(StackAnswer),
    "check-names": TypeAdapter(Names),
    "create-model": TypeAdapter(NewModel),
    "guard-sleep": TypeAdapter(steps.Sleep),
    "look-at-start": TypeAdapter(steps.Start),
    "plan-deployment": TypeAdapter(Deploy),
    "plan-staging": TypeAdapter(PlanRequest),
    "plan-wake": TypeAdapter(steps.Wake),
    "probe-endpoint": TypeAdapter(steps.Probe),
    "record-phase": steps._RECORDS,
    "remove-weights": TypeAdapter(Retired),
    "retire-stack": TypeAdapter(StackRequest),
    "seal-staging": TypeAdapter(SealRequest),
    "stage-file": TypeAdapter(StageRequest),
}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(tmp_path_factory.mktemp("release"))


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        made = boto3.client("dynamodb", region_name="us-east-1")
        make_table(made)
        yield made


@pytest.fixture
def left(dynamodb: Any) -> TableStore:
    """The table as the release before left it."""
    for item in lines(table_file(PREVIOUS)):
        dynamodb.put_item(TableName="table", Item=item)
    return TableStore("table", dynamodb)


def test_the_archive_is_the_tree_of_its_tag_where_git_has_it() -> None:
    try:
        told = of_git(PREVIOUS)
    except (subprocess.CalledProcessError, FileNotFoundError):
        pytest.skip(f"this checkout has no {PREVIOUS}")
    assert digests(lzma.decompress(archive().read_bytes())) == digests(told)


def test_the_table_that_the_release_before_wrote_is_read_whole(left: TableStore) -> None:
    records = {record.status.name: record for record in left.load_all()}
    phases = {name: record.status.phase for name, record in records.items()}
    assert phases == {
        "asleep": Phase.ASLEEP,
        "awake": Phase.UPDATING,
        "failed": Phase.FAILED,
        "waking": Phase.WAKING,
    }
    awake = records["awake"]
    assert awake.status.hold is not None
    assert [one.kind for one in awake.status.overrides] == [OverrideKind.PAUSE_SCALE_IN]
    assert awake.status.update is not None
    assert awake.status.update.spec.serving.context_tokens == 4096
    assert [window.name for window in awake.spec.schedule.windows] == ["peak"]
    assert awake.status.meters, "the meter of what runs goes on"
    assert awake.status.cold_starts
    assert any(record.pattern.pattern() != Pattern() for record in records.values())
    assert "CUDA" in (records["failed"].status.failure or "")
    assert left.stack().budget.monthly_usd == 5000
    assert left.stack().stop_of("asleep") is not None
    assert left.last_generation("gone") > 0
    assert {one.endpoint for one in left.usage(*EVER)} >= {"asleep", "gone", "waking"}
    assert all(left.history(name) for name in records)
    assert left.traffic(EVER[0].date(), EVER[1].date())


def test_what_was_read_is_written_in_the_present_schema(left: TableStore, dynamodb: Any) -> None:
    for record in left.load_all():
        left.save(record.status, spec=record.spec, pattern=record.pattern)
    left.save_stack(left.stack())
    left.keep_prices(left.prices())
    pages = dynamodb.get_paginator("scan").paginate(TableName="table")
    items = [i for page in pages for i in page["Items"] if i["pk"]["S"] == "FLEET"]
    numbers = {i["sk"]["S"]: i.get("schema", {}).get("N") for i in items}
    assert set(numbers.values()) == {str(SCHEMA)}, numbers
    statuses = [i for i in items if i["sk"]["S"].endswith("#STATUS")]
    assert all("schema_version" not in json.loads(i["body"]["S"]) for i in statuses)


@pytest.mark.parametrize("key", ["awake#SPEC", "waking#STATUS", "#STACK", "awake#PATTERN"])
def test_a_table_of_a_newer_release_is_refused_before_anything_is_changed(
    left: TableStore, dynamodb: Any, key: str
) -> None:
    dynamodb.update_item(
        TableName="table",
        Key={"pk": {"S": "FLEET"}, "sk": {"S": key}},
        UpdateExpression="SET #s = :newer",
        ExpressionAttributeNames={"#s": "schema"},
        ExpressionAttributeValues={":newer": {"N": str(SCHEMA + 1)}},
    )
    before = dynamodb.scan(TableName="table")["Items"]
    memory = memory_world()
    world = replace(memory, store=left)
    with pytest.raises(NewerSchemaError, match="deploy the newer release again"):
        reconcile(world)
    assert dynamodb.scan(TableName="table")["Items"] == before
    assert (memory.scaler.calls, memory.flows.started, memory.announcer.events) == ([], [], [])


READ_BACK = """
import json, sys
from autoscaler.aws.items import records_of, stack_of
from autoscaler.catalog.prices import bundled
from autoscaler.endpoints.status import HistoryEntry, UsageSegment

items = json.load(sys.stdin)
fleet = [i for i in items if i["pk"]["S"] == "FLEET"]
stack = stack_of(next(i for i in fleet if i["sk"]["S"] == "#STACK"))
ours = [i for i in fleet if i["sk"]["S"] != "#STACK"]
segments = [i["body"]["S"] for i in items if i["pk"]["S"].startswith("USAGE")]
lines = [i["body"]["S"] for i in items if i["pk"]["S"].startswith("HISTORY")]
print(json.dumps({
    "records": {r.status.name: [r.status.phase, r.status.generation]
                for r in records_of(ours, bundled("us-east-1"), stack)},
    "budget": str(stack.budget.monthly_usd),
    "segments": len([UsageSegment.model_validate_json(s) for s in segments]),
    "lines": len([HistoryEntry.model_validate_json(s) for s in lines]),
}))
"""


def test_after_a_rollback_the_release_before_reads_what_this_one_wrote(
    left: TableStore, release: Path
) -> None:
    """A key that was added since must not be written while it has its default: the release before
    refuses a file with a key that it does not know."""
    records = [_measured(record) for record in left.load_all()]
    state = left.stack().model_copy(update={"wakes_per_day": 9})  # beside the budget, not in it
    assert any(record.status.creation for record in records)
    segments = [one.model_copy(update={"made_at": EVER[0]}) for one in left.usage(*EVER)]
    entries = [line for record in records for line in left.history(record.status.name)]
    # as the line that says that a wake answered has them since
    entries.append(entries[0].model_copy(update={"cause": "message", "lead_seconds": 312.5}))
    written: list[Item] = [stack_item(state)]
    written += [segment_item(one, 1, number) for number, one in enumerate(segments)]
    written += [item for record in records for item in _items_of(record)]
    written += [history_item(one, 1, number) for number, one in enumerate(entries)]
    assert _said_by(release, "-c", READ_BACK, given=json.dumps(written)) == {
        "records": {r.status.name: [r.status.phase, r.status.generation] for r in records},
        "budget": str(state.budget.monthly_usd),
        "segments": len(segments),
        "lines": len(entries),
    }


def test_what_is_left_out_of_a_status_is_the_same_in_the_release_before(release: Path) -> None:
    """What is as it is by default is not stored: another default would take its place there, and
    here, in what is stored already."""
    today = defaults.in_words()
    before = _said_by(release, str(Path(defaults.__file__)))
    shared = {
        (kind, field): (value, fields[field])
        for kind, fields in before.items()
        for field, value in today.get(kind, {}).items()
        if field in fields and value != defaults.REQUIRED
    }
    assert len(shared) > 60
    assert {place: told for place, told in shared.items() if _differ(*told)} == {}


def _differ(today: Any, before: Any) -> bool:
    """What only one of them has within is not left out by the other, or not read."""
    if isinstance(today, dict) and isinstance(before, dict):
        return any(_differ(today[key], before[key]) for key in today.keys() & before.keys())
    return bool(today != before)


def _said_by(release: Path, *arguments: str, given: str = "") -> Any:
    """What a script says, run with the release's own code."""
    done = subprocess.run(
        [sys.executable, *arguments],
        input=given,
        env={**os.environ, "PYTHONPATH": str(release / "layers" / "autoscaler")},
        cwd=release,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _measured(record: EndpointRecord) -> EndpointRecord:
    """With what a status has been given since, as this release writes it."""
    creation = next(iter(record.status.cold_starts), None)
    return record.having(record.status.model_copy(update={"creation": creation}))


def _items_of(record: EndpointRecord) -> list[Item]:
    name = record.status.name
    return [status_item(record.status), spec_item(record.spec), pattern_item(name, record.pattern)]


# A deployment that is half through, and executions that outlive it


@pytest.mark.parametrize(
    "call",
    lines(calls_file(PREVIOUS)),
    ids=lambda c: f"{c['function']}-{'-'.join(c['event'])}"[:60],
)
def test_what_the_functions_were_given_is_accepted(call: dict[str, Any]) -> None:
    if call["function"] in BOUNDARIES:
        BOUNDARIES[call["function"]].validate_python(call["event"])
    else:  # by EventBridge, SQS or a person
        assert call["function"] in {
            "dispatch-requests", "notify", "reconcile", "refresh-prices", "report-costs",
            "sweep-account",
        }  # fmt: skip


def test_the_recorded_calls_are_of_every_function_that_a_usual_life_calls() -> None:
    called = {call["function"] for call in lines(calls_file(PREVIOUS))}
    assert called >= BOUNDARIES.keys() - {
        "answer-stack", "retire-stack", "remove-weights", "create-model",
    }  # fmt: skip


def test_every_payload_that_is_written_out_has_the_keys_that_are_wanted(release: Path) -> None:
    seen = 0
    for machine, definition in machines.machines(release).items():
        for state, function, payload in machines.payloads(definition):
            if not isinstance(payload, dict) or function == THE_USERS_OWN:
                continue  # one made by an expression the recorded calls have
            boundary = BOUNDARIES[_function(function)]
            problems = _key_problems(boundary, payload)
            assert not problems, f"{machine}.{state}: {problems}"
            seen += 1
    assert seen > 20


def _function(substitution: str) -> str:
    words = re.findall("[A-Z][a-z]+", substitution.removesuffix("FunctionArn"))
    return "-".join(words).lower()


def _key_problems(boundary: TypeAdapter[Any], payload: dict[str, Any]) -> list[str]:
    """Keys that are unknown or missing; values are known at run time alone."""
    told = {key: value for key, value in payload.items() if not _is_expression(value)}
    filled = {key: "x" if _is_expression(value) else value for key, value in payload.items()}
    try:
        boundary.validate_python({**filled, **told})
    except ValueError as invalid:
        errors = getattr(invalid, "errors", list)()
        return [str(e["loc"]) for e in errors if e["type"] in ("extra_forbidden", "missing")
                and len(e["loc"]) <= 2]  # fmt: skip
    return []


def _is_expression(value: Any) -> bool:
    return not isinstance(value, str | int | bool) or str(value).startswith(("{%", "${"))


def test_every_function_and_machine_keeps_its_name(release: Path) -> None:
    """Executions in flight call functions and nested machines by the ARNs that they began with."""
    before = _names((release / "template.yaml").read_text())
    assert len(before) > 25
    assert before <= _names((ROOT / "template.yaml").read_text())


def _names(text: str) -> set[str]:
    return set(re.findall(r"(?:FunctionName|^ {6}Name): !Sub (\S+)", text, re.MULTILINE))


def test_what_executions_in_flight_read_is_still_told(release: Path) -> None:
    """What today's machine reads of an answer, today's tests see there. What only the release
    before reads must stay in the answers until the next release."""
    today = machines.machines(ROOT)
    for name, definition in machines.machines(release).items():
        no_longer = machines.no_longer_read(definition, today[name])
        assert no_longer == STILL_TOLD.get(name, set()), name


@pytest.mark.parametrize("kind", Kind)
def test_what_only_the_release_before_reads_is_told_by_todays_functions(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Settings.model_construct(stack_name="autoscaler", region="eu-central-1")
    monkeypatch.setattr(our_names, "settings", lambda: told)
    record = EndpointRecord(spec=spec(kind=kind), status=asleep("llama"))
    moves = moves_of(record, Bounds(0, 0), 0)
    assert {f"moves.{name}" for name in moves} >= STILL_TOLD["sleep_endpoint"]


def test_a_machine_wants_no_more_than_the_release_before_gives_it(release: Path) -> None:
    before = machines.machines(release)
    for name, definition in machines.machines(ROOT).items():
        wanted = machines.newly_wanted(before[name], definition) if name in before else set()
        assert wanted <= MAY_BE_MISSING.keys() | OF_ITS_LOOP.keys(), name


@pytest.mark.parametrize("path", OF_ITS_LOOP)
def test_what_a_machine_gives_itself_is_asked_for(path: str) -> None:
    machine, state, variable = OF_ITS_LOOP[path]
    assigned = machines.machines(ROOT)[machine]["States"][state]["Assign"][variable].strip("{% }")
    for given, there in (({}, False), ({path.rpartition(".")[2]: True}, True)):
        bound = json.dumps({"input": given})
        assert Jsonata.jsonata(f"($states := {bound}; {assigned})").evaluate(None) is there


@pytest.mark.parametrize("path", MAY_BE_MISSING)
def test_what_may_be_missing_changes_nothing_while_it_is(path: str) -> None:
    machine, state, goes_on = MAY_BE_MISSING[path]
    choice = machines.machines(ROOT)[machine]["States"][state]
    variable = path.partition(".")[0]
    conditions = [one["Condition"].strip("{% }") for one in choice["Choices"]]
    assert any(path in condition for condition in conditions)
    for condition in conditions:
        assert Jsonata.jsonata(f"(${variable} := {{}}; {condition})").evaluate(None) is False
    assert choice["Default"] == goes_on


def test_what_is_read_is_seen_in_every_place_of_a_definition() -> None:
    inner = {"S": {"Output": "{% $plan.moves.kind & $problem.Cause %}", "Arguments": ["{% $n %}"]}}
    before = {"States": {"M": {"ItemProcessor": {"States": inner}}, "T": {"A": "{% $a.b %}"}}}
    assert machines.reads(before) == {"plan.moves.kind", "problem.Cause", "a.b"}
    after = {"States": {"T": {"A": "{% $a.b & $requests.colour & $c.d %}"}}}
    assert machines.no_longer_read(before, after) == {"plan.moves.kind", "problem.Cause"}
    assert machines.newly_wanted(before, after) == {"requests.colour"}
