"""The kill switch is thrown while weights are staged: they are, and nothing is made of them."""

from __future__ import annotations

from typing import Any

from autoscaler.policy.types import Phase
from tests.histories.forks import in_copy
from tests.histories.world import World

CREATES = ("sagemaker:CreateEndpoint", "sagemaker:CreateInferenceComponent")


def _stopped(world: World) -> dict[str, Any]:
    world.apply()
    assert world.phase() == Phase.STAGING
    world.command("stop", reason="a leaked key")
    begun = world.phase()
    made: list[str] = []
    world.wire.strike = lambda call: made.append(call.name) if call.name in CREATES else None
    world.run(1200)
    record = world.record()
    assert record is not None
    while_stopped = list(made)
    world.command("start")
    world.run(900)
    return {
        "begun": begun,
        "made": while_stopped,
        "then": (record.status.phase, record.status.parked),
        "told": world.told("EndpointFailed"),
        "after": world.phase(),
    }


def test_nothing_is_created_and_it_begins_anew_when_the_switch_is_off(empty: World) -> None:
    found = in_copy(lambda: _stopped(empty))
    assert found["begun"] == Phase.STAGING, "staging goes on"
    assert found["made"] == []
    assert found["then"] == (Phase.FAILED, True)
    assert found["told"] == []
    assert found["after"] == Phase.AWAKE
