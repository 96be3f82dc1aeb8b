"""A command that is wrong is refused by its field, in a few words, whatever it was filled with."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.runtime import commands
from tests.hostile import CANARY
from tests.memory import memory_world

LARGE = "x" * 300_000
MANY = {f"key-{number}": number for number in range(10_000)}
LONGEST = 400  # characters of an answer with one wrong field


@pytest.fixture(autouse=True)
def _in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    world = memory_world()
    monkeypatch.setattr(commands, "world", lambda: world)


def refused(event: Any) -> list[str]:
    answer = commands.accept(event)
    assert not answer["ok"]
    problems: list[str] = answer["problems"]
    return problems


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"command": LARGE}, "command: "),
        ({"command": "get", LARGE: 1}, "get.xxxx"),
        ({"command": "get", "author": LARGE}, "get.author: "),
        ({"command": "get", "endpoint": LARGE}, "get.endpoint: "),
        ({"command": "wake", "endpoint": LARGE}, "wake.endpoint: "),
        ({"command": "stop", "endpoint": LARGE, "reason": "drill"}, "stop.endpoint: "),
        ({"command": "start", "endpoint": LARGE}, "start.endpoint: "),
        ({"command": "release", "endpoint": "llama", "kind": LARGE}, "release.kind: "),
        ({"command": "budget_set", "changes": {LARGE: 1}}, "budget.xxxx"),
        ({"command": "budget_set", "changes": {"monthly_usd": LARGE}}, "budget.monthly_usd: "),
        ([LARGE], ""),
    ],
    ids=lambda value: f"{value!s:.60}",
)
def test_what_is_too_large_is_named_by_its_field_and_not_repeated(event: Any, field: str) -> None:
    (problem,) = refused(event)
    assert problem.startswith(field) and len(problem) < LONGEST, f"{len(problem)} characters"


@pytest.mark.parametrize("command", [CANARY, "", None, 7, {"a": CANARY}])
def test_a_command_that_is_none_is_told_which_there_are_and_is_not_quoted(command: Any) -> None:
    (problem,) = refused({"command": command})
    assert problem.startswith("command: ") and "'apply'" in problem and CANARY not in problem


def test_a_command_that_is_missing_is_asked_for_by_name() -> None:
    (problem,) = refused({"author": "ana"})
    assert problem.startswith("command: ")


def test_of_ten_thousand_unknown_keys_a_hundred_are_named() -> None:
    problems = refused({"command": "get", **MANY})
    assert len(problems) == 100 and "get.key-0: " in problems[0]
    assert len(refused({"command": "budget_set", "changes": MANY})) == 100
