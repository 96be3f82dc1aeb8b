"""The second line of defence: a burst far above the target moves copies by the step policy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from autoscaler.endpoints.bursts import burst_threshold
from tests.embedded.stack import Stack, deployed, wait_for
from tests.samples import spec

NAME = "llama"
COMPONENT = f"autoscaler-{NAME}"
SCALING = {"min_copies": 1, "max_copies": 4}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account")) as found:
        assert found.apply(NAME, scaling=SCALING)["ok"]
        found.until(NAME, "AWAKE")
        yield found


def policies(stack: Stack) -> dict[str, str]:
    found = stack.account.boto("application-autoscaling").describe_scaling_policies(
        ServiceNamespace="sagemaker", ResourceId=f"inference-component/{COMPONENT}"
    )["ScalingPolicies"]
    return {policy["PolicyName"]: policy["PolicyARN"] for policy in found}


def alarms(stack: Stack) -> list[dict]:
    return stack.account.boto("cloudwatch").describe_alarms(AlarmNames=[f"{COMPONENT}-burst"])[
        "MetricAlarms"
    ]


def test_it_is_made_with_the_endpoint_and_its_alarm_calls_it(stack: Stack) -> None:
    (alarm,) = alarms(stack)
    assert alarm["AlarmActions"] == [policies(stack)[f"{COMPONENT}-burst"]]
    assert (alarm["Period"], alarm["EvaluationPeriods"]) == (10, 1)
    assert alarm["Threshold"] == burst_threshold(spec(NAME, scaling=SCALING)) == 32


def test_a_burst_far_above_the_target_adds_copies_before_target_tracking_does(
    stack: Stack,
) -> None:
    account = stack.account
    account.clock.set_speed(4)  # so that three periods of 10 s are no matter of milliseconds
    world = account.sagemaker.world
    with world.lock:
        (copy,) = world.components[COMPONENT].ready
        for _ in range(40):
            copy.load.admit(world.look(), 10_000)
    moves = wait_for(
        lambda: [m for m in account.scaling.activities if m.after > m.before], bool, "a move"
    )
    assert f"triggered policy {COMPONENT}-burst" in moves[0].cause
    assert (moves[0].before, moves[0].after) == (1, 2)
    account.clock.set_speed(90)


def test_it_goes_with_the_endpoint(stack: Stack) -> None:
    assert stack.command("delete", endpoint=NAME)["ok"]
    stack.until(NAME, None)
    assert alarms(stack) == []
    assert policies(stack) == {}
