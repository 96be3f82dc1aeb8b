"""SageMaker's own times of a modification, as the ledger closes gaps with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from autoscaler.aws.details import detailed
from autoscaler.aws.scaler import SageMakerScaler
from autoscaler.control.sweep import Kind as SweptKind
from autoscaler.control.sweep import Resource
from autoscaler.spec import Kind
from tests.memory import NOON

ACCOUNT = "arn:aws:sagemaker:us-east-1:123456789012"


@pytest.fixture
def sagemaker() -> Any:
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    return boto3.client("sagemaker", region_name="us-east-1", **keys)


def endpoint(modified: datetime) -> dict[str, Any]:
    return {
        "EndpointName": "stack-llama",
        "EndpointArn": f"{ACCOUNT}:endpoint/stack-llama",
        "EndpointStatus": "InService",
        "CreationTime": NOON - timedelta(days=1),
        "LastModifiedTime": modified,
        "ProductionVariants": [{"VariantName": "all", "CurrentInstanceCount": 0}],
    }


def component(modified: datetime) -> dict[str, Any]:
    return {
        "InferenceComponentName": "stack-llama",
        "InferenceComponentArn": f"{ACCOUNT}:inference-component/stack-llama",
        "EndpointName": "stack-llama",
        "EndpointArn": f"{ACCOUNT}:endpoint/stack-llama",
        "CreationTime": NOON - timedelta(days=1),
        "LastModifiedTime": modified,
        "InferenceComponentStatus": "InService",
    }


@pytest.mark.parametrize("later", ["endpoint", "component"])
def test_the_later_of_endpoint_and_component_counts(sagemaker: Any, later: str) -> None:
    times = {"endpoint": NOON, "component": NOON, later: NOON + timedelta(minutes=7)}
    with Stubber(sagemaker) as stub:
        stub.add_response("describe_endpoint", endpoint(times["endpoint"]))
        stub.add_response("describe_inference_component", component(times["component"]))
        found = SageMakerScaler("stack", sagemaker, object()).look("llama")
    assert found.changed_at == NOON + timedelta(minutes=7)
    assert found.changed_at.tzinfo is UTC


def test_of_whole_instances_the_endpoints_own(sagemaker: Any) -> None:
    with Stubber(sagemaker) as stub:
        stub.add_response("describe_endpoint", endpoint(NOON))
        found = SageMakerScaler("stack", sagemaker, object()).look("llama", Kind.REALTIME)
    assert found.changed_at == NOON


def created(pending: list[dict[str, Any]], status: str, **more: Any) -> dict[str, Any]:
    """An endpoint to which a config is deployed; as DescribeEndpoint has it."""
    summary = {"EndpointConfigName": "stack-llama-b2", "ProductionVariants": pending}
    found = endpoint(NOON) | {"EndpointStatus": status, "EndpointConfigName": "stack-llama"}
    del found["ProductionVariants"]
    return {**found, "PendingDeploymentSummary": summary, **more}


ONE = {"VariantName": "all", "CurrentInstanceCount": 1, "DesiredInstanceCount": 1}
NEW = {**ONE, "InstanceType": "ml.g6e.xlarge"}
POOLED = {**ONE, "InstancePools": [{"InstanceType": "ml.g5.xlarge", "CurrentInstanceCount": 1}]}


@pytest.mark.parametrize(
    ("found", "instances"),
    [
        (created([NEW], "Creating"), {"ml.g6e.xlarge": 1}),
        (created([POOLED], "Creating"), {"ml.g5.xlarge": 1}),
        (created([NEW], "Creating", ProductionVariants=[POOLED]), {"ml.g5.xlarge": 1}),
        # The new ones beside those that still serve.
        (created([NEW], "Updating", ProductionVariants=[POOLED]),
         {"ml.g5.xlarge": 1, "ml.g6e.xlarge": 1}),
    ],
)  # fmt: skip
def test_instances_of_a_deployment_that_goes_on_are_seen(
    sagemaker: Any, found: dict[str, Any], instances: dict[str, int]
) -> None:
    """A start of whom none was seen is given up, and what nobody sees nobody counts."""
    with Stubber(sagemaker) as stub:
        stub.add_response("describe_endpoint", found)
        seen = SageMakerScaler("stack", sagemaker, object()).look("llama", Kind.REALTIME)
    assert seen.instances_by_type == instances
    assert seen.desired_copies == 1, "of either, and not of both together"
    with Stubber(sagemaker) as stub:
        stub.add_response("describe_endpoint", found)
        stub.add_response("list_tags", {"Tags": []})
        told = detailed(lambda _: sagemaker, Resource(SweptKind.ENDPOINT, "stack-llama"))
    assert told.instances == instances, "and by the sweep"
