"""Copies that are moved while something else moves them: another look, and no failed tick."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from autoscaler.aws.scaler import SageMakerScaler
from autoscaler.control.reconcile import reconcile
from autoscaler.ports import ConflictError, Load
from autoscaler.spec import Kind
from tests.memory import MemoryScaler, memory_world
from tests.samples import awake, put

OPERATIONS = {
    Kind.COMPONENT: "update_inference_component_runtime_config",
    Kind.REALTIME: "update_endpoint_weights_and_capacities",
}
ARN = "arn:aws:sagemaker:us-east-1:123456789012:inference-component/stack-llama"


def moved(kind: Kind, message: str, code: str = "ValidationException") -> None:
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    sagemaker: Any = boto3.client("sagemaker", region_name="us-east-1", **keys)
    with Stubber(sagemaker) as stub:
        stub.add_client_error(OPERATIONS[kind], code, message)
        SageMakerScaler("stack", sagemaker, object()).set_copies("llama", 2, kind)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Kind.COMPONENT, f'Cannot update component "{ARN}" while it is in status Updating.'),
        (Kind.REALTIME, f'Cannot update in-progress endpoint "{ARN}".'),
    ],
)
def test_what_moves_already_is_looked_at_again(kind: Kind, message: str) -> None:
    with pytest.raises(ConflictError, match="Cannot update"):
        moved(kind, message)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ValidationException", "Could not find inference component"),
        ("AccessDeniedException", "not allowed while it is in status Updating"),
    ],
)
def test_any_other_refusal_fails(code: str, message: str) -> None:
    with pytest.raises(ClientError):
        moved(Kind.COMPONENT, message, code)


class Overtaken(MemoryScaler):
    """Application Auto Scaling moves it between the look and the call."""

    def set_copies(self, name: str, copies: int, kind: Kind = Kind.COMPONENT) -> None:
        raise ConflictError("while it is in status Updating")


def test_a_tick_that_is_overtaken_does_not_fail_and_the_next_one_moves_it() -> None:
    world = memory_world()
    put(world, awake("llama"))
    world.scaler.settle("llama", 1)
    world.load.loads["llama"] = Load(backlog=400, concurrency_per_copy=16.0)
    overtaken = replace(world, scaler=Overtaken(world.scaler.capacities))
    assert reconcile(overtaken).conflicts == ["llama"]
    assert "CopiesChanged" not in world.announcer.kinds(), "nothing was moved"
    assert reconcile(world).conflicts == []
    assert world.scaler.look("llama").desired_copies == 2
    assert "CopiesChanged" in world.announcer.kinds()
