"""Every answer of `accept_command` says what people asked for, until some time, of the endpoints
that it is about."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, get_args

import pytest

from autoscaler.control.in_force import told_of
from autoscaler.control.plan import Setting
from autoscaler.policy.types import Hold, Override, OverrideKind, Phase
from autoscaler.runtime import commands
from autoscaler.runtime.money_commands import MoneyCommand
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, awake, document, put

UNTIL = NOON + timedelta(hours=6)
HELD = Hold(until=UNTIL, min_copies=2, reason="load test", author="ana")
WARM = Override(OverrideKind.KEEP_WARM, NOON, UNTIL, "a demo", "bo")
ANA = "held at 2 copies or more until 24 Nov 18:00 UTC by ana: load test"
BO = "kept warm until 24 Nov 18:00 UTC by bo: a demo"
LLAMA, BOTH = {"llama": [ANA]}, {"llama": [ANA], "qwen": [BO]}
OVERRIDE = {"endpoint": "llama", "seconds": 60, "reason": "why"}

# What is sent, whether it is carried out, and what the answer says of whom.
EVERY_COMMAND: list[tuple[dict[str, Any], bool, dict[str, list[str]]]] = [
    ({"command": "get"}, True, BOTH),
    ({"command": "get", "endpoint": "llama"}, True, LLAMA),
    ({"command": "get", "endpoint": "small"}, True, {}),
    ({"command": "get", "endpoint": "nobody"}, False, {}),
    ({"command": "plan", "document": document("llama")}, True, LLAMA),
    ({"command": "plan", "document": {"name": "llama"}}, False, {}),
    ({"command": "apply", "document": document("llama")}, True, LLAMA),
    ({"command": "wake", "endpoint": "llama"}, True, LLAMA),
    ({"command": "sleep", "endpoint": "llama"}, False, LLAMA),
    ({"command": "sleep", "endpoint": "small"}, True, {}),
    ({"command": "retry", "endpoint": "llama"}, False, LLAMA),
    ({"command": "release", "endpoint": "llama", "kind": "keep_warm"}, True, LLAMA),
    ({"command": "release", "endpoint": "qwen"}, True, {}),
    ({"command": "hold", "min_copies": 1, **OVERRIDE}, False, LLAMA),
    ({"command": "override", "kind": "sleep_until", **OVERRIDE}, False, LLAMA),
    ({"command": "delete", "endpoint": "llama"}, True, LLAMA),
    ({"command": "budget"}, True, BOTH),
    ({"command": "budget_set", "changes": {"monthly_usd": "5000"}}, True, BOTH),
    ({"command": "stop", "reason": "a drill"}, True, BOTH),
    ({"command": "stop", "reason": "a drill", "endpoint": "llama"}, True, LLAMA),
    ({"command": "start"}, False, BOTH),
]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> MemoryWorld:
    """`llama` is held, `qwen` is kept warm, nobody asked for anything of `small`."""
    world = memory_world()
    put(world, awake("llama", hold=HELD))
    put(world, asleep("qwen", overrides=(WARM,)))
    put(world, asleep("small"))
    setting = Setting("stack", "UTC", "us-east-1", lambda model, revision: "c" * 40)
    monkeypatch.setattr(commands, "world", lambda: world)
    monkeypatch.setattr(commands, "_setting", lambda: setting)
    return world


@pytest.mark.parametrize(("sent", "carried_out", "in_force"), EVERY_COMMAND)
def test_an_answer_says_what_is_in_force(world, sent, carried_out, in_force) -> None:
    answer = commands.accept(sent)
    assert (answer["ok"], answer["in_force"]) == (carried_out, in_force), answer


def test_no_command_is_left_out() -> None:
    kinds = (*get_args(commands.Command), *get_args(MoneyCommand))
    known = {
        name
        for kind in kinds
        if hasattr(kind, "model_fields")
        for name in get_args(kind.model_fields["command"].annotation)
    }
    assert {sent["command"] for sent, _, _ in EVERY_COMMAND} == known


def test_what_the_command_itself_asked_for_is_in_its_answer(world) -> None:
    sent = {"command": "hold", "endpoint": "small", "min_copies": 1, "author": "eve"}
    answer = commands.accept({**sent, "seconds": 3600, "reason": "a look"})
    assert answer["result"]["phase"] == Phase.WAKING
    assert answer["in_force"] == {
        "small": ["held at 1 copy or more until 24 Nov 13:00 UTC by eve: a look"]
    }


def test_what_is_over_is_not_told(world) -> None:
    world.clock.forward(hours=7)
    assert commands.accept({"command": "get"})["in_force"] == {}
    assert told_of(world.store.records["llama"].status, world.clock.now()) == ()
