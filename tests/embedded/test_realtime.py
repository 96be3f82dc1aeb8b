"""A realtime endpoint: its way to zero is its deletion, its config and model stay.

The tests of this file are one story on one stack, told in order.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.embedded.stack import Stack, deployed, wait_for
from tests.embedded.whole_instances import (
    ENDPOINT,
    NAME,
    SCALING,
    VARIANT,
    context_tokens,
    created,
    ledger_agrees,
    looked_at_asleep,
    nothing_left,
    targets,
)

KIND = {"kind": "realtime"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account")) as found:
        yield found


def names(stack: Stack, what: str) -> list[str]:
    """Of SageMaker's endpoints, configs or models."""
    operation, members, name = {
        "endpoints": ("list_endpoints", "Endpoints", "EndpointName"),
        "configs": ("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
        "models": ("list_models", "Models", "ModelName"),
    }[what]
    reply = getattr(stack.account.boto("sagemaker"), operation)()
    return [one[name] for one in reply[members]]


def policies(stack: Stack) -> list[str]:
    found = stack.account.boto("application-autoscaling").describe_scaling_policies(
        ServiceNamespace="sagemaker"
    )["ScalingPolicies"]
    return [
        one["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"][
            "PredefinedMetricType"
        ]
        for one in found
        if one["PolicyType"] == "TargetTrackingScaling"
    ]


def alarms(stack: Stack) -> list[str]:
    found = stack.account.boto("cloudwatch").describe_alarms(AlarmNamePrefix=f"{ENDPOINT}-")
    return sorted(one["AlarmName"].removeprefix(ENDPOINT) for one in found["MetricAlarms"])


def history(stack: Stack) -> str:
    return "\n".join(line["text"] for line in stack.get(NAME)["history"])


def test_a_copy_that_would_not_fill_its_instance_is_refused(stack) -> None:
    share = {"types": ["ml.g6e.12xlarge"], "accelerators_per_copy": 2}
    answer = stack.apply(NAME, **KIND, instances=share)
    assert "2 does not fill the instance (ml.g6e.12xlarge 4)" in answer["problems"][0]


def test_it_is_created_without_a_component_and_scales_by_its_variant(stack) -> None:
    created(stack, **KIND)
    assert policies(stack) == ["SageMakerVariantConcurrentRequestsPerModelHighResolution"]
    assert stack.account.sagemaker.invocations == 1, "the probe"
    assert alarms(stack) == ["-burst", "-oldest-request"]


def test_it_cannot_become_another_kind(stack) -> None:
    answer = stack.apply(NAME, kind="component")
    assert (
        "kind: 'llama' is realtime and cannot become component; delete it"
        in (answer["problems"][0])
    )


def test_asleep_sagemaker_has_no_such_endpoint_and_that_is_no_drift(stack) -> None:
    stack.until(NAME, "ASLEEP")
    assert (stack.instances(), names(stack, "endpoints"), targets(stack)) == (0, [], [])
    assert alarms(stack) == ["-oldest-request"], "what watched a burst went with what may burst"
    assert (names(stack, "configs"), names(stack, "models")) == ([ENDPOINT], [ENDPOINT])
    looked_at_asleep(stack)
    assert "deleted" not in history(stack)


def test_a_message_makes_it_again_and_is_answered(stack) -> None:
    stack.ask(NAME, {"id": "one", "prompt": "x", "max_tokens": 7})
    assert stack.result(NAME, "one")["answer"]["usage"]["completion_tokens"] == 7
    stack.until(NAME, "AWAKE")
    assert targets(stack) == [(VARIANT, 1, 3)]
    assert len(policies(stack)) == 1
    assert alarms(stack) == ["-burst", "-oldest-request"]


def test_deleted_by_somebody_while_awake_it_is_made_again(stack) -> None:
    assert stack.command(
        "hold", endpoint=NAME, seconds=86_400, min_copies=2, reason="test", author="ada"
    )["ok"]
    wait_for(stack.instances, lambda count: count == 2, "the second copy")
    wait_for(
        lambda: stack.account.boto("sagemaker").describe_endpoint(EndpointName=ENDPOINT),
        lambda found: found["EndpointStatus"] == "InService",
        "in service",
    )
    stack.account.boto("sagemaker").delete_endpoint(EndpointName=ENDPOINT)
    wait_for(
        lambda: history(stack),
        lambda told: "Somebody deleted it in SageMaker while the endpoint was awake" in told,
        "the drift",
    )
    stack.until(NAME, "AWAKE")
    wait_for(stack.instances, lambda count: count == 2, "both copies")


def test_an_update_awake_replaces_the_instances_and_asleep_waits_for_the_wake(stack) -> None:
    assert stack.apply(NAME, **KIND, scaling=SCALING, serving={"context_tokens": 4096})["ok"]
    assert stack.get(NAME)["phase"] == "UPDATING"
    stack.until(NAME, "AWAKE")
    assert context(stack) == "4096"
    wait_for(lambda: len(names(stack, "models")), lambda count: count == 1, "one model left")
    assert stack.command("release", endpoint=NAME)["ok"]
    stack.until(NAME, "ASLEEP")
    before = len(stack.account.sagemaker.billed())
    assert stack.apply(NAME, **KIND, scaling=SCALING, serving={"context_tokens": 2048})["ok"]
    stack.until(NAME, "ASLEEP")
    assert context(stack) == "2048"
    assert len(stack.account.sagemaker.billed()) == before, "nothing was started for it"
    stack.ask(NAME, {"id": "two", "prompt": "x", "max_tokens": 3})
    assert stack.result(NAME, "two")["answer"]["usage"]["completion_tokens"] == 3


def context(stack: Stack) -> str:
    """Of the config that the endpoint runs, or will run."""
    (config,) = wait_for(lambda: names(stack, "configs"), lambda found: len(found) == 1, "a config")
    return context_tokens(stack, config)


def test_the_ledger_agrees_with_what_sagemaker_billed(stack) -> None:
    stack.until(NAME, "ASLEEP")
    ledger_agrees(stack)


def test_an_endpoint_that_others_made_of_its_name_while_it_slept_is_left_alone(stack) -> None:
    sagemaker = stack.account.boto("sagemaker")
    (config,) = names(stack, "configs")
    sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName=config)
    stack.account.clock.jump(1800)
    wait_for(lambda: history(stack), lambda told: "is not of this stack" in told, "the reason")
    assert names(stack, "endpoints") == [ENDPOINT]
    assert stack.get(NAME)["phase"] == "SLEEPING"
    sagemaker.delete_endpoint(EndpointName=ENDPOINT)
    stack.until(NAME, "ASLEEP")


def test_removed_nothing_of_it_is_left(stack) -> None:
    nothing_left(stack)
