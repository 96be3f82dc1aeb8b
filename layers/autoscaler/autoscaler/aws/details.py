"""What the listings do not tell of a resource: its tags, its instances, its messages, its age."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from ..control.sweep import Kind, Resource
from .clients import error_code
from .scaler import deployed, is_absent

Clients = Callable[[str], Any]
_ABSENT = {
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
    "ResourceNotFound",
}
_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


class GoneError(LookupError):
    """It has gone since it was listed."""


def detailed(clients: Clients, resource: Resource) -> Resource:
    """All that is known of it; raises GoneError, or ClientError when AWS does not tell."""
    try:
        return _READERS[resource.kind](clients, resource)
    except ClientError as error:
        if absent(error):
            raise GoneError(resource.name) from error
        raise


def absent(error: ClientError) -> bool:
    """Whether a service said in its own words that there is no such thing."""
    return is_absent(error) or error_code(error) in _ABSENT


def sagemaker_tags(sagemaker: Any, arn: str) -> dict[str, str]:
    pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
    return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}


def _endpoint(clients: Clients, resource: Resource) -> Resource:
    sagemaker = clients("sagemaker")
    found = sagemaker.describe_endpoint(EndpointName=resource.name)
    config = found["EndpointConfigName"]
    return replace(
        resource,
        arn=found["EndpointArn"],
        parent=config,
        created_at=found["CreationTime"],
        status=found["EndpointStatus"],
        tags=sagemaker_tags(sagemaker, found["EndpointArn"]),
        instances=_instances(sagemaker, deployed(found)),
    )


def _instances(sagemaker: Any, variants: Any) -> dict[str, int]:
    """By type; a variant without pools has the one type that its config names."""
    count: Counter[str] = Counter()
    for config, variant in variants:
        total = variant.get("CurrentInstanceCount", 0)
        pools = {
            pool["InstanceType"]: pool.get("CurrentInstanceCount", 0)
            for pool in variant.get("InstancePools", ())
        }
        if total and sum(pools.values()) == total:
            count.update(pools)
        elif total:
            count[next(iter(pools), "") or _type_of(sagemaker, config, variant)] += total
    return {kind: number for kind, number in count.items() if number}


def _type_of(sagemaker: Any, config: str, variant: Mapping[str, Any]) -> str:
    """Instances are never left out because their type is not known: nor is their price then."""
    if named := variant.get("InstanceType"):
        return str(named)
    try:
        found = sagemaker.describe_endpoint_config(EndpointConfigName=config)
    except ClientError as error:
        if is_absent(error):
            return "an unknown type"
        raise
    types = {one["VariantName"]: one.get("InstanceType") for one in found["ProductionVariants"]}
    return types.get(variant["VariantName"]) or "an unknown type"


def _component(clients: Clients, resource: Resource) -> Resource:
    sagemaker = clients("sagemaker")
    found = sagemaker.describe_inference_component(InferenceComponentName=resource.name)
    return replace(
        resource,
        arn=found["InferenceComponentArn"],
        parent=found["EndpointName"],
        created_at=found["CreationTime"],
        status=found["InferenceComponentStatus"],
        tags=sagemaker_tags(sagemaker, found["InferenceComponentArn"]),
    )


def _config(clients: Clients, resource: Resource) -> Resource:
    sagemaker = clients("sagemaker")
    found = sagemaker.describe_endpoint_config(EndpointConfigName=resource.name)
    arn = found["EndpointConfigArn"]
    tags = sagemaker_tags(sagemaker, arn)
    return replace(resource, arn=arn, created_at=found["CreationTime"], tags=tags)


def _model(clients: Clients, resource: Resource) -> Resource:
    sagemaker = clients("sagemaker")
    found = sagemaker.describe_model(ModelName=resource.name)
    tags = sagemaker_tags(sagemaker, found["ModelArn"])
    return replace(resource, arn=found["ModelArn"], created_at=found["CreationTime"], tags=tags)


def _target(clients: Clients, resource: Resource) -> Resource:
    """Its own tags are nobody's: whose it is, is told by what it scales, if that is still there."""
    word, name = resource.name.split("/")[:2]
    kind = Kind.COMPONENT if word == "inference-component" else Kind.ENDPOINT
    try:
        return replace(resource, tags=detailed(clients, Resource(kind, name)).tags)
    except GoneError:
        return resource


def _queue(clients: Clients, resource: Resource) -> Resource:
    sqs, url = clients("sqs"), resource.arn
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["CreatedTimestamp", *_COUNTS])
    attributes = told["Attributes"]
    return replace(
        resource,
        created_at=datetime.fromtimestamp(float(attributes["CreatedTimestamp"]), UTC),
        messages=sum(int(attributes[name]) for name in _COUNTS),
        tags=sqs.list_queue_tags(QueueUrl=url).get("Tags", {}),
    )


def _mapping(clients: Clients, resource: Resource) -> Resource:
    functions = clients("lambda")
    found = functions.get_event_source_mapping(UUID=resource.name)
    return replace(
        resource,
        status=found["State"] if found["State"] in ("Creating", "Updating", "Deleting") else "",
        tags=functions.list_tags(Resource=resource.arn).get("Tags", {}),
    )


def _alarm(clients: Clients, resource: Resource) -> Resource:
    told = clients("cloudwatch").list_tags_for_resource(ResourceARN=resource.arn)
    return replace(resource, tags={tag["Key"]: tag["Value"] for tag in told["Tags"]})


_READERS: Mapping[Kind, Callable[[Clients, Resource], Resource]] = {
    Kind.ENDPOINT: _endpoint,
    Kind.COMPONENT: _component,
    Kind.CONFIG: _config,
    Kind.MODEL: _model,
    Kind.TARGET: _target,
    Kind.QUEUE: _queue,
    Kind.MAPPING: _mapping,
    Kind.ALARM: _alarm,
}
