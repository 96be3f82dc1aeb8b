"""An endpoint that an earlier try left is not taken for the one that is to be created."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.policy.types import Phase
from autoscaler.spec import Kind
from tests.histories.checks import wrong_with
from tests.histories.forks import in_copy
from tests.histories.template import STACK
from tests.histories.world import NAME, World

OURS = f"{STACK}-{NAME}"


def _met(world: World, kind: Kind) -> tuple[str | None, str, int, list[str]]:
    """The same but for its config, made while the creation has not come so far."""
    world.kind = kind
    world.apply()
    sagemaker, there = world.client("sagemaker"), world.sagemaker.world

    def leave(call: Any) -> None:
        if not left and (call.actor, call.operation) == (
            "machine create-capacity",
            "CreateEndpoint",
        ):
            left.append(call)
            config, labels = there.configs[OURS], there.tags[there.arn("endpoint-config", OURS)]
            kept = ("ProductionVariants", "AsyncInferenceConfig", "ExecutionRoleArn")
            made = {key: config[key] for key in kept if key in config}
            tags = [{"Key": key, "Value": value} for key, value in labels.items()]
            sagemaker.create_endpoint_config(EndpointConfigName=f"{OURS}-b9", Tags=tags, **made)
            sagemaker.create_endpoint(EndpointName=OURS, EndpointConfigName=f"{OURS}-b9", Tags=tags)

    left: list[Any] = []
    world.wire.seen.append(leave)
    world.run(900)
    record = world.record()
    failure = (record.status.failure or "") if record else ""
    return world.phase(), failure, world.instances(), wrong_with(world)


@pytest.mark.parametrize("kind", [Kind.REALTIME, Kind.ASYNC])
def test_a_creation_that_meets_another_config_says_so_and_leaves_nothing(
    empty: World, kind: Kind
) -> None:
    phase, failure, instances, wrong = in_copy(lambda: _met(empty, kind))
    assert (phase, instances, wrong) == (Phase.FAILED, 0, [])
    assert "an earlier try left it with another config" in failure
