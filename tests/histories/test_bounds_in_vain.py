"""Bounds that a tick has set and not stored, for a size that is wanted no more at the next one."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.policy.types import Phase
from tests.histories.faults import Call, Fault
from tests.histories.forks import in_copy
from tests.histories.scenarios import awake
from tests.histories.world import NAME, World

BURST, MINUTES = 150, 75
MOVE = "sagemaker:UpdateInferenceComponentRuntimeConfig"


def _after_a_burst(world: World, fault: Fault) -> dict[str, Any]:
    """A burst is met by more copies, of which one call fails; then a request every few minutes."""

    def strike(call: Call) -> Fault | None:
        first = (call.actor, call.name) == ("reconcile", MOVE) and not world.wire.fired
        return fault if first else None

    awake(world)
    world.wire.strike, before = strike, len(world.events)
    for number in range(BURST):
        world.send(f"b{number}")
    for minute in range(MINUTES):
        world.run(60)
        if minute % 5 == 0:
            world.send(f"s{minute}")
    record = world.record()
    assert record is not None
    scaling = world.client("application-autoscaling")
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    moves = [kind for kind, _ in world.events[before:] if kind == "CopiesChanged"]
    return {
        "fired": len(world.wire.fired),
        "phase": record.status.phase,
        "here": (target["MinCapacity"], target["MaxCapacity"]),
        "stored": (record.status.bounds.min_copies, record.status.bounds.max_copies),
        "copies": world.copies(NAME),
        "moves": len(moves),
    }


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.THROTTLED, Fault.KILLED_BEFORE])
def test_what_a_tick_set_and_could_not_store_does_not_keep_a_second_machine(
    empty: World, fault: Fault
) -> None:
    """SageMaker's own scaling held the copies at the old minimum, against a tick each minute."""
    found = in_copy(lambda: _after_a_burst(empty, fault))
    assert found["fired"] == 1
    assert (found["phase"], found["copies"]) == (Phase.AWAKE, 1)
    assert found["here"] == found["stored"]
    assert found["moves"] <= 4
