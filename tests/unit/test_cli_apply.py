"""`autoscaler apply` of files: what is sent, in which order, and what a refusal leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli_stub import GOOD, Stub


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


def test_what_is_wrong_in_a_file_does_not_act_on_the_terminal(
    stack: Stub, spec: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(spec.read_text() + '"\\e[31mkey\\nnext": 1\n')
    ran = stack.run("apply", str(wrong))
    assert ran.exit_code == 2
    assert "\x1b" not in ran.output
    assert "\\u001b[31mkey" in ran.output
    assert stack.sent == []
