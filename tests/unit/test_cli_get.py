"""`autoscaler get`, and what is in force: every command tells it of the endpoints it is about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli_stub import ENDPOINT, Stub


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
