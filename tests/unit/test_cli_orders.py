"""Orders and overrides by the command line: what is sent and shown."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.runtime.commands import COMMANDS
from tests.cli_stub import Stub


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


def test_delete_asks_first(stack: Stub) -> None:
    stack.answer = {"ok": True, "result": {"endpoint": "llama", "phase": "RETIRING"}}
    assert stack.run("delete", "llama", stdin="n\n").exit_code == 1
    assert stack.sent == []
    assert stack.run("delete", "llama", stdin="y\n").exit_code == 0
    assert stack.run("delete", "llama", "--yes", "--discard-requests").exit_code == 0
    assert [sent["discard_requests"] for sent in stack.sent] == [False, True]
    assert stack.run("delete", "llama", "--yes", "--weights").exit_code == 0
    assert [sent.get("discard_weights") for sent in stack.sent] == [None, None, True]
