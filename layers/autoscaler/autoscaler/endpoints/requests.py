"""The requests that create an endpoint, exactly as SageMaker's and Application Auto Scaling's
APIs take them. Pure: Step Functions sends them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..catalog.fit import Placement, choose
from ..catalog.images import Image, image
from ..catalog.instances import instance
from ..catalog.models import ModelFacts
from ..policy.types import Bounds
from ..spec import EndpointSpec, Engine
from .bursts import burst_alarm, put_burst_policy
from .names import ResourceNames
from .scaling import Request, put_scaling_policy, register_scalable_target
from .serving import environment

VARIANT = "AllTraffic"
# More is refused as "not enough hardware resources"; weights live in accelerator memory.
COPY_MEMORY_MIB = 1024
# Time for SageMaker to walk all pools when there is no capacity (300 to 3,600 s are allowed).
PROVISION_SECONDS = 1800
SLOWEST_BYTES_PER_SECOND = 100 * 1024 * 1024  # of weights from S3 to a copy
SHORTEST_STARTUP_SECONDS = 600
LONGEST_STARTUP_SECONDS = 3600


@dataclass(frozen=True)
class Deployment:
    """One request a resource, by what it creates."""

    model: Request
    endpoint_config: Request
    endpoint: Request
    component: Request
    scalable_target: Request
    scaling_policy: Request
    burst_policy: Request
    burst_alarm: Request
    instance_type: str  # the preferred one
    accelerators_per_copy: int
    copies_per_instance: int  # of the listed type that holds the fewest
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
    """Everything that creates the endpoint.

    Raises DoesNotFitError, ServingError, UnknownRegionError or ValueError before anything is made.
    """
    placement = choose(facts, spec)
    container = image(spec.serving.engine, region, spec.serving.image)
    labels = [{"Key": key, "Value": value} for key, value in {**tags, "team": spec.team}.items()]
    return Deployment(
        model=create_model(spec, names, container, placement, weights_uri, role_arn, labels),
        endpoint_config=create_endpoint_config(spec, names, container, placement, role_arn, labels),
        endpoint=create_endpoint(names, labels),
        component=create_inference_component(names, placement, facts, labels),
        scalable_target=register_scalable_target(names, Bounds(1, spec.highest_max_copies)),
        scaling_policy=put_scaling_policy(spec, names),
        burst_policy=put_burst_policy(spec, names),
        burst_alarm=burst_alarm(spec, names),
        instance_type=spec.instances.types[0],
        accelerators_per_copy=placement.accelerators_per_copy,
        copies_per_instance=placement.copies_per_instance,
        explanation=placement.explanation,
    )


def create_model(
    spec: EndpointSpec,
    names: ResourceNames,
    container: Image,
    placement: Placement,
    weights_uri: str,
    role_arn: str,
    labels: list[Request],
) -> Request:
    """An inference component cannot be given a prefix of weights itself; a model can."""
    if not weights_uri.endswith("/"):
        raise ValueError(f"the weights' prefix {weights_uri!r} does not end in /")
    source = {"S3Uri": weights_uri, "S3DataType": "S3Prefix", "CompressionType": "None"}
    return {
        "ModelName": names.model,
        "ExecutionRoleArn": role_arn,
        "PrimaryContainer": {
            "Image": container.uri,
            "ModelDataSource": {"S3DataSource": source},
            "Environment": environment(
                spec,
                placement.accelerators_per_copy,
                has_bfloat16=not _without_bfloat16(spec),
            ),
        },
        "EnableNetworkIsolation": False,
        "Tags": labels,
    }


def create_endpoint_config(
    spec: EndpointSpec,
    names: ResourceNames,
    container: Image,
    placement: Placement,
    role_arn: str,
    labels: list[Request],
) -> Request:
    """A variant without a model, whose instances SageMaker manages down to zero."""
    most = -(-spec.highest_max_copies // placement.copies_per_instance)
    ami = {"InferenceAmiVersion": container.ami} if container.ami else {}
    return {
        "EndpointConfigName": names.config,
        "ExecutionRoleArn": role_arn,
        "ProductionVariants": [
            {
                "VariantName": VARIANT,
                **_machines(spec.instances.types),
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


def _machines(types: tuple[str, ...]) -> Request:
    """One type, or pools in order of preference: a variant has exactly one of the two."""
    if len(types) == 1:
        return {"InstanceType": types[0]}
    pools = [{"InstanceType": name, "Priority": n} for n, name in enumerate(types, 1)]
    return {
        "InstancePools": pools,
        "VariantInstanceProvisionTimeoutInSeconds": PROVISION_SECONDS,
    }


def create_endpoint(names: ResourceNames, labels: list[Request]) -> Request:
    return {
        "EndpointName": names.endpoint,
        "EndpointConfigName": names.config,
        "Tags": labels,
    }


def create_inference_component(
    names: ResourceNames, placement: Placement, facts: ModelFacts, labels: list[Request]
) -> Request:
    """The model on its accelerators, one copy at first; start-up may take what weights need."""
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


def _without_bfloat16(spec: EndpointSpec) -> list[str]:
    return [name for name in spec.instances.types if not instance(name).has_bfloat16]


def surprises(
    spec: EndpointSpec, placement: Placement, container: Image, facts: ModelFacts
) -> Iterable[str]:
    """What is allowed and may yet surprise; each names its field."""
    for name in _without_bfloat16(spec):
        yield f"instances.types: {name} has no bfloat16; the model is served in float16"
    for name, copies in placement.copies_by_type.items():
        if instance(name).usd_per_hour is None:
            yield f"instances.types: the price of {name} is not known, nor what it will cost"
        if copies > spec.highest_max_copies:
            yield (
                f"instances.types: {name} holds {copies} copies and at most "
                f"{spec.highest_max_copies} are ever wanted; a smaller type may cost less"
            )
    if facts.weight_bytes > LONGEST_STARTUP_SECONDS * SLOWEST_BYTES_PER_SECOND:
        least = facts.weight_bytes // LONGEST_STARTUP_SECONDS // 1024**2
        yield (
            f"model.id: {facts.weight_bytes / 1e9:.0f} GB must load at {least} MiB/s or more, "
            f"as SageMaker waits {LONGEST_STARTUP_SECONDS} s at most"
        )
    if spec.serving.engine is Engine.TGI:
        yield "serving.engine: tgi has been in maintenance since 2025-12-11; vllm is its successor"
    if spec.serving.image and container.ami is None:
        yield (
            "serving.image: no machine image is asked for; a CUDA 13 image must have cu13 in its "
            "name, or it dies without a log line"
        )
