"""Each promise of the demo can be broken, and then it alone says so."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from rich.console import Console

from tools.cli.demo.acts import PEAK_CLOSES, PEAK_OPENS, START, Facts, counted
from tools.cli.demo.display import Display, sparkline
from tools.cli.demo.promises import Promise, kind_of, promises, show
from tools.cli.demo.replay import Replay, WakeSeen
from tools.cli.demo.stage import Seen
from tools.cli.demo.trace import Arrival, Trace
from tools.hub import REAL_SHA256

SPEC = Path("endpoints/deepseek-r1-distill-llama-8b.yaml")
TRACE = Trace("mine", (Arrival(0.0, 10, 5), Arrival(1.0, 10, 7)), needs=2)
TITLES = ["x is ready", "x is waking", "x is awake", "x is asleep", "Cost of 24 Nov: $1"]
ROWS = [
    "staged",
    "answered",
    "woken",
    "zero",
    "peak",
    "demand",
    "ledger",
    "saved",
    "slack",
    "rights",
]


def seen(
    at: datetime, phase: str = "AWAKE", copies: int = 1, instances: int = 1, backlog: int = 0
) -> Seen:
    return Seen(at, phase, copies, instances, backlog, None, copies)


def result(tokens: int, finish: str | None = "length") -> dict[str, Any]:
    choice = {"finish_reason": finish}
    return {"answer": {"usage": {"completion_tokens": tokens}, "choices": [choice]}}


def good() -> Any:
    """A demo in which everything went well: 24 hours, of which 10 were billed."""
    asleep = [seen(START + timedelta(minutes=m), "ASLEEP", 0, 0) for m in (20, 21)]
    burst = [
        seen(START + timedelta(minutes=m), copies=copies, backlog=backlog)
        for m, copies, backlog in ((35, 1, 40), (42, 2, 60), (50, 1, 0))
    ]
    night = seen(PEAK_CLOSES + timedelta(minutes=9), "ASLEEP", 0, 0)
    peak = [seen(PEAK_OPENS + timedelta(minutes=m), copies=2) for m in (1, 60)]
    stage = SimpleNamespace(
        seen=[*asleep, *burst, *peak, night],
        answers={"request-00000": result(5), "request-00001": result(7)},
        invocations=4,
        dead=0,
        sha256=REAL_SHA256,
        usd=26.1,
        slack=SimpleNamespace(titles=lambda: TITLES, rejected=[]),
    )
    stage.stored_sha256 = lambda uri, path: stage.sha256 if uri.startswith("s3://") else None
    stage.results = lambda: stage.answers
    stage.executions = lambda flow: [{}]  # one probe of the deploy, one of the wake
    stage.dead_letters = lambda: stage.dead
    stage.billed_usd = lambda: stage.usd
    iam = SimpleNamespace(allowed=200, surprises=[])
    stage.account = SimpleNamespace(sagemaker=stage, iam=iam)
    facts = Facts(
        applied_at=START,
        reported_at=START + timedelta(hours=24),
        wake=WakeSeen(0.3, "message"),
        zeros=[asleep[1], night],
        peak=peak,
        report={"cost_usd": "26.10", "baseline_usd": "62.64"},
    )
    replay = Replay(stage, TRACE)
    replay.sent = 2
    document = yaml.safe_load(SPEC.read_text())
    return SimpleNamespace(stage=stage, replay=replay, trace=TRACE, facts=facts, document=document)


def broken(acts: Any) -> list[str]:
    rows = promises(acts)
    return [name for name, row in zip(ROWS, rows, strict=True) if not row.held]


def test_all_promises_hold_when_all_went_well() -> None:
    assert broken(good()) == []


def _set(path: str, value: Any) -> Callable[[Any], None]:
    *way, last = path.split(".")

    def change(acts: Any) -> None:
        for step in way:
            acts = getattr(acts, step)
        setattr(acts, last, value)

    return change


def _see(one: Seen, place: int) -> Callable[[Any], None]:
    return lambda acts: acts.stage.seen.insert(place, one)


def _change(acts: Any, place: int, **changes: Any) -> None:
    acts.stage.seen[place] = replace(acts.stage.seen[place], **changes)


LATE = seen(PEAK_OPENS + timedelta(minutes=6), copies=2)
EVENING = PEAK_CLOSES + timedelta(minutes=8)
BREAKS: list[tuple[str, str, Callable[[Any], None]]] = [
    ("other weights", "staged", _set("stage.sha256", "0" * 64)),
    ("nothing staged", "staged", _set("stage.sha256", None)),
    ("lost", "answered", lambda acts: acts.stage.answers.pop("request-00001")),
    ("cut short", "answered", lambda acts: acts.stage.answers.update({"request-00001": result(6)})),
    (
        "unfinished",
        "answered",
        lambda acts: acts.stage.answers.update({"request-00001": result(7, None)}),
    ),
    ("empty", "answered", lambda acts: acts.stage.answers.update({"request-00001": {}})),
    ("asked twice", "answered", _set("stage.invocations", 5)),
    ("a dead letter", "answered", _set("stage.dead", 1)),
    ("not sent", "answered", _set("replay.sent", 1)),
    ("slow wake", "woken", _set("facts.wake", WakeSeen(1.01, "message"))),
    ("woken by a tick", "woken", _set("facts.wake", WakeSeen(0.1, "backlog"))),
    ("no wake", "woken", _set("facts.wake", None)),
    ("slept once", "zero", lambda acts: acts.facts.zeros.pop()),
    ("asleep and billed", "zero", _see(seen(START, "ASLEEP", 0, 1), 0)),
    ("cold in the peak", "peak", lambda acts: acts.facts.peak.append(seen(PEAK_CLOSES, copies=0))),
    ("late for the peak", "peak", lambda acts: acts.facts.peak.insert(0, LATE)),
    ("five in the peak", "demand", _see(seen(PEAK_OPENS, copies=5), 5)),
    ("three in the evening", "demand", _see(seen(EVENING, copies=3), 7)),
    ("still up", "demand", _see(seen(EVENING), 8)),
    ("never grown", "demand", lambda acts: _change(acts, 3, copies=1)),
    ("grown for nothing", "demand", lambda acts: _change(acts, 2, backlog=16)),
    ("never shrunk", "demand", lambda acts: _change(acts, 4, copies=2)),
    ("shrunk only to sleep", "demand", lambda acts: _change(acts, 4, phase="SLEEPING")),
    ("ledger too low", "ledger", _set("stage.usd", 28.0)),
    ("nothing billed", "ledger", _set("stage.usd", 0.0)),
    ("invented baseline", "saved", lambda acts: acts.facts.report.update(baseline_usd="90.00")),
    ("nobody told", "slack", lambda acts: setattr(acts.stage.slack, "titles", lambda: TITLES[1:])),
    ("denied", "rights", _set("stage.account.iam.surprises", [SimpleNamespace(why="User: ...")])),
    ("never judged", "rights", _set("stage.account.iam.allowed", 0)),
    ("refused by Slack", "slack", _set("stage.slack.rejected", ["invalid_blocks"])),
]


@pytest.mark.parametrize(
    ("row", "change"), [case[1:] for case in BREAKS], ids=[case[0] for case in BREAKS]
)
def test_a_broken_promise_is_the_only_one(row: str, change: Callable[[Any], None]) -> None:
    acts = good()
    change(acts)
    assert broken(acts) == [row]


def test_a_trace_of_ones_own_may_need_one_copy_and_no_more() -> None:
    acts = good()
    acts.trace = replace(TRACE, needs=1)
    _change(acts, 3, copies=1)
    assert broken(acts) == []
    acts.stage.seen = [replace(one, copies=0) for one in acts.stage.seen]
    assert broken(acts) == ["demand"]


def test_a_woken_endpoint_between_two_looks_is_no_lie() -> None:
    acts = good()
    waking = replace(acts.stage.seen[0], phase="WAKING", instances=1)
    acts.stage.seen.insert(1, waking)
    assert broken(acts) == []


def test_the_table_names_what_broke() -> None:
    console = Console(file=io.StringIO(), width=80)
    rows = [Promise("a [b]", "1", True), Promise("c", "2", False)]
    assert not show(console, rows)
    assert show(console, rows[:1])
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert "BROKEN" in told
    assert "a [b]" in told


@pytest.mark.parametrize(
    ("title", "kind"), [("llama is asleep", "asleep"), ("⚠️ no capacity", "other")]
)
def test_a_message_has_a_kind(title: str, kind: str) -> None:
    assert kind_of(title) == kind


def test_a_sparkline_keeps_peaks_and_fits() -> None:
    assert sparkline([], 10) == ""
    assert sparkline([0, 0, 4, 0, 0, 0], 3) == " █ "
    assert len(sparkline(list(range(997)), 40)) <= 50


def test_numbers_are_said_as_people_say_them() -> None:
    assert [counted(n, "copy") for n in (0, 1, 2)] == ["0 copies", "1 copy", "2 copies"]
    assert counted(3, "Slack message") == "3 Slack messages"


def test_without_a_terminal_each_step_is_a_line_and_the_last_says_if_it_did_not_end() -> None:
    console = Console(file=io.StringIO(), width=40)
    with Display(console) as display:
        display.step("replay [x].csv, with a name that is longer than a line", START)
        display.done("done")
        display.step("wait")
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[0].endswith(
        f"{START:%a %H:%M:%S}  replay [x].csv, with a name that is longer than a line → done"
    )
    assert lines[1].endswith("wait → not finished")


def test_in_a_terminal_it_draws_the_page() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    with Display(console) as display:
        display.step("replay [x].csv", START)
        display.show(seen(START), 3, 2, ["llama is awake. [ok]"])
    told = console.file.getvalue()  # type: ignore[attr-defined]
    for shown in ("replay [x].csv", "sent 3", "answered 2", "llama is awake. [ok]", "AWAKE"):
        assert shown in told
