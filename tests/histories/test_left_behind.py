"""What a failure left behind is gone within minutes, and no longer booked than it was there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from autoscaler.policy.types import Phase
from tests.histories.checks import booked_seconds, one_flow_a_generation
from tests.histories.forks import in_copy
from tests.histories.scenarios import awake
from tests.histories.template import STACK
from tests.histories.world import NAME, TUESDAY, World


def _lost(world: World) -> tuple[str | None, float, bool, list[str]]:
    """Somebody deletes its inference component; its instance stays."""
    awake(world)
    there = world.sagemaker.world
    there.settings = replace(there.settings, idle_instance=720)  # as long as it takes SageMaker
    world.client("sagemaker").delete_inference_component(InferenceComponentName=f"{STACK}-{NAME}")
    world.run(1500)
    over = booked_seconds(world, NAME) - world.sagemaker.truth.seconds(f"{STACK}-{NAME}")
    used = world.store().usage(TUESDAY, TUESDAY + timedelta(days=1))
    guessed = any(segment.over_gap for segment in used)
    return world.phase(), over, guessed, list(one_flow_a_generation(world))


def test_what_a_failure_left_is_booked_until_it_is_gone(empty: World) -> None:
    phase, over, guessed, doubled = in_copy(lambda: _lost(empty))
    assert (phase, guessed, doubled) == (Phase.FAILED, False, [])
    assert -60 < over <= 120
