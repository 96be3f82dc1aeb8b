"""Our policy in the simulator is the stack's: the same functions, not others like them."""

from __future__ import annotations

from types import ModuleType

import pytest

import tools.simulator.ours as simulator
from autoscaler import policy
from autoscaler.control import decide_and_act, observe


@pytest.mark.parametrize(
    ("name", "users"),
    [
        ("decide", [simulator, decide_and_act]),
        ("learn", [simulator, observe]),
        ("remember", [simulator, decide_and_act]),
    ],
)
def test_the_simulator_and_the_stack_call_the_very_same_function(
    name: str, users: list[ModuleType]
) -> None:
    for user in users:
        assert getattr(user, name) is getattr(policy, name), user.__name__
