"""A copy that is up answers, also when nothing may be put that would scale it."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.policy.types import Phase
from tests.histories.faults import Call, Fault
from tests.histories.forks import in_copy
from tests.histories.scenarios import asleep
from tests.histories.world import World

PUTS = ["monitoring:PutMetricAlarm", "application-autoscaling:PutScalingPolicy"]


def _woken(world: World, denied: str) -> tuple[int, str | None, list[str], list[str], int, Any]:
    def strike(call: Call) -> Fault | None:
        mine = (call.actor, call.name) == ("machine wake-endpoint", denied)
        return Fault.DENIED if mine else None

    asleep(world)
    world.wire.strike = strike
    world.send("one")
    world.run(480)
    wakes = [one for one in world.states.executions.values() if one.flow == "wake-endpoint"]
    ends = [f"{one.status}: {one.cause}" for one in wakes]
    told = world.told("ScalingMissing")
    return len(world.wire.fired), world.phase(), world.answers(), ends, world.instances(), told


@pytest.mark.parametrize("denied", PUTS)
def test_a_wake_that_cannot_be_scaled_answers_at_once_and_is_told(
    empty: World, denied: str
) -> None:
    fired, phase, answers, ends, instances, told = in_copy(lambda: _woken(empty, denied))
    assert fired
    assert (phase, answers, instances) == (Phase.AWAKE, ["one"], 1)
    assert len(ends) == 1, "it was woken once"
    assert ends[0].startswith("FAILED: "), "the dashboard has it"
    assert f"not authorized to perform: {denied}" in ends[0]
    (event,) = told  # nothing watches the dashboard at night
    assert f"not authorized to perform: {denied}" in event["failure"]
