"""The second line of defence: a burst far above the target moves copies by the step policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from autoscaler.endpoints.bursts import burst_threshold
from tests.embedded.stack import SPEED, Stack, deployed, wait_for
from tests.samples import spec

NAME = "llama"
COMPONENT = f"autoscaler-{NAME}"
SCALING = {"min_copies": 1, "max_copies": 4}
PERIODS_OF_TARGET_TRACKING = 3


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account")) as found:
        assert found.apply(NAME, scaling=SCALING)["ok"]
        found.until(NAME, "AWAKE")
        wait_for(lambda: most_copies(found), lambda most: most == SCALING["max_copies"], "bounds")
        yield found


def most_copies(stack: Stack) -> int:
    (target,) = stack.account.boto("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[f"inference-component/{COMPONENT}"]
    )["ScalableTargets"]
    return target["MaxCapacity"]


def policies(stack: Stack, component: str = COMPONENT) -> dict[str, str]:
    found = stack.account.boto("application-autoscaling").describe_scaling_policies(
        ServiceNamespace="sagemaker", ResourceId=f"inference-component/{component}"
    )["ScalingPolicies"]
    return {policy["PolicyName"]: policy["PolicyARN"] for policy in found}


def alarms(stack: Stack, component: str = COMPONENT) -> list[dict]:
    return stack.account.boto("cloudwatch").describe_alarms(AlarmNames=[f"{component}-burst"])[
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
    """Ticks are held, or now and then the controller would be before both."""
    with stack.without_ticks():
        assert not grown(stack)
        burst_in_whole_periods(stack)
        added, *_ = wait_for(
            lambda: (grown(stack), states(stack), stack.account.scaling.activities[-4:]),
            lambda seen: bool(seen[0]),
            "copies; alarms, activities",
        )
    first = added[0]
    assert f"triggered policy {COMPONENT}-burst" in first.cause
    assert (first.before, first.after) == (1, 2)


def burst_in_whole_periods(stack: Stack) -> None:
    """40 requests at once for the one copy; time stands, and moves by whole periods only, until a
    policy has added copies or had the time for it."""
    account, world = stack.account, stack.account.sagemaker.world
    account.clock.set_speed(0.001)
    try:
        with world.lock:
            (copy,) = world.components[COMPONENT].ready
            since = world.look() - 10  # so that they fill the first period that is published
            for _ in range(40):
                copy.load.admit(since, 10_000)
        # On a busy machine the first periods may be half empty; who is first is the same then.
        for _period in range(4 * PERIODS_OF_TARGET_TRACKING):
            if grown(stack):
                return
            pass_a_period(stack)
    finally:
        account.clock.set_speed(SPEED)


def grown(stack: Stack) -> list[Any]:
    """What policies added, oldest first."""
    return [m for m in stack.account.scaling.activities if m.after > m.before]


def states(stack: Stack) -> list[str]:
    """What the burst alarm says, for whoever reads why nothing was added."""
    return [f"{alarm['StateValue']}: {alarm['StateReason']}" for alarm in alarms(stack)]


def pass_a_period(stack: Stack) -> None:
    """Ten seconds at once, and then until all was published and every alarm was evaluated."""
    account = stack.account
    account.clock.jump(10)
    with account.sagemaker.world.lock:
        account.sagemaker.world.look()
    account.sagemaker.world.flush()
    now = account.clock.time()
    wait_for(lambda: account.pump.ticked, lambda ticked: ticked > now - 10, "the alarms")


def test_it_goes_with_the_endpoint(stack: Stack) -> None:
    assert stack.command("delete", endpoint=NAME)["ok"]
    stack.until(NAME, None)
    assert alarms(stack) == []
    assert policies(stack) == {}


def test_nothing_is_scaled_or_watched_for_bursts_before_its_file_allows_it(stack: Stack) -> None:
    """Policies of one copy could do nothing, and of two target tracking adds the second; alarms are
    paid for by the hour."""
    name, component = "lonely", "autoscaler-lonely"
    tracking, burst = f"{component}-concurrency", f"{component}-burst"
    assert stack.apply(name, scaling={"min_copies": 1, "max_copies": 1})["ok"]
    stack.until(name, "AWAKE")
    assert policies(stack, component) == {} and alarms(stack, component) == []
    assert stack.apply(name, scaling={"min_copies": 1, "max_copies": 2})["ok"]
    wait_for(lambda: set(policies(stack, component)), lambda found: found == {tracking}, "tracking")
    stack.until(name, "AWAKE")
    assert alarms(stack, component) == []
    assert stack.apply(name, scaling={"min_copies": 1, "max_copies": 3})["ok"]
    wait_for(lambda: alarms(stack, component), bool, "the burst alarm")
    assert set(policies(stack, component)) == {tracking, burst}
    stack.until(name, "AWAKE")
