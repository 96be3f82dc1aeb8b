"""An endpoint whose copies are whole instances, realtime or async: what their two stories share."""

from __future__ import annotations

import time

import pytest

from tests.embedded.stack import Stack

NAME = "llama"
ENDPOINT = f"autoscaler-{NAME}"
VARIANT = f"endpoint/{ENDPOINT}/variant/AllTraffic"
USD_PER_HOUR = 2.61  # of an ml.g6e.xlarge, which has all its copies


def targets(stack: Stack) -> list[tuple[str, int, int]]:
    """What Application Auto Scaling may move, and its bounds."""
    found = stack.account.boto("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="sagemaker"
    )["ScalableTargets"]
    return [(one["ResourceId"], one["MinCapacity"], one["MaxCapacity"]) for one in found]


SCALING = {"max_copies": 3, "keep_alive": "10m"}  # from three copies on bursts are watched


def created(stack: Stack, kind: str) -> None:
    """Applies it; it is awake, scaled by its variant, and has answered the probe."""
    assert stack.apply(NAME, kind=kind, scaling=SCALING)["ok"]
    one = stack.until(NAME, "AWAKE")
    assert (one["observed_copies"], one["kind"]) == (1, kind)
    sagemaker = stack.account.boto("sagemaker")
    assert sagemaker.list_inference_components()["InferenceComponents"] == []
    assert targets(stack) == [(VARIANT, 1, 3)]
    assert stack.account.sagemaker.invocations == 1, "the probe"


def looked_at_asleep(stack: Stack) -> None:
    """What sleeps is looked at in SageMaker every quarter of an hour: it sleeps on."""
    stack.account.clock.jump(1800)
    time.sleep(1.5)
    assert stack.get(NAME)["phase"] == "ASLEEP"


def context_tokens(stack: Stack, config: str) -> str:
    """What the containers of an endpoint config are told."""
    sagemaker = stack.account.boto("sagemaker")
    variant = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"][0]
    model = sagemaker.describe_model(ModelName=variant["ModelName"])
    found: str = model["PrimaryContainer"]["Environment"]["SM_VLLM_MAX_MODEL_LEN"]
    return found


def ledger_agrees(stack: Stack) -> None:
    """It counts from the wish, a little before SageMaker hears of it, and ends a tick late at
    most; never less than was billed."""
    billed = stack.account.sagemaker.billed()
    seconds = sum(gone - asked for *_, asked, gone in billed)
    ledger = float(stack.report()["cost_usd"]) / USD_PER_HOUR * 3600
    assert ledger >= seconds - 2 * stack.longest_tick
    assert ledger == pytest.approx(seconds, abs=2 * len(billed) * stack.longest_tick)


def nothing_left(stack: Stack) -> None:
    """Removes it; SageMaker and Application Auto Scaling have nothing of it."""
    assert stack.command("delete", endpoint=NAME, discard_requests=True)["ok"]
    stack.until(NAME, None)
    sagemaker = stack.account.boto("sagemaker")
    assert sagemaker.list_endpoints()["Endpoints"] == []
    assert sagemaker.list_endpoint_configs()["EndpointConfigs"] == []
    assert sagemaker.list_models()["Models"] == []
    assert targets(stack) == []
