"""Our policy in the simulator is the stack's: the same functions, not others like them."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import pytest

import autoscaler.replay.ours as simulator
from autoscaler import policy
from autoscaler.control import decide_and_act, observe
from autoscaler.policy import DEFAULT_LEAD_TIME
from autoscaler.replay.engine import simulate
from autoscaler.replay.ours import TICK_SECONDS, Ours
from tests.simulated import LEAD, SMALL, a_trace
from tests.unit.policy_cases import EVERY_DAY, a_spec


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


def test_a_closed_window_is_kept_in_a_simulation_and_what_waited_is_answered_at_its_end() -> None:
    """A request every ten minutes of a day; closed from two to five."""
    night = {"name": "night", "days": EVERY_DAY, "start": "02:00", "end": "05:00", "max_copies": 0}
    hour = 3600.0
    trace = a_trace(*(600.0 * n for n in range(1, 6 * 24)))
    run = simulate(trace, replace(SMALL, max_copies=2), Ours(a_spec(windows=[night])))
    assert (run.answered, run.lost) == (len(trace), 0)
    # No start was measured before: it is thought to take what a small model's does.
    asleep_at, woken_at = 2 * hour, 5 * hour - DEFAULT_LEAD_TIME.total_seconds() - TICK_SECONDS
    inside = [point for point in run.points if asleep_at <= point.at < 5 * hour]
    down, up = inside[0], inside[1]
    assert (down.at, down.desired) == (asleep_at, 0)
    assert woken_at <= up.at <= woken_at + TICK_SECONDS
    assert up.at + LEAD < 5 * hour, "so that it serves at five"
    assert 1.5 * hour < run.p99_seconds < 3 * hour, "17 of the 143 came in it"
