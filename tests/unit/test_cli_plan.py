"""`autoscaler plan` on a history: an account whose function is a stub and whose CloudWatch is
moto's; the replay is the simulator itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.awslambda.models import LambdaBackend
from moto.cloudwatch.models import CloudWatchBackend
from moto.core.exceptions import JsonRESTError
from typer.testing import CliRunner, Result

from tests.cli_account import talks_to
from tests.cli_stub import ENDPOINT, TEMPLATE
from tests.samples import document
from tests.simulated import HEADER, a_night
from tools.cli.app import app

KEEP_ALIVE = {"field": "scaling.keep_alive", "before": "10m", "after": "2h"}
WINDOWS = {"field": "schedule.windows", "before": [], "after": []}


@dataclass
class Stub:
    """The command function: answers `plan` with what is set, `get` with ENDPOINT, and its spec."""

    changes: list[Any] = field(default_factory=lambda: [KEEP_ALIVE])
    created: bool = False
    phase: str = "ASLEEP"
    prices: dict[str, Any] | None = None  # an older stack tells none
    present: dict[str, Any] | None = None  # nor the spec that stands
    sent: list[str] = field(default_factory=list)

    def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        self.sent.append(command["command"])
        if command["command"] == "get":
            present = {"spec": self.present} if self.present else {}
            return {"endpoints": [{**ENDPOINT, **present}]}
        return {
            "endpoint": command["document"]["name"],
            "created": self.created,
            "phase": None if self.created else self.phase,
            "changes": self.changes,
            "warnings": [],
            **({"prices": self.prices} if self.prices else {}),
        }


@pytest.fixture
def bare(server: str, monkeypatch: pytest.MonkeyPatch) -> Stub:
    """An account without a stack."""
    talks_to(server, monkeypatch)
    stub = Stub()

    def invoke(_self: Any, _name: str, _q: Any, body: bytes, _h: Any, _headers: Any) -> bytes:
        return json.dumps({"ok": True, "result": stub.answer(json.loads(body))}).encode()

    monkeypatch.setattr(LambdaBackend, "invoke", invoke)
    return stub


@pytest.fixture
def stack(bare: Stub) -> Iterator[Stub]:
    formation = boto3.client("cloudformation")
    zone = {"Type": "String", "Default": "UTC"}
    formation.create_stack(
        StackName="autoscaler",
        TemplateBody=json.dumps({**TEMPLATE, "Parameters": {"DefaultTimeZone": zone}}),
        Parameters=[{"ParameterKey": "DefaultTimeZone", "ParameterValue": "Asia/Tokyo"}],
    )
    yield bare
    formation.delete_stack(StackName="autoscaler")


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return _spec(tmp_path)


def _spec(folder: Path, name: str = "llama", **changes: Any) -> Path:
    scaling = {"max_copies": 2, "keep_alive": "2h"}
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(document(name, **{"scaling": scaling, **changes})))
    return path


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return a_night(tmp_path)


def _plan(*words: object) -> Result:
    return CliRunner().invoke(app, ["plan", *map(str, words)])


def _replayed(*words: object) -> Any:
    """The first replay of the first file."""
    ran = _plan(*words, "--json")
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)[0]["replays"][0]


def _remember(name: str, minutes_ago: dict[int, float], latency_seconds: float | None) -> None:
    """Requests by minutes ago, and how long an answer took in each of those minutes."""
    at = datetime.now(UTC).replace(second=0, microsecond=0)
    cloudwatch = boto3.client("cloudwatch")
    for minutes, count in minutes_ago.items():
        points = [("AWS/SQS", "NumberOfMessagesSent", "QueueName", count)]
        if latency_seconds and count:
            microseconds = latency_seconds * 1e6
            points.append(("AWS/SageMaker", "ModelLatency", "InferenceComponentName", microseconds))
        for namespace, metric, dimension, value in points:
            point = {
                "MetricName": metric,
                "Dimensions": [{"Name": dimension, "Value": f"autoscaler-{name}"}],
                "Timestamp": at - timedelta(minutes=minutes),
                "Value": value,
            }
            cloudwatch.put_metric_data(Namespace=namespace, MetricData=[point])


def test_a_change_is_priced_against_what_is_there(stack: Stub, spec: Path, trace: Path) -> None:
    ran = _plan(spec, "--trace", trace)
    assert ran.exit_code == 0, ran.output
    assert "scaling.keep_alive: 10m → 2h" in ran.stdout
    assert "\nllama replayed on night: 120 requests in 5.2 hours\n" in ran.stdout
    for row in ("as it is", "as planned", "always on"):
        assert f"\n{row} " in ran.stdout
    rows = _replayed(spec, "--trace", trace)["rows"]
    more = rows["as planned"]["usd"] - rows["as it is"]["usd"]
    assert more > 1  # it stays for hours where it slept after ten minutes
    assert f"Over these 5.2 hours the change would have cost ${more:.2f} more (+" in ran.stdout
    assert rows["always on"]["wakes"] == 0
    assert all(row["answered"] == 120 for row in rows.values())


def _listed(name: str, usd: str) -> dict[str, Any]:
    read_at = "2026-11-20T03:00:00+00:00"
    return {"region": "eu-west-1", "read_at": read_at, "usd_per_hour": {name: usd}}


def test_a_copy_costs_what_the_stacks_price_list_said_last(
    stack: Stub, spec: Path, trace: Path
) -> None:
    bundled = _replayed(spec, "--trace", trace)
    assert bundled["prices"].startswith("Prices are the bundled table's (us-east-1 on demand, as")
    stack.prices = _listed("ml.g6e.xlarge", str(2 * bundled["usd_per_copy_hour"]))
    listed = _replayed(spec, "--trace", trace)
    assert listed["usd_per_copy_hour"] == 2 * bundled["usd_per_copy_hour"]
    said = "Prices are those of eu-west-1, on demand, as AWS's price list had them on 2026-11-20"
    assert listed["prices"].startswith(said)
    assert said in _plan(spec, "--trace", trace).stdout
    given = _replayed(spec, "--trace", trace, "--price", 3)
    assert (given["usd_per_copy_hour"], given["prices"]) == (
        3,
        "The price is the one that was given.",
    )


def test_a_price_that_only_the_stack_knows_is_used_and_without_one_the_gap_is_said(
    stack: Stub, tmp_path: Path, trace: Path
) -> None:
    spec = _spec(tmp_path, model={"id": "acme/own"}, instances={"types": ["ml.g7.2xlarge"]})
    stack.prices = _listed("ml.g7.2xlarge", "9.5")
    assert _replayed(spec, "--trace", trace)["usd_per_copy_hour"] == 9.5
    stack.prices = _listed("ml.g6e.xlarge", "2")
    ran = _plan(spec, "--trace", trace)
    assert ran.exit_code == 0
    assert "the price of ml.g7.2xlarge is not known: give it with --price" in ran.stderr


def test_a_start_takes_as_long_as_the_endpoint_measured(
    stack: Stub, spec: Path, trace: Path
) -> None:
    assert _replayed(spec, "--trace", trace)["lead_seconds"] == ENDPOINT["lead_time_seconds"]
    assert stack.sent == ["plan", "get"]
    assert _replayed(spec, "--trace", trace, "--lead", 60)["lead_seconds"] == 60
    assert stack.sent == ["plan", "get", "plan", "get"]  # for the spec that stands


def test_waiting_is_priced_alike_in_all_rows(stack: Stub, tmp_path: Path, trace: Path) -> None:
    dear = {"max_copies": 2, "keep_alive": "10m", "waiting_usd_per_request_minute": 1}
    spec, price = _spec(tmp_path, scaling=dear), "scaling.waiting_usd_per_request_minute"
    stack.changes = [{"field": price, "before": "0.000001", "after": "1"}]
    rows = _replayed(spec, "--trace", trace)["rows"]
    assert rows["as it is"]["waiting_usd"] > 1  # in millionths of a dollar it would be nothing


def test_the_present_spec_keeps_the_copies_that_a_change_takes_away(
    stack: Stub, tmp_path: Path
) -> None:
    crowd = tmp_path / "crowd.csv"
    crowd.write_text(HEADER + "".join(f"{n * 2},300,3000\n" for n in range(1000)))
    stack.changes = [{"field": "scaling.max_copies", "before": 3, "after": 1}]
    spec = _spec(tmp_path, scaling={"max_copies": 1, "keep_alive": "10m"})
    rows = _replayed(spec, "--trace", crowd)["rows"]
    assert rows["as it is"]["p95_seconds"] < rows["as planned"]["p95_seconds"] / 2


@pytest.mark.parametrize(
    "change",
    [
        {"field": "tags.cost-center", "before": None, "after": "42"},
        {"field": "tags.a.b", "before": "1", "after": None},
        {"field": "tags", "before": None, "after": {"a": "1"}},
    ],
)
def test_a_key_that_comes_or_goes_does_not_keep_the_present_spec_from_being_read(
    stack: Stub, tmp_path: Path, trace: Path, change: dict[str, Any]
) -> None:
    stack.changes = [KEEP_ALIVE, change]
    scaling = {"max_copies": 2, "keep_alive": "10m"}
    stack.present = document("llama", scaling=scaling, tags={"a.b": "1"})
    ran = _plan(_spec(tmp_path, tags={"cost-center": "42"}), "--trace", trace, "--json")
    (one,) = json.loads(ran.stdout)
    assert "notes" not in one, one
    assert list(one["replays"][0]["rows"]) == ["as it is", "as planned", "always on"]


@pytest.mark.parametrize("missing", [{"created": True}, {"phase": "FAILED"}])
def test_what_is_new_is_held_against_always_on(
    stack: Stub, spec: Path, trace: Path, missing: dict[str, Any]
) -> None:
    vars(stack).update(missing)
    found = _replayed(spec, "--trace", trace)
    assert list(found["rows"]) == ["as planned", "always on"]
    assert "less than always on (-" in found["summary"]


def test_what_does_not_change_is_held_against_always_on(
    stack: Stub, spec: Path, trace: Path
) -> None:
    stack.changes = []
    assert list(_replayed(spec, "--trace", trace)["rows"]) == ["as it is", "always on"]
    assert "nothing changes" in _plan(spec, "--trace", trace).stdout


def test_windows_without_a_zone_are_read_in_the_stacks(
    stack: Stub, tmp_path: Path, trace: Path
) -> None:
    """A copy is warm from 14:00 to 15:00: in Tokyo that is 05:00 UTC, when requests come."""
    window = {"name": "peak", "start": "14:00", "end": "15:00", "min_copies": 1}
    scaling = {"max_copies": 2, "keep_alive": "10m"}
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

    def waiting(**zone: str) -> float:
        windows = [{**window, "days": days}]
        spec = _spec(tmp_path, schedule={"windows": windows, **zone}, scaling=scaling)
        return _replayed(spec, "--trace", trace)["rows"]["as planned"]["waiting_usd"]

    stack.changes = [WINDOWS]
    assert waiting() == waiting(time_zone="Asia/Tokyo") < waiting(time_zone="UTC")


@pytest.mark.parametrize("no_stack", ["nowhere", "no credentials", "nobody answers"])
def test_without_a_stack_a_trace_is_held_against_always_on(
    bare: Stub, spec: Path, trace: Path, tmp_path: Path, no_stack: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if no_stack == "no credentials":
        for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "none"))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    if no_stack == "nobody answers":
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    ran = _plan(spec, "--trace", trace)
    assert ran.exit_code == 0, ran.output
    (line,) = ran.stderr.splitlines()
    assert line.startswith("compared with always on only, no stack was asked: ")
    assert "less than always on" in ran.stdout
    (one,) = json.loads(_plan(spec, "--trace", trace, "--json").stdout)
    assert one["unreached"] == line
    assert list(one["replays"][0]["rows"]) == ["as planned", "always on"]
    assert _plan(spec).exit_code == 1  # without a trace there is nothing that can be told


def test_the_history_is_what_cloudwatch_remembers(stack: Stub, spec: Path) -> None:
    began = datetime.now(UTC)
    _remember("llama", {3000: 0, 2800: 7, 1500: 60, 1400: 3}, latency_seconds=30)
    ran = _plan(spec)
    assert ran.exit_code == 0, ran.output
    # Its first sample is of a whole minute, which may be of the hour before or after.
    since = [began - timedelta(minutes=3000 + off) for off in (2, 0, -2)]
    headings = [f"llama replayed on CloudWatch since {one:%Y-%m-%d %H:}" for one in since]
    assert any(heading in ran.stdout for heading in headings)
    assert ": 70 requests in 2.1 days\n" in ran.stdout
    found = _replayed(spec)
    # Idle time until now was paid for too, in the fleet of who never scales.
    assert found["days"] == pytest.approx(3000 / 1440, abs=0.01)
    assert found["rows"]["always on"]["usd"] == pytest.approx(2 * 2.61 * 50, rel=0.01)
    assert "replays" not in json.loads(_plan(spec, "--no-history", "--json").stdout)[0]
    assert _replayed(spec, "--days", 1)["requests"] == 3


def test_what_cloudwatch_remembers_is_replayed_at_its_time_of_day(
    stack: Stub, tmp_path: Path
) -> None:
    """Requests at eight in the evening, 32 hours after the history begins at noon: a copy that is
    warm from seven to nine answers them at once."""
    now = datetime.now(UTC)
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=3)
    begun = int((now - noon).total_seconds() // 60)
    _remember("evening", {begun: 0, begun - 32 * 60: 4}, latency_seconds=5)
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    window = {"name": "w", "days": days, "start": "19:00", "end": "21:00", "min_copies": 1}
    schedule = {"time_zone": "UTC", "windows": [window]}
    stack.changes = [WINDOWS]
    rows = _replayed(_spec(tmp_path, "evening", schedule=schedule))["rows"]
    assert rows["as planned"]["p95_seconds"] == 0 < rows["as it is"]["p95_seconds"]


@pytest.mark.parametrize(
    ("recorded", "latency", "said"),
    [
        ({}, None, "no requests in it"),
        ({300: 0, 200: 0}, None, "no requests in it"),
        ({300: 1, 200: 4}, None, "5 requests in it, but not how long an answer takes"),
    ],
)
def test_too_little_is_told_and_nothing_invented(
    stack: Stub, tmp_path: Path, recorded: dict[int, float], latency: float | None, said: str
) -> None:
    name = f"quiet-{len(recorded)}-{sum(recorded.values()):.0f}"
    _remember(name, recorded, latency)
    ran = _plan(_spec(tmp_path, name))
    assert ran.exit_code == 0, ran.output
    expected = f"{name}: nothing to compare in the last 14 days of CloudWatch: {said}"
    assert ran.stderr.splitlines() == [expected]
    assert "scaling.keep_alive: 10m → 2h" in ran.stdout
    assert "replayed" not in ran.stdout


def test_nothing_is_read_for_what_no_replay_can_tell(stack: Stub, spec: Path) -> None:
    stack.changes = [{"field": "team", "before": "a", "after": "b"}]
    assert _plan(spec).stderr == ""
    stack.changes = [{"field": "budget.monthly_usd", "before": None, "after": "900"}]
    assert _plan(spec).stderr == (
        "llama: budget.monthly_usd: what a budget would have done is not replayed\n"
    )


def test_without_the_permission_the_plan_is_still_shown(
    stack: Stub, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied: list[str] = []

    def deny(*_: Any, **__: Any) -> None:
        denied.append("cloudwatch")
        raise JsonRESTError("AccessDenied", "not authorized")

    monkeypatch.setattr(CloudWatchBackend, "get_metric_data", deny)
    ran = _plan(spec)
    assert (ran.exit_code, denied) == (0, ["cloudwatch"])
    (line,) = ran.stderr.splitlines()
    assert "cloudwatch:GetMetricData" in line
    assert "scaling.keep_alive: 10m → 2h" in ran.stdout
    (one,) = json.loads(_plan(spec, "--json").stdout)
    assert one["notes"] == [line.removeprefix("llama: ")]


def test_files_and_traces_behind_one_option(stack: Stub, tmp_path: Path, trace: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text(HEADER + "0,1,1\n")
    files = _spec(tmp_path, "llama"), _spec(tmp_path, "qwen")
    ran = _plan(*files, "--trace", trace, other, "--json")
    assert ran.exit_code == 0, ran.output
    found = [[one["history"] for one in plan["replays"]] for plan in json.loads(ran.stdout)]
    assert found == [["night", "other"]] * 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--trace", "nothing.csv"], "nothing.csv: cannot be read as a trace"),
        (["--trace", "{trace}", "--no-history"], "--trace and --no-history do not go together"),
        (["--start", "2026-11-02"], "--start: only a trace file does not say when it begins"),
        (["--trace", "{trace}", "--start", "soon"], "--start: 'soon' is no moment"),
        (["--trace", "{trace}", "--start", "9999-12-31T23:59"], "is too far away: years are 2000"),
    ],
)
def test_a_wrong_option_is_named_before_anything_is_sent(
    stack: Stub, spec: Path, trace: Path, words: list[str], said: str
) -> None:
    ran = _plan(spec, *(word.format(trace=trace) for word in words))
    assert ran.exit_code == 2
    assert said in ran.stderr
    assert stack.sent == []


def test_a_spec_that_cannot_be_priced_is_named_with_the_way_out(
    stack: Stub, tmp_path: Path, trace: Path
) -> None:
    spec = _spec(tmp_path, model={"id": "acme/own"}, instances={"types": ["ml.x9.large"]})
    ran = _plan(spec, "--trace", trace)
    assert (ran.exit_code, stack.sent) == (2, [])
    said = "the price of ml.x9.large is not known: give it with --price"
    assert ran.stderr.strip() == f"{spec}: instances.types: {said}"
    assert _plan(spec, "--trace", trace, "--price", 3).exit_code == 0
    _remember("llama", {90: 2}, latency_seconds=5)
    ran = _plan(spec)  # nobody asked for a replay: the plan stands without one
    assert (ran.exit_code, ran.stderr.count(said)) == (0, 1)
    assert "scaling.keep_alive: 10m → 2h" in ran.stdout
