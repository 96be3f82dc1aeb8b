"""Shared machines when something goes wrong: creations that cross, refusals, no room.

Half an hour of simulated trouble for each: `make soak` runs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.embedded.stack import Stack, deployed, wait_for
from tools.embedded.types import Fault

pytestmark = pytest.mark.soak

A, B = "llama", "qwen"
HOSTED = "autoscaler--pair"
MACHINES: dict[str, Any] = {
    "types": ["ml.g6e.12xlarge"],
    "accelerators_per_copy": 1,
    "shared": "pair",
    "max_instances": 1,
}
WHOLE = {**MACHINES, "accelerators_per_copy": 4}  # a copy fills the machine


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(
        tmp_path_factory.mktemp("account"), WakeSeconds="600", CapacitySeconds="300"
    ) as found:
        yield found


def endpoint_status(stack: Stack) -> str | None:
    found = stack.account.boto("sagemaker").list_endpoints()["Endpoints"]
    return next((one["EndpointStatus"] for one in found if one["EndpointName"] == HOSTED), None)


def apply(stack: Stack, name: str, machines: dict[str, Any] = MACHINES) -> None:
    answer = stack.apply(name, instances=machines, scaling={"max_copies": 1, "keep_alive": "12h"})
    assert answer["ok"], answer


def gone(stack: Stack, *names: str) -> None:
    """Deletes them at the same moment; nothing is left."""
    for name in names:
        assert stack.command("delete", endpoint=name, discard_requests=True)["ok"]
    for name in names:
        stack.until(name, None)
    sagemaker = stack.account.boto("sagemaker")
    assert endpoint_status(stack) is None
    assert stack.instances() == 0
    assert sagemaker.list_inference_components()["InferenceComponents"] == []
    assert sagemaker.list_models()["Models"] == []
    wait_for(
        lambda: sagemaker.list_endpoint_configs()["EndpointConfigs"],
        lambda found: found == [],
        "the config to go",
    )


def answered(stack: Stack, name: str, request_id: str) -> None:
    stack.ask(name, {"id": request_id, "messages": [{"role": "user", "content": "hi"}]})
    assert "answer" in stack.result(name, request_id)


def test_one_of_two_creations_is_cancelled_while_both_wait_for_the_endpoint(stack: Stack) -> None:
    fired = len(stack.account.sagemaker.fired)
    for name in (A, B):
        apply(stack, name)
        stack.account.sagemaker.inject(
            Fault(
                "sagemaker:CreateInferenceComponent",
                "ThrottlingException",
                "Rate exceeded",
                times=14,
                matching={"InferenceComponentName": f"autoscaler-{name}"},
            )
        )
    wait_for(lambda: endpoint_status(stack), bool, "an endpoint")
    assert stack.command("delete", endpoint=A, discard_requests=True)["ok"]
    stack.until(A, None)
    stack.until(B, "AWAKE")
    assert len(stack.account.sagemaker.fired) > fired, "the fault did not fire"
    stack.account.sagemaker.faults.disarm()
    found = stack.account.boto("sagemaker").list_inference_components()["InferenceComponents"]
    assert [one["InferenceComponentName"] for one in found] == [f"autoscaler-{B}"]
    answered(stack, B, "one")


def test_one_is_applied_while_the_last_one_is_removed(stack: Stack) -> None:
    assert stack.command("delete", endpoint=B, discard_requests=True)["ok"]
    apply(stack, A)
    stack.until(B, None)
    stack.until(A, "AWAKE")
    answered(stack, A, "two")


def test_the_config_stays_for_one_that_is_applied_while_the_last_one_is_removed(
    stack: Stack,
) -> None:
    if stack.get(A)["phase"] is None:
        apply(stack, A)
    stack.until(A, "AWAKE")
    (before,) = stack.account.boto("sagemaker").list_endpoint_configs()["EndpointConfigs"]
    fired = len(stack.account.sagemaker.fired)
    slow = Fault(
        "sagemaker:CreateModel",
        "ThrottlingException",
        "Rate exceeded",
        times=14,
        matching={"ModelName": f"autoscaler-{B}"},
    )
    stack.account.sagemaker.inject(slow)  # it needs the config only when the endpoint has gone
    assert stack.command("delete", endpoint=A, discard_requests=True)["ok"]
    wait_for(
        lambda: stack.account.boto("sagemaker").list_inference_components()["InferenceComponents"],
        lambda found: [one["InferenceComponentStatus"] for one in found] == ["Deleting"],
        "its removal to begin",
    )
    apply(stack, B)
    stack.until(A, None)
    stack.until(B, "AWAKE")
    assert len(stack.account.sagemaker.fired) == fired + 14, "the fault did not fire"
    (after,) = stack.account.boto("sagemaker").list_endpoint_configs()["EndpointConfigs"]
    assert after["CreationTime"] == before["CreationTime"]


def test_all_that_share_are_removed_at_the_same_moment(stack: Stack) -> None:
    apply(stack, A)
    stack.until(A, "AWAKE")
    gone(stack, A, B)


@pytest.mark.parametrize(
    "refusal",
    [
        'Could not find model "arn:aws:sagemaker:us-east-1:123456789012:model/autoscaler-llama".',
        'Endpoint "autoscaler--pair" is in status Updating, not InService.',
    ],
)
def test_a_component_that_is_refused_again_and_again_does_not_bill_for_hours(
    stack: Stack, refusal: str
) -> None:
    before = len(stack.account.sagemaker.fired)
    refused = Fault(
        "sagemaker:CreateInferenceComponent",
        "ValidationException",
        refusal,
        times=100_000,
        matching={"InferenceComponentName": f"autoscaler-{A}"},
    )
    stack.account.sagemaker.inject(refused)
    try:
        apply(stack, A)
        failed = stack.until(A, "FAILED")
    finally:
        stack.account.sagemaker.faults.disarm()
    assert len(stack.account.sagemaker.fired) > before, "the fault did not fire"
    assert refusal in failed["failure"]
    assert stack.instances() == 0
    gone(stack, A)


def test_who_finds_no_room_waits_for_it_and_nobody_makes_room(stack: Stack) -> None:
    for name in (A, B):
        apply(stack, name, WHOLE)
        if name == A:
            stack.until(A, "AWAKE")
    waiting = wait_for(
        lambda: stack.get(B), lambda one: "hardware resources" in str(one["failure"]), "no room"
    )
    assert waiting["phase"] == "STAGING", waiting
    assert stack.get(A)["phase"] == "AWAKE"
    assert stack.instances() == 1
    assert stack.command("sleep", endpoint=A)["ok"]
    stack.until(B, "AWAKE")


def test_a_wake_that_finds_no_room_goes_back_to_zero_and_its_request_is_kept(
    stack: Stack,
) -> None:
    stack.ask(A, {"id": "three", "messages": [{"role": "user", "content": "hi"}]})
    wait_for(lambda: stack.get(A), lambda one: "NoCapacity" in str(one["failure"]), "no room")
    assert stack.get(B)["phase"] == "AWAKE"
    assert stack.instances() == 1
    assert stack.command("sleep", endpoint=B)["ok"]
    assert "answer" in stack.result(A, "three")
    gone(stack, A, B)
