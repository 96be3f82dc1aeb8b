"""The commands against an account whose functions are stubs: what is sent and shown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import LambdaBackend
from moto.cloudwatch.models import CloudWatchBackend
from moto.core.exceptions import ServiceException
from moto.server import ThreadedMotoServer
from typer.testing import CliRunner, Result

from autoscaler.ledger.costs import summarize
from autoscaler.ledger.periods import Period
from autoscaler.runtime.commands import COMMANDS
from tests.cli_account import talks_to
from tests.ledger_books import MONDAY, PRICES, fleet_books
from tools.cli.app import app

TEMPLATE = {
    "Resources": {"Reports": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "reports"}}},
    "Outputs": {
        "CommandFunctionName": {"Value": "accept-command"},
        "ReportFunctionName": {"Value": "report-costs"},
    },
}
GOOD = "name: llama\nmodel: {id: acme/llama}\ninstances: {types: [ml.g6e.xlarge]}\n"
ENDPOINT = {
    "name": "llama", "team": "research", "phase": "ASLEEP", "generation": 4,
    "phase_since": "2026-11-24T06:00:00Z", "desired_copies": 0, "observed_copies": 0,
    "observed_instances": 0, "instance_type": "ml.g6e.xlarge", "window": None, "backlog": None,
    "bounds": {"min_copies": 0, "max_copies": 2}, "hold": None, "failure": None,
    "retry_at": None, "lead_time_seconds": 404.4, "wakes_today": 2,
    "next_edge": "2026-11-24T07:00:00+00:00",
}  # fmt: skip


@dataclass
class Stub:
    """The stack's functions: keeps what is sent, answers what is set."""

    answer: Any = field(default_factory=lambda: {"ok": True, "result": {}})
    fails: bool = False
    one_by_one: list[Any] = field(default_factory=list)  # answers that come before `answer`
    vanishes: Callable[[], Any] | None = None  # what happens before its functions are gone
    sent: list[dict[str, Any]] = field(default_factory=list)

    def run(self, *args: str, stdin: str = "") -> Result:
        return CliRunner().invoke(app, list(args), input=stdin)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bare(server: str, monkeypatch: pytest.MonkeyPatch) -> Stub:
    """An account without a stack."""
    talks_to(server.replace("0.0.0.0", "127.0.0.1"), monkeypatch)
    stub = Stub()

    def invoke(_self: Any, name: str, _q: Any, body: bytes, _h: Any, headers: Any) -> bytes:
        stub.sent.append({"function": name, **json.loads(body)})
        if stub.vanishes:
            stub.vanishes()
            raise UnknownFunctionException(name)
        if stub.fails:
            headers["x-amz-function-error"] = "Unhandled"
            return json.dumps({"errorType": "KeyError", "errorMessage": "'pk'"}).encode()
        answer = stub.one_by_one.pop(0) if stub.one_by_one else stub.answer
        return json.dumps(answer).encode()

    monkeypatch.setattr(LambdaBackend, "invoke", invoke)
    return stub


@pytest.fixture
def stack(bare: Stub) -> Iterator[Stub]:
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(StackName="autoscaler", TemplateBody=json.dumps(TEMPLATE))
    yield bare
    for bucket in boto3.resource("s3").buckets.all():  # none, if the stack has gone
        bucket.objects.all().delete()
    cloudformation.delete_stack(StackName="autoscaler")


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "llama.yaml"
    path.write_text(GOOD)
    return path


def test_apply_sends_the_document_and_tells_what_changes(stack: Stub, spec: Path) -> None:
    change = {"field": "scaling.max_copies", "before": 1, "after": 2}
    result = {"endpoint": "llama", "created": False, "changes": [change], "warnings": ["dear"]}
    stack.answer = {"ok": True, "result": result}
    ran = stack.run("apply", str(spec))
    assert ran.exit_code == 0, ran.output
    assert "scaling.max_copies: 1 → 2" in ran.stdout
    assert "dear" in ran.stdout
    (sent,) = stack.sent
    assert sent["command"] == "apply"
    assert sent["function"] == "accept-command"
    assert sent["document"]["model"] == {"id": "acme/llama"}
    assert sent["author"]


def test_plan_can_be_read_by_a_script(stack: Stub, spec: Path) -> None:
    result = {"endpoint": "llama", "created": True, "changes": [], "warnings": []}
    stack.answer = {"ok": True, "result": result}
    ran = stack.run("plan", str(spec), "--json")
    assert json.loads(ran.stdout) == [{**result, "in_force": {}}]
    assert stack.sent[0]["command"] == "plan"


def test_a_bad_file_among_good_ones_sends_nothing(stack: Stub, spec: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(GOOD.replace("llama", "other") + "scaling: {keep_aliv: 10m}\n")
    ran = stack.run("apply", str(spec), str(bad))
    assert ran.exit_code == 2
    assert ran.stderr.strip() == (
        f"{bad}: scaling.keep_aliv: unknown key; did you mean `keep_alive`?"
    )
    assert stack.sent == []


def test_what_the_stack_refuses_is_told_with_the_file(stack: Stub, spec: Path) -> None:
    problems = ["instances.types: ml.g4dn.xlarge cannot hold it", "model.id: no such repository"]
    stack.answer = {"ok": False, "error": "SpecError", "problems": problems}
    ran = stack.run("apply", str(spec))
    assert ran.exit_code == 2
    assert ran.stderr.splitlines() == [f"{spec}: {problem}" for problem in problems]


NEW = {"created": True, "changes": [], "warnings": []}


def _is_new(name: str) -> dict[str, Any]:
    return {"ok": True, "result": {"endpoint": name, **NEW}}


def _refused(*problems: str) -> dict[str, Any]:
    return {"ok": False, "error": "SpecError", "problems": list(problems)}


@pytest.fixture
def two(spec: Path, tmp_path: Path) -> tuple[str, str]:
    other = tmp_path / "other.yaml"
    other.write_text(GOOD.replace("llama", "other"))
    return str(spec), str(other)


def _commands(stack: Stub) -> list[tuple[str, str]]:
    return [(one["command"], one["document"]["name"]) for one in stack.sent]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_of_several_files_none_is_applied_if_the_stack_would_refuse_one(
    stack: Stub, two: tuple[str, str], options: tuple[str, ...]
) -> None:
    stack.one_by_one = [_is_new("llama"), _refused("model.id: no such repository")]
    ran = stack.run("apply", *two, *options)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert ran.stderr.splitlines() == [
        f"{two[1]}: model.id: no such repository", "nothing was applied",
    ]  # fmt: skip
    assert _commands(stack) == [("plan", "llama"), ("plan", "other")]


def test_a_file_that_needs_one_before_it_is_applied_after_it(
    stack: Stub, two: tuple[str, str]
) -> None:
    missing = "fallback: there is no endpoint 'llama'; apply its file first"
    stack.one_by_one = [_is_new("llama"), _refused(missing), _is_new("llama"), _is_new("other")]
    ran = stack.run("apply", *two)
    assert (ran.exit_code, ran.stderr) == (0, ""), ran.output
    assert _commands(stack)[2:] == [("apply", "llama"), ("apply", "other")]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_was_applied_before_a_refusal_is_told(
    stack: Stub, two: tuple[str, str], options: tuple[str, ...]
) -> None:
    stack.one_by_one = [*map(_is_new, ("llama", "other", "llama")), _refused("name: taken")]
    ran = stack.run("apply", *two, *options)
    assert ran.exit_code == 2
    assert ran.stderr.splitlines() == [
        f"{two[1]}: name: taken",
        f"applied before it, and stays: {two[0]}; not applied: {two[1]}",
    ]
    if options:
        assert [one["endpoint"] for one in json.loads(ran.stdout)] == ["llama"]
    else:
        assert ran.stdout.startswith("llama ")


def test_a_failing_function_is_one_line_with_the_request(stack: Stub) -> None:
    stack.fails = True
    ran = stack.run("get")
    assert ran.exit_code == 1
    assert len(ran.stderr.splitlines()) == 1
    assert ran.stderr.startswith("accept-command failed: KeyError: 'pk' (request ")


def test_get_lists_endpoints_and_shows_a_missing_signal_as_unknown(stack: Stub) -> None:
    stack.answer = {"ok": True, "result": {"endpoints": [ENDPOINT]}}
    ran = stack.run("get")
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.splitlines()[1].split()[:2] == ["llama", "ASLEEP"]
    assert ran.stdout.splitlines()[1].rstrip().endswith("?")
    assert json.loads(stack.run("get", "--json").stdout) == [ENDPOINT]


def test_get_of_one_endpoint_asks_for_it(stack: Stub) -> None:
    stack.answer = {"ok": True, "result": {"endpoints": [ENDPOINT]}}
    assert "a start takes about 6m44s" in stack.run("get", "llama").stdout
    assert stack.sent[0]["endpoint"] == "llama"


def test_get_with_no_endpoints_says_what_to_do(stack: Stub) -> None:
    stack.answer = {"ok": True, "result": {"endpoints": []}}
    assert "autoscaler apply" in stack.run("get").stdout


def test_get_says_that_everything_is_stopped_where_there_is_no_endpoint(stack: Stub) -> None:
    stopped = {"since": "", "author": "ada", "reason": "x", "text": "Everything is stopped by ada"}
    stack.answer = {"ok": True, "result": {"endpoints": [], "stopped": stopped}}
    ran = stack.run("get")
    assert ran.stdout.splitlines()[0] == "Everything is stopped by ada"
    assert "autoscaler apply" in ran.stdout
    assert json.loads(stack.run("get", "--json").stdout) == []


def test_watch_looks_again_until_it_is_interrupted(
    stack: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.answer = {"ok": True, "result": {"endpoints": [ENDPOINT]}}
    looks = iter([None, KeyboardInterrupt()])

    def sleep(_seconds: float) -> None:
        if (error := next(looks)) is not None:
            raise error

    monkeypatch.setattr("tools.cli.app.time.sleep", sleep)
    ran = stack.run("get", "--watch")
    assert ran.exit_code == 130
    assert len(stack.sent) == 2
    assert stack.run("get", "--watch", "--json").exit_code == 2


@pytest.mark.parametrize("order", ["wake", "sleep", "release"])
def test_an_order_is_sent_and_its_phase_told(stack: Stub, order: str) -> None:
    stack.answer = {"ok": True, "result": {"endpoint": "llama", "phase": "WAKING"}}
    ran = stack.run(order, "llama")
    assert ran.stdout.strip() == "llama is WAKING"
    assert (stack.sent[0]["command"], stack.sent[0]["endpoint"]) == (order, "llama")


def test_a_retry_says_what_it_did(stack: Stub) -> None:
    did = "its creation is tried now, on ml.g6e.xlarge [rung 1]"
    stack.answer = {"ok": True, "result": {"endpoint": "llama", "phase": "STAGING", "did": did}}
    ran = stack.run("retry", "llama")
    assert ran.stdout.strip() == f"llama is STAGING: {did}"
    assert (stack.sent[0]["command"], stack.sent[0]["endpoint"]) == ("retry", "llama")


def test_hold_sends_seconds(stack: Stub) -> None:
    stack.answer = {"ok": True, "result": {"endpoint": "llama", "phase": "AWAKE"}}
    ran = stack.run("hold", "llama", "--for", "2h", "--copies", "2", "--reason", "launch")
    assert ran.exit_code == 0, ran.output
    sent = {key: stack.sent[0][key] for key in ("seconds", "min_copies", "reason")}
    assert sent == {"seconds": 7200, "min_copies": 2, "reason": "launch"}
    assert stack.run("hold", "llama").exit_code == 2
    assert stack.run("hold", "llama", "--for", "ever").exit_code == 2
    for wrong in ("1000", "-1"):
        ran = stack.run("hold", "llama", "--for", "2h", "--copies", wrong)
        assert (ran.exit_code, "--copies" in ran.stderr) == (2, True)
    assert len(stack.sent) == 1


@pytest.mark.parametrize(
    ("args", "sent"),
    [
        (("hold",), {"command": "hold", "min_copies": 1}),
        (("keep-warm",), {"command": "override", "kind": "keep_warm"}),
        (("pause-scale-in",), {"command": "override", "kind": "pause_scale_in"}),
        (
            ("sleep-until", "--even-for-requests", "--replace"),
            {
                "command": "override",
                "kind": "sleep_until",
                "even_for_requests": True,
                "replace": True,
            },
        ),
        (
            ("sleep-until",),
            {"command": "override", "kind": "sleep_until", "even_for_requests": False},
        ),
    ],
)
def test_what_overrides_the_policy_is_sent(stack: Stub, args: Any, sent: dict[str, Any]) -> None:
    stack.answer = {"ok": True, "result": {"endpoint": "llama", "phase": "AWAKE"}}
    command, *options = args
    ran = stack.run(command, "llama", "--for", "90m", "--reason", "a demo", *options)
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.strip() == "llama is AWAKE"
    expected = {"endpoint": "llama", "seconds": 5400, "reason": "a demo", **sent}
    (found,) = stack.sent
    del found["function"]
    assert COMMANDS.validate_python(found), "the stack takes it"
    assert {k: v for k, v in found.items() if k != "author"} == expected
    assert stack.run(command, "llama").exit_code == 2, "it says for how long"


@pytest.mark.parametrize(
    ("options", "kind"), [((), None), (("--only", "sleep-until"), "sleep_until")]
)
def test_release_ends_all_or_one_kind(stack: Stub, options: Any, kind: str | None) -> None:
    stack.answer = {"ok": True, "result": {"endpoint": "llama", "phase": "AWAKE"}}
    assert stack.run("release", "llama", *options).exit_code == 0
    (found,) = stack.sent
    del found["function"]
    assert COMMANDS.validate_python(found), "the stack takes it"
    assert (found["command"], found.get("kind")) == ("release", kind)


def test_a_kind_that_is_none_cannot_be_released(stack: Stub) -> None:
    ran = stack.run("release", "llama", "--only", "nap")
    assert ran.exit_code == 2
    assert ran.stderr.strip().startswith("--only: 'nap' is none of hold, sleep-until,")
    assert stack.sent == []


def test_get_shows_what_a_person_asked_for_and_which_window_wins(stack: Stub) -> None:
    asleep = {
        "kind": "sleep_until", "until": "2026-11-25T08:00:00+00:00", "author": "ada",
        "reason": "no demo today", "even_for_requests": True,
    }  # fmt: skip
    windows = [{"name": "closed"}, {"name": "peak"}]
    one = {**ENDPOINT, "overrides": [asleep], "spec": {"schedule": {"windows": windows}}}
    stack.answer = {"ok": True, "result": {"endpoints": [one]}}
    shown = stack.run("get", "llama").stdout
    assert (
        "put to sleep, even for requests, by ada until 2026-11-25 08:00:00 UTC: no demo today"
        in shown
    )
    assert "outside all windows (the first that is open wins: closed, peak)" in shown


HELD = "held at 1 copy or more until 24 Nov 18:00 UTC by ada: [a] demo"
FOR_TWO_HOURS = ("llama", "--for", "2h")
PHASE = {"endpoint": "llama", "phase": "AWAKE"}
CHANGED = {"endpoint": "llama", "created": False, "changes": [], "warnings": []}
SWITCH = {"stopped": None, "stopped_endpoints": {}, "phases": {"llama": "AWAKE"}, "left": {}}
LIMITS = {
    "monthly_usd": None, "daily_usd": None, "spent_usd": "0", "share": None, "forecast_usd": None,
    "when_spent": "cap", "at_100": "", "wakes_today": 0, "wakes_per_day": 24,
}  # fmt: skip
BUDGETS = {
    "endpoints": [
        {"endpoint": "llama", "budget": LIMITS, "barred": None, "stopped": None, "yields_at": 100}
    ],
    "stack": {**LIMITS, "yielding": [], "set_by": ""},
    "stopped": None,
}
# Every command whose answer is about endpoints: as it is typed, and the stack's result.
ABOUT_ENDPOINTS: list[tuple[tuple[str, ...], Any]] = [
    (("apply", "FILE"), CHANGED),
    (("plan", "FILE", "--no-history"), CHANGED),
    (("wake", "llama"), PHASE),
    (("sleep", "llama"), PHASE),
    (("retry", "llama"), {**PHASE, "did": "nothing"}),
    (("delete", "llama", "--yes"), PHASE),
    (("hold", *FOR_TWO_HOURS), PHASE),
    (("keep-warm", *FOR_TWO_HOURS), PHASE),
    (("sleep-until", *FOR_TWO_HOURS), PHASE),
    (("pause-scale-in", *FOR_TWO_HOURS), PHASE),
    (("release", "llama", "--only", "hold"), PHASE),
    (("budget",), BUDGETS),
    (("budget", "set", "--monthly", "5000"), BUDGETS),
    (("stop", "--reason", "a drill"), SWITCH),
    (("start",), SWITCH),
]


@pytest.mark.parametrize(("typed", "result"), ABOUT_ENDPOINTS, ids=lambda one: " ".join(one))
class TestWhatIsInForce:
    """Whatever is asked about an endpoint: what a colleague asked for of it is told with it."""

    def test_is_told_below_every_answer(self, stack: Stub, spec: Path, typed, result) -> None:
        stack.answer = {"ok": True, "result": result, "in_force": {"llama": [HELD]}}
        ran = stack.run(*(str(spec) if word == "FILE" else word for word in typed))
        assert ran.exit_code == 0, ran.output
        assert ran.stderr.splitlines() == [f"llama is {HELD}"]

    def test_is_told_with_every_refusal(self, stack: Stub, spec: Path, typed, result) -> None:
        refused = {"ok": False, "error": "OrderError", "problems": ["not now"]}
        stack.answer = {**refused, "in_force": {"llama": [HELD]}}
        ran = stack.run(*(str(spec) if word == "FILE" else word for word in typed))
        assert ran.exit_code == 2
        assert f"llama is {HELD}" in ran.stderr.splitlines()
        assert "not now" in ran.stderr

    def test_an_older_stack_does_not_say_it(self, stack: Stub, spec: Path, typed, result) -> None:
        stack.answer = {"ok": True, "result": result}
        ran = stack.run(*(str(spec) if word == "FILE" else word for word in typed))
        assert (ran.exit_code, ran.stderr) == (0, ""), ran.output


def test_a_script_finds_what_is_in_force_in_the_answer_alone(stack: Stub, spec: Path) -> None:
    commands = {("budget",): BUDGETS, ("plan", str(spec)): CHANGED, ("start",): SWITCH}
    for typed, result in commands.items():
        stack.answer = {"ok": True, "result": result, "in_force": {"llama": [HELD]}}
        ran = stack.run(*typed, "--json")
        found = json.loads(ran.stdout)
        one = found[0] if isinstance(found, list) else found
        assert (one["in_force"], ran.stderr) == ({"llama": [HELD]}, "")


def test_a_page_that_says_what_is_in_force_says_it_once(stack: Stub) -> None:
    hold = {"until": "2026-11-24T18:00:00Z", "min_copies": 1, "author": "ada", "reason": "a demo"}
    one = {**ENDPOINT, "hold": hold}
    stack.answer = {"ok": True, "result": {"endpoints": [one]}, "in_force": {"llama": [HELD]}}
    for typed in (("get",), ("get", "llama")):
        ran = stack.run(*typed)
        assert ran.output.count("a demo") == 1, typed
        assert "held at 1 or more by ada until 2026-11-24 18:00:00 UTC" in ran.stdout


def test_delete_asks_first(stack: Stub) -> None:
    stack.answer = {"ok": True, "result": {"endpoint": "llama", "phase": "RETIRING"}}
    assert stack.run("delete", "llama", stdin="n\n").exit_code == 1
    assert stack.sent == []
    assert stack.run("delete", "llama", stdin="y\n").exit_code == 0
    assert stack.run("delete", "llama", "--yes", "--discard-requests").exit_code == 0
    assert [sent["discard_requests"] for sent in stack.sent] == [False, True]
    assert stack.run("delete", "llama", "--yes", "--weights").exit_code == 0
    assert [sent.get("discard_weights") for sent in stack.sent] == [None, None, True]


def test_report_is_written_and_fetched(stack: Stub, tmp_path: Path) -> None:
    s3 = boto3.client("s3")
    uris = {}
    for kind in ("html", "csv", "json"):
        s3.put_object(Bucket="reports", Key=f"all/costs.{kind}", Body=kind.encode())
        uris[kind] = f"s3://reports/all/costs.{kind}"
    stack.answer = {
        "cost_usd": "28.62", "baseline_usd": "59.65", "period": "week 23 – 29 November",
        "uris": uris,
    }  # fmt: skip
    out = tmp_path / "deep" / "report"
    ran = stack.run("report", "--period", "all", "--out", str(out))
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.startswith(
        "week 23 – 29 November: cost $28.62, always on $59.65 (estimated)\n"
    )
    assert (out / "costs.csv").read_text() == "csv"
    assert stack.sent == [{"function": "report-costs", "period": "all"}]
    shown = json.loads(stack.run("report", "--json", "--out", str(out)).stdout)
    assert shown["files"] == [str(out / f"costs.{kind}") for kind in ("html", "csv", "json")]
    assert stack.run("report", "--period", "year").exit_code == 2
    assert stack.run("report", "--period", "all", "--last").exit_code == 2
    stack.sent.clear()
    ran = stack.run("report", "--out", str(out))
    assert ran.stdout.startswith("week 23 – 29 November so far: cost $28.62")
    ran = stack.run("report", "--period", "day", "--last", "--out", str(out))
    assert ran.stdout.startswith("week 23 – 29 November: cost $28.62")
    running, over = stack.sent
    assert running == {"function": "report-costs", "period": "week", "running": True}
    assert over == {"function": "report-costs", "period": "day"}


@pytest.mark.parametrize("below", ["", "deep/er"])
def test_a_place_for_a_report_that_is_none_is_told_before_it_is_made(
    stack: Stub, tmp_path: Path, below: str
) -> None:
    taken = tmp_path / "report"
    taken.write_text("a file")
    ran = stack.run("report", "--out", str(taken / below))
    assert (ran.exit_code, stack.sent) == (2, [])
    said = "cannot be a folder: a file is in its place; name another one"
    assert ran.stderr == f"--out: {taken / below} {said}\n"


def test_a_report_that_cannot_be_written_is_one_line(written: Stub, tmp_path: Path) -> None:
    (tmp_path / "costs.html").mkdir()
    ran = written.run("report", "--out", str(tmp_path))
    assert ran.exit_code == 1
    assert ran.stderr.startswith(f"--out: {tmp_path}/costs.html: cannot be written: ")


@pytest.fixture
def written(stack: Stub) -> Stub:
    """The stack's function has written a week's report; its page is one word."""
    found = summarize(fleet_books(), Period.week(MONDAY.date()), MONDAY, PRICES.get)
    bodies = {"html": "old", "csv": "old", "json": found.model_dump_json()}
    for kind, body in bodies.items():
        boto3.client("s3").put_object(Bucket="reports", Key=f"a/costs.{kind}", Body=body.encode())
    uris = {kind: f"s3://reports/a/costs.{kind}" for kind in bodies}
    stack.answer = {"cost_usd": "1", "baseline_usd": "2", "uris": uris}
    return stack


@pytest.mark.parametrize(
    ("options", "advised"),
    [
        ((), True),
        (("--period", "month", "--last"), True),
        (("--no-advice",), False),
        (("--period", "day"), False),
        (("--period", "all"), False),
        (("--period", "all", "--advice"), True),
        (("--json",), False),
    ],
)
def test_advice_is_looked_for_in_weeks_and_months_that_are_not_printed_as_json(
    written: Stub, tmp_path: Path, options: Sequence[str], advised: bool
) -> None:
    ran = written.run("report", *options, "--out", str(tmp_path))
    assert ran.exit_code == 0, ran.output
    page = (tmp_path / "costs.html").read_text()
    assert (page != "old") is advised
    if advised:
        assert "deepseek-r1: no requests in it" in ran.stderr
        assert re.search(r"No advice for deepseek-r1\b[^.:<]*: no requests in it\.", page)
        assert "report --advice" not in page, "it has been done"


def test_advice_is_a_part_of_the_document(written: Stub, tmp_path: Path) -> None:
    ran = written.run("report", "--advice", "--closed", "--json", "--out", str(tmp_path))
    assert json.loads(ran.stdout)["advice"] == []
    assert written.sent == [{"function": "report-costs", "period": "week", "closed": True}]
    assert written.run("report", "--period", "all", "--closed").exit_code == 2


def test_a_report_whose_metrics_may_not_be_read_says_so_and_is_there(
    written: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: Any, **__: Any) -> Any:
        raise ServiceException("AccessDenied", "cloudwatch:GetMetricData is not allowed")

    monkeypatch.setattr(CloudWatchBackend, "get_metric_data", denied)
    ran = written.run("report", "--out", str(tmp_path))
    assert ran.exit_code == 0, ran.output
    assert "no advice: " in ran.stderr and "GetMetricData" in ran.stderr
    page = (tmp_path / "costs.html").read_text()
    assert "What would save most is not known: " in page and "GetMetricData" in page


def test_a_report_that_this_command_line_cannot_read_is_left_as_it_is(
    written: Stub, tmp_path: Path
) -> None:
    boto3.client("s3").put_object(Bucket="reports", Key="a/costs.json", Body=b'{"of": "later"}')
    ran = written.run("report", "--out", str(tmp_path))
    assert ran.exit_code == 0, ran.output
    assert "cannot read the report of the stack" in ran.stderr
    assert (tmp_path / "costs.html").read_text() == "old"


@pytest.mark.parametrize("command", [[], ["get"], ["local"], ["local", "up"]])
def test_help_is_given_by_its_short_name_too(command: list[str]) -> None:
    short, long = (CliRunner().invoke(app, [*command, option]) for option in ("-h", "--help"))
    assert short.exit_code == 0
    assert short.stdout == long.stdout


def test_a_report_that_is_not_there_is_one_line(stack: Stub, tmp_path: Path) -> None:
    stack.answer = {"cost_usd": None, "uris": {"html": "s3://reports/none.html"}}
    ran = stack.run("report", "--out", str(tmp_path))
    assert ran.exit_code == 1
    assert "NoSuchKey" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_without_a_stack_it_says_how_to_get_one(bare: Stub) -> None:
    ran = bare.run("--stack", "nowhere", "get")
    assert ran.exit_code == 1
    assert "there is no stack 'nowhere'" in ran.stderr
    assert "sam deploy" in ran.stderr
    assert "autoscaler local up" in ran.stderr


def test_a_stack_of_something_else_is_named(bare: Stub) -> None:
    template = {**TEMPLATE, "Outputs": {"Other": {"Value": "x"}}}
    template["Resources"] = {"Queue": {"Type": "AWS::SQS::Queue"}}
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(StackName="other", TemplateBody=json.dumps(template))
    ran = bare.run("--stack", "other", "get")
    assert "no output CommandFunctionName" in ran.stderr
    assert ran.exit_code == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "nothing answers there"),
        ({"AWS_ENDPOINT_URL": "nonsense"}, "nonsense"),
        ({"AWS_PROFILE": "absent"}, "absent"),
    ],
)
def test_a_wrong_environment_is_named(
    bare: Stub, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], said: str
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    ran = bare.run("get")
    assert ran.exit_code == 1
    assert said in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_without_a_stack_it_says_where_it_looked(bare: Stub) -> None:
    ran = bare.run("get")
    assert ran.exit_code == 1
    assert ran.stderr.startswith("there is no stack 'autoscaler' in us-east-1: `sam deploy")


def test_a_stack_that_is_deleted_meanwhile_is_not_there(stack: Stub) -> None:
    formation = boto3.client("cloudformation")
    stack.vanishes = lambda: formation.delete_stack(StackName="autoscaler")
    assert stack.run("get").stderr.startswith("there is no stack 'autoscaler' in us-east-1: ")


def test_a_stack_without_its_functions_is_told_by_its_status(stack: Stub) -> None:
    stack.vanishes = lambda: None
    assert stack.run("get").stderr == (
        "the stack 'autoscaler' has no function accept-command: it is CREATE_COMPLETE\n"
    )


def test_without_credentials_or_region_it_says_so(
    bare: Stub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    assert "no AWS credentials were found" in bare.run("get").stderr
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    ran = bare.run("get")
    assert "no Region is set" in ran.stderr
    assert 'eval "$(bin/autoscaler local up)"' in ran.stderr
    assert ran.exit_code == 1
