"""The requests that set up and move an endpoint's scaling. Pure.

`statemachines/remove_capacity.asl.yaml` takes it down.
"""

from __future__ import annotations

from typing import Any

from ..policy.types import Bounds
from ..spec import EndpointSpec
from .names import ResourceNames

NAMESPACE = "sagemaker"
DIMENSION = "sagemaker:inference-component:DesiredCopyCount"
HIGH_RESOLUTION = "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"
# The alarms that target tracking makes: one to grow and one to shrink, at 10 s.
TRACKING_ALARMS_PER_ENDPOINT = 2

Request = dict[str, Any]


def register_scalable_target(names: ResourceNames, bounds: Bounds) -> Request:
    """Creates the target, or moves its bounds: the API is the same."""
    return {
        **target_of(names),
        "MinCapacity": bounds.min_copies,
        "MaxCapacity": bounds.max_copies,
    }


def put_scaling_policy(spec: EndpointSpec, names: ResourceNames) -> Request:
    """High-resolution (10 s) target tracking on concurrent requests per copy."""
    return {
        "PolicyName": names.scaling_policy,
        **target_of(names),
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": spec.target_concurrency,
            "PredefinedMetricSpecification": {"PredefinedMetricType": HIGH_RESOLUTION},
        },
    }


def update_copies(names: ResourceNames, copies: int) -> Request:
    """For UpdateInferenceComponentRuntimeConfig. Bounds first, copies second."""
    return {
        "InferenceComponentName": names.component,
        "DesiredRuntimeConfig": {"CopyCount": copies},
    }


def target_of(names: ResourceNames) -> Request:
    """What is scaled: the copies of an endpoint's inference component."""
    return {
        "ServiceNamespace": NAMESPACE,
        "ResourceId": names.scalable_resource,
        "ScalableDimension": DIMENSION,
    }
