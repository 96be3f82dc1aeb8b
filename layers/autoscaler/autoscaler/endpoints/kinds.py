"""What differs by the kind of an endpoint in AWS's APIs: one table, nowhere else. Pure.

Of async endpoints SageMaker publishes neither Invocations nor concurrency (developer guide, "Alarms
and logs for tracking metrics from asynchronous endpoints"); what is in its queue or in work for
each instance is, and is what a copy has to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..policy.types import Bounds
from ..spec import EndpointSpec, Kind
from .names import ResourceNames
from .tags import tags_of

VARIANT = "AllTraffic"
Request = dict[str, Any]

_PER_COPY = "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"
_PER_MODEL = "SageMakerVariantConcurrentRequestsPerModelHighResolution"
_BACKLOG = "ApproximateBacklogSizePerInstance"
_UNMET = "NoCapacityInvocationFailures"
_WITHOUT = "HasBacklogWithoutCapacity"  # requests in SageMaker's own queue, and no instance
_LOG_GROUPS = "/aws/sagemaker/"


@dataclass(frozen=True)
class Manner:
    """How Application Auto Scaling and CloudWatch name what is scaled."""

    dimension: str
    tracked: str | None  # AAS's predefined metric; None: `concurrency`, as a customized one
    concurrency: str  # requests for each copy, as CloudWatch has them
    least: int  # copies below which AAS may not be told to go
    uncovered: str | None  # above zero when requests meet no copy; None: nothing counts them


_COPIES = "sagemaker:inference-component:DesiredCopyCount"
_INSTANCES = "sagemaker:variant:DesiredInstanceCount"
_MANNERS: Mapping[Kind, Manner] = {
    Kind.COMPONENT: Manner(_COPIES, _PER_COPY, "ConcurrentRequestsPerCopy", 0, _UNMET),
    Kind.REALTIME: Manner(_INSTANCES, _PER_MODEL, "ConcurrentRequestsPerModel", 1, None),
    Kind.ASYNC: Manner(_INSTANCES, None, _BACKLOG, 0, _WITHOUT),
}


def manner(kind: Kind) -> Manner:
    return _MANNERS[kind]


def scalable(kind: Kind, names: ResourceNames) -> Request:
    """What Application Auto Scaling moves: the members that every call about it has."""
    return scalable_of(kind, names.base)


def scalable_of(kind: Kind, base: str) -> Request:
    """As `scalable`, of the endpoint or component that is called `base`."""
    variant = f"endpoint/{base}/variant/{VARIANT}"
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": variant if kind.is_whole_instance else f"inference-component/{base}",
        "ScalableDimension": manner(kind).dimension,
    }


def allowed(kind: Kind, bounds: Bounds) -> Bounds:
    """The bounds that AAS takes: a realtime variant has at least one instance, or is deleted."""
    least = manner(kind).least
    return Bounds(max(bounds.min_copies, least), max(bounds.max_copies, least))


def tracking(kind: Kind, names: ResourceNames, target: float) -> Request:
    """Target tracking on what each copy has to do; at 10 s where AWS publishes it so."""
    predefined = manner(kind).tracked
    if predefined is not None:
        metric = {"PredefinedMetricSpecification": {"PredefinedMetricType": predefined}}
        return {"TargetValue": target, **metric}
    return {
        "TargetValue": target,
        "CustomizedMetricSpecification": {
            "Namespace": "AWS/SageMaker",
            "MetricName": manner(kind).concurrency,
            "Dimensions": dimensions(kind, names, manner(kind).concurrency),
            "Statistic": "Average",
        },
    }


def dimensions(kind: Kind, names: ResourceNames, metric: str) -> list[dict[str, str]]:
    """Under which CloudWatch has a metric of the endpoint."""
    if not kind.is_whole_instance:
        return [{"Name": "InferenceComponentName", "Value": names.component}]
    endpoint = {"Name": "EndpointName", "Value": names.endpoint}
    if metric in (_BACKLOG, _WITHOUT):
        return [endpoint]
    return [endpoint, {"Name": "VariantName", "Value": VARIANT}]


def log_group(kind: Kind, names: ResourceNames) -> str:
    """Where SageMaker writes what the containers say."""
    if not kind.is_whole_instance:
        return names.log_group
    return f"{_LOG_GROUPS}Endpoints/{names.endpoint}"


def log_requests(spec: EndpointSpec, names: ResourceNames, ours: Mapping[str, str]) -> Request:
    """`{group, tags}` of that log group, for whoever makes it before a container speaks.

    CloudWatch Logs takes tags as a map, other than SageMaker.
    """
    return {"group": log_group(spec.kind, names), "tags": tags_of(spec, ours)}


def update_copies(kind: Kind, names: ResourceNames, copies: int) -> Request:
    """For UpdateInferenceComponentRuntimeConfig, or UpdateEndpointWeightsAndCapacities of a kind
    whose copies are instances. Bounds first, copies second."""
    if not kind.is_whole_instance:
        return {
            "InferenceComponentName": names.component,
            "DesiredRuntimeConfig": {"CopyCount": copies},
        }
    wanted = {"VariantName": VARIANT, "DesiredInstanceCount": copies}
    return {"EndpointName": names.endpoint, "DesiredWeightsAndCapacities": [wanted]}
