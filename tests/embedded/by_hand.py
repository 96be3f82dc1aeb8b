"""Resources that somebody made in the account without the stack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.embedded.stack import Stack, wait_for

ROLE = "arn:aws:iam::123456789012:role/by-hand"
IMAGE = {"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/x:1"}
EVERYTHING = {"endpoint", "endpoint config", "model", "inference component"}
_LISTS = (
    ("endpoint", "list_endpoints", "Endpoints", "EndpointName"),
    ("endpoint config", "list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
    ("model", "list_models", "Models", "ModelName"),
    (
        "inference component",
        "list_inference_components",
        "InferenceComponents",
        "InferenceComponentName",
    ),
)


def names(stack: Stack, name: str) -> set[str]:
    """What SageMaker has of a name."""
    sagemaker = stack.account.boto("sagemaker")
    return {
        kind
        for kind, operation, members, member in _LISTS
        for row in getattr(sagemaker, operation)()[members]
        if row[member] == name
    }


def make(stack: Stack, kind: str, name: str, tags: Mapping[str, str]) -> None:
    """One resource, with what it needs of the same name and tags."""
    sagemaker = stack.account.boto("sagemaker")
    labels = [{"Key": key, "Value": value} for key, value in tags.items()]
    if kind == "queue":
        stack.account.boto("sqs").create_queue(QueueName=name, tags=dict(tags))
    elif kind == "model":
        sagemaker.create_model(
            ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=IMAGE, Tags=labels
        )
    elif kind == "endpoint config":
        variant = {"VariantName": "v", "InstanceType": "ml.g6e.xlarge", "InitialInstanceCount": 1}
        sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ExecutionRoleArn=ROLE,
            ProductionVariants=[variant],
            Tags=labels,
        )
    elif kind == "endpoint":
        make(stack, "endpoint config", name, tags)
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name, Tags=labels)
        _in_service(lambda: sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"], kind)
    else:
        make(stack, "model", name, tags)
        make(stack, "endpoint", name, tags)
        _make_component(stack, name, labels)


def _make_component(stack: Stack, name: str, labels: list[dict[str, str]]) -> None:
    sagemaker = stack.account.boto("sagemaker")
    needs = {"MinMemoryRequiredInMb": 1024, "NumberOfAcceleratorDevicesRequired": 1}
    sagemaker.create_inference_component(
        InferenceComponentName=name,
        EndpointName=name,
        VariantName="v",
        Specification={"ModelName": name, "ComputeResourceRequirements": needs},
        RuntimeConfig={"CopyCount": 1},
        Tags=labels,
    )

    def status() -> str:
        found = sagemaker.describe_inference_component(InferenceComponentName=name)
        return found["InferenceComponentStatus"]

    _in_service(status, "inference component")


def _in_service(status: Any, kind: str) -> None:
    wait_for(status, lambda seen: seen == "InService", f"the {kind} made by hand")


def unmake(stack: Stack, name: str) -> None:
    """All of a name that SageMaker and SQS have."""
    sagemaker, sqs = stack.account.boto("sagemaker"), stack.account.boto("sqs")
    there = names(stack, name)
    if "inference component" in there:
        sagemaker.delete_inference_component(InferenceComponentName=name)
        wait_for(
            lambda: names(stack, name), lambda left: "inference component" not in left, "its end"
        )
    if "endpoint" in there:
        sagemaker.delete_endpoint(EndpointName=name)
        wait_for(lambda: names(stack, name), lambda left: "endpoint" not in left, "its end")
    if "endpoint config" in there:
        sagemaker.delete_endpoint_config(EndpointConfigName=name)
    if "model" in there:
        sagemaker.delete_model(ModelName=name)
    for url in sqs.list_queues(QueueNamePrefix=name).get("QueueUrls", ()):
        sqs.delete_queue(QueueUrl=url)
