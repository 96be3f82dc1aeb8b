"""The requests that create an endpoint, exactly as SageMaker's and Application Auto Scaling's
APIs take them. Pure: Step Functions sends them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..catalog.fit import Placement, choose
from ..catalog.images import Image, image
from ..catalog.models import ModelFacts
from ..spec import EndpointSpec
from .names import ResourceNames
from .serving import environment

VARIANT = "AllTraffic"
DIMENSION = "sagemaker:inference-component:DesiredCopyCount"
HIGH_RESOLUTION = "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"
# More is refused as "not enough hardware resources"; weights live in accelerator memory.
COPY_MEMORY_MIB = 1024
SLOWEST_BYTES_PER_SECOND = 100 * 1024 * 1024  # of weights from S3 to a copy
SHORTEST_STARTUP_SECONDS = 600
LONGEST_STARTUP_SECONDS = 3600

Request = dict[str, Any]


@dataclass(frozen=True)
class Deployment:
    """One request a resource, by what it creates."""

    model: Request
    endpoint_config: Request
    endpoint: Request
    component: Request
    scalable_target: Request
    scaling_policy: Request
    copies_per_instance: int
    explanation: str

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, for a state machine."""
        return asdict(self)


def deployment(
    spec: EndpointSpec,
    names: ResourceNames,
    *,
    region: str,
    weights_uri: str,
    role_arn: str,
    facts: ModelFacts,
    tags: Mapping[str, str],
) -> Deployment:
    """Everything that creates the endpoint; raises DoesNotFitError or ServingError first."""
    placement = choose(facts, spec)
    container = image(spec.serving.engine, region, spec.serving.image)
    labels = [{"Key": key, "Value": value} for key, value in {**tags, "team": spec.team}.items()]
    return Deployment(
        model=_model(spec, names, container, weights_uri, role_arn, placement, labels),
        endpoint_config=_config(spec, names, container, role_arn, placement, labels),
        endpoint={
            "EndpointName": names.endpoint,
            "EndpointConfigName": names.config,
            "Tags": labels,
        },
        component=_component(names, placement, facts, labels),
        scalable_target={
            "ServiceNamespace": "sagemaker",
            "ResourceId": names.scalable_resource,
            "ScalableDimension": DIMENSION,
            "MinCapacity": 1,
            "MaxCapacity": spec.highest_max_copies,
        },
        scaling_policy=_policy(spec, names),
        copies_per_instance=placement.copies_per_instance,
        explanation=placement.explanation,
    )


def _model(
    spec: EndpointSpec,
    names: ResourceNames,
    container: Image,
    weights_uri: str,
    role_arn: str,
    placement: Placement,
    labels: list[Request],
) -> Request:
    source = {"S3Uri": weights_uri, "S3DataType": "S3Prefix", "CompressionType": "None"}
    return {
        "ModelName": names.model,
        "ExecutionRoleArn": role_arn,
        "PrimaryContainer": {
            "Image": container.uri,
            "ModelDataSource": {"S3DataSource": source},
            "Environment": environment(spec, placement.accelerators_per_copy),
        },
        "Tags": labels,
    }


def _config(
    spec: EndpointSpec,
    names: ResourceNames,
    container: Image,
    role_arn: str,
    placement: Placement,
    labels: list[Request],
) -> Request:
    most = -(-spec.highest_max_copies // placement.copies_per_instance)
    types = spec.instances.types
    machines: Request = {"InstanceType": types[0]}
    if len(types) > 1:
        pools = [{"InstanceType": name, "Priority": n} for n, name in enumerate(types, 1)]
        machines = {"InstancePools": pools}
    ami = {"InferenceAmiVersion": container.ami} if container.ami else {}
    return {
        "EndpointConfigName": names.config,
        "ExecutionRoleArn": role_arn,
        "ProductionVariants": [
            {
                "VariantName": VARIANT,
                **machines,
                **ami,
                "InitialInstanceCount": 1,
                "ManagedInstanceScaling": {
                    "Status": "ENABLED",
                    "MinInstanceCount": 0,
                    "MaxInstanceCount": most,
                },
                "RoutingConfig": {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"},
            }
        ],
        "Tags": labels,
    }


def _component(
    names: ResourceNames, placement: Placement, facts: ModelFacts, labels: list[Request]
) -> Request:
    expected = facts.weight_bytes // SLOWEST_BYTES_PER_SECOND
    seconds = min(max(SHORTEST_STARTUP_SECONDS, 2 * expected), LONGEST_STARTUP_SECONDS)
    return {
        "InferenceComponentName": names.component,
        "EndpointName": names.endpoint,
        "VariantName": VARIANT,
        "Specification": {
            "ModelName": names.model,
            "StartupParameters": {
                "ModelDataDownloadTimeoutInSeconds": seconds,
                "ContainerStartupHealthCheckTimeoutInSeconds": seconds,
            },
            "ComputeResourceRequirements": {
                "MinMemoryRequiredInMb": COPY_MEMORY_MIB,
                "NumberOfAcceleratorDevicesRequired": placement.accelerators_per_copy,
            },
            "DataCacheConfig": {"EnableCaching": True},
        },
        "RuntimeConfig": {"CopyCount": 1},
        "Tags": labels,
    }


def _policy(spec: EndpointSpec, names: ResourceNames) -> Request:
    return {
        "PolicyName": f"{names.component}-concurrency",
        "ServiceNamespace": "sagemaker",
        "ResourceId": names.scalable_resource,
        "ScalableDimension": DIMENSION,
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": spec.target_concurrency,
            "PredefinedMetricSpecification": {"PredefinedMetricType": HIGH_RESOLUTION},
        },
    }
