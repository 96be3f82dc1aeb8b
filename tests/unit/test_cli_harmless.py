"""What a stack, a model or a sender says is shown by the command line, and acts on no terminal."""

from __future__ import annotations

import re

import pytest

from tests.cli_stub import ENDPOINT, Stub
from tests.unit import test_cli_ask as asking
from tests.unit.test_cli_ask import stack as mailbox  # noqa: F401 - a fixture

ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
HOSTILE = "\x1b[2J\x1b]0;owned\x07 \u202egone\x9b31m"


@pytest.mark.parametrize("output", [(), ("--json",)], ids=["for people", "as JSON"])
def test_an_endpoints_failure_acts_on_no_terminal(stack: Stub, output: tuple[str, ...]) -> None:
    failed = {**ENDPOINT, "phase": "FAILED", "failure": HOSTILE}
    stack.answer = {"ok": True, "result": {"endpoints": [failed], "history": []}}
    ran = stack.run("get", "llama", *output)
    assert "owned" in ran.stdout, ran.output
    assert not ACTS.search(ran.output)


def test_a_refusal_acts_on_no_terminal(stack: Stub) -> None:
    stack.answer = {"ok": False, "error": "OrderError", "problems": [HOSTILE]}
    ran = stack.run("wake", "llama")
    assert ran.exit_code and "owned" in ran.stderr
    assert not ACTS.search(ran.output + ran.stderr)


@pytest.mark.parametrize("output", [(), ("--json",)], ids=["for people", "as JSON"])
def test_an_answer_and_a_reason_act_on_no_terminal(
    mailbox: asking.Stub,  # noqa: F811
    output: tuple[str, ...],
) -> None:
    asking.put("one", answer={"choices": [{"message": {"content": HOSTILE}}]})
    asking.put("two", error=HOSTILE, code="refused_by_model")
    for request_id in ("one", "two"):
        ran = mailbox.run("result", "llama", request_id, *output)
        assert "owned" in ran.output + ran.stderr
        assert not ACTS.search(ran.output + ran.stderr)
