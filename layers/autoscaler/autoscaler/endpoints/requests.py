"""The requests that create an endpoint, exactly as SageMaker's and Application Auto Scaling's
APIs take them. Pure: Step Functions sends them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..catalog.fit import Placement, choose
from ..catalog.images import Image, image
from ..catalog.instances import instance
from ..catalog.loading import SLOWEST_BYTES_PER_SECOND
from ..catalog.models import ModelFacts
from ..catalog.prices import PriceBook, bundled
from ..policy.types import Bounds
from ..spec import EndpointSpec, Engine, Kind, Source
from .acceptance import cautions
from .bursts import burst_alarm, put_burst_policy
from .kinds import VARIANT
from .machines import CAPACITY_SECONDS, at_a_time, machines, provision_seconds
from .names import ResourceNames
from .scaling import Request, put_scaling_policy, register_scalable_target
from .serving import environment
from .sharing import shared_labels
from .tags import STACK, as_labels, tags_of
from .variants import create_variant_config

SHORTEST_STARTUP_SECONDS = 600  # without a measure
LEAST_STARTUP_SECONDS = 60  # that SageMaker takes
MARGIN_OVER_MEASURED = 3
LONGEST_STARTUP_SECONDS = 3600


@dataclass(frozen=True)
class Deployment:
    """One request a resource, by what it creates."""

    kind: Kind
    model: Request
    endpoint_config: Request
    endpoint: Request
    component: Request | None  # of a component alone
    scalable_target: Request
    scaling_policy: Request
    burst_policy: Request
    burst_alarm: Request | None
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
    weights_uri: str | None,
    role_arn: str,
    facts: ModelFacts,
    tags: Mapping[str, str],
    commit: str = "",
    slowest_start_seconds: float | None = None,
    late_uri: str = "",
    capacity_seconds: float = CAPACITY_SECONDS,
) -> Deployment:
    """Everything that creates the endpoint. `weights_uri` None: the container loads `commit`
    from the Hub. `slowest_start_seconds`: of its own cold starts, from an instance to an answer.
    `late_uri`: where an async endpoint puts its answers.

    Raises DoesNotFitError, ServingError, UnknownRegionError or ValueError before anything is made.
    """
    placement = choose(facts, spec)
    container = image(spec.serving.engine, region, spec.serving.image)
    labels = as_labels(tags_of(spec, tags))
    shared = spec.instances.shared
    hosts = as_labels(shared_labels(tags[STACK], shared)) if shared else labels
    weights = _weights(spec, weights_uri, commit)
    seconds = startup_seconds(facts, slowest_start_seconds)
    provision, component = provision_seconds(capacity_seconds), None
    if spec.kind.is_whole_instance:
        config = create_variant_config(spec, names, container, seconds, labels, late_uri, provision)
    else:
        config = create_endpoint_config(
            spec, names, container, placement, role_arn, hosts, provision
        )
        component = create_inference_component(spec, names, placement, seconds, labels)
    bounds = Bounds(1, spec.highest_max_copies)
    return Deployment(
        kind=spec.kind,
        model=create_model(spec, names, container, placement, weights, role_arn, labels),
        endpoint_config=config,
        endpoint=create_endpoint(names, hosts),
        component=component,
        scalable_target=register_scalable_target(names, bounds, spec.kind),
        scaling_policy=put_scaling_policy(spec, names),
        burst_policy=put_burst_policy(spec, names),
        burst_alarm=burst_alarm(spec, names, labels),
        instance_type=spec.instances.types[0],
        accelerators_per_copy=placement.accelerators_per_copy,
        copies_per_instance=placement.copies_per_instance,
        explanation=placement.explanation,
    )


@dataclass(frozen=True)
class Weights:
    """Staged in S3 (`uri` ends in a slash), or at a commit of the Hub."""

    uri: str | None
    commit: str


def _weights(spec: EndpointSpec, uri: str | None, commit: str) -> Weights:
    if (uri is None) != (spec.model.source is Source.HUB):
        raise ValueError(f"model.source is {spec.model.source}, and the weights are at {uri!r}")
    if uri is None and not commit:
        raise ValueError(f"{spec.model.id} is not pinned to a commit")
    if uri is not None and not uri.endswith("/"):
        raise ValueError(f"the weights' prefix {uri!r} does not end in /")
    return Weights(uri, commit)


def create_model(
    spec: EndpointSpec,
    names: ResourceNames,
    container: Image,
    placement: Placement,
    weights: Weights,
    role_arn: str,
    labels: list[Request],
) -> Request:
    """An inference component cannot be given a prefix of weights itself; a model can."""
    variables = environment(
        spec,
        placement.accelerators_per_copy,
        has_bfloat16=not _without_bfloat16(spec),
        commit=weights.commit,
    )
    return {
        "ModelName": names.model,
        "ExecutionRoleArn": role_arn,
        "PrimaryContainer": {
            "Image": container.uri,
            **_model_data(weights),
            "Environment": variables,
        },
        **_network(spec),
        "Tags": labels,
    }


def _model_data(weights: Weights) -> Request:
    if weights.uri is None:
        return {}
    source = {"S3Uri": weights.uri, "S3DataType": "S3Prefix", "CompressionType": "None"}
    return {"ModelDataSource": {"S3DataSource": source}}


def _network(spec: EndpointSpec) -> Request:
    """Of the model, and of the config: that is where inference components take it from."""
    isolation = {"EnableNetworkIsolation": spec.network.isolation}
    vpc = spec.network.vpc
    if vpc is None:
        return isolation
    groups, subnets = list(vpc.security_groups), list(vpc.subnets)
    return {**isolation, "VpcConfig": {"SecurityGroupIds": groups, "Subnets": subnets}}


def create_endpoint_config(
    spec: EndpointSpec,
    names: ResourceNames,
    container: Image,
    placement: Placement,
    role_arn: str,
    labels: list[Request],
    provision_seconds: int,
) -> Request:
    """A variant without a model, whose instances SageMaker manages down to zero."""
    # More than the copies need: an update starts new ones before old ones go.
    copies, each = spec.highest_max_copies, placement.copies_per_instance
    most = -(-copies // each) + -(-at_a_time(copies) // each)
    if spec.instances.max_instances is not None:
        most = spec.instances.max_instances
    ami = {"InferenceAmiVersion": container.ami} if container.ami else {}
    key = spec.encryption.kms_key
    return {
        "EndpointConfigName": names.config,
        "ExecutionRoleArn": role_arn,
        **_network(spec),
        **({"KmsKeyId": key} if key else {}),
        "ProductionVariants": [
            {
                "VariantName": VARIANT,
                **machines(spec.instances.types),
                "VariantInstanceProvisionTimeoutInSeconds": provision_seconds,
                **ami,
                "InitialInstanceCount": 1,
                "ManagedInstanceScaling": {
                    "Status": "ENABLED",
                    "MinInstanceCount": 0,
                    "MaxInstanceCount": most,
                },
                "RoutingConfig": {"RoutingStrategy": spec.serving.routing.upper()},
            }
        ],
        "Tags": labels,
    }


def create_endpoint(names: ResourceNames, labels: list[Request]) -> Request:
    return {
        "EndpointName": names.endpoint,
        "EndpointConfigName": names.config,
        "Tags": labels,
    }


def startup_seconds(facts: ModelFacts, slowest_start_seconds: float | None = None) -> int:
    """How long SageMaker waits for a copy's weights, and then for its first sign of health.

    Of what was measured three times as much: the span has both in it, and a crash that is seen
    late bills all the while. Without a measure, what the weights need at a slow pace.
    """
    if slowest_start_seconds is not None:
        measured = math.ceil(MARGIN_OVER_MEASURED * slowest_start_seconds)
        return min(max(LEAST_STARTUP_SECONDS, measured), LONGEST_STARTUP_SECONDS)
    expected = facts.weight_bytes // SLOWEST_BYTES_PER_SECOND
    return min(max(SHORTEST_STARTUP_SECONDS, 2 * expected), LONGEST_STARTUP_SECONDS)


def create_inference_component(
    spec: EndpointSpec,
    names: ResourceNames,
    placement: Placement,
    seconds: int,
    labels: list[Request],
) -> Request:
    """The model on its accelerators, one copy at first; `seconds` for each part of a start."""
    cpus = spec.instances.cpus_per_copy
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
                "MinMemoryRequiredInMb": spec.instances.memory_mib_per_copy,
                "NumberOfAcceleratorDevicesRequired": placement.accelerators_per_copy,
                **({} if cpus is None else {"NumberOfCpuCoresRequired": cpus}),
            },
            "DataCacheConfig": {"EnableCaching": spec.serving.data_cache},
        },
        "RuntimeConfig": {"CopyCount": 1},
        "Tags": labels,
    }


def _without_bfloat16(spec: EndpointSpec) -> list[str]:
    return [name for name in spec.instances.types if not instance(name).has_bfloat16]


def surprises(
    spec: EndpointSpec,
    placement: Placement,
    container: Image,
    facts: ModelFacts,
    prices: PriceBook | None = None,
) -> Iterable[str]:
    """What is allowed and may yet surprise; each names its field."""
    prices = prices or bundled()
    yield from cautions(spec)
    for name in _without_bfloat16(spec):
        yield f"instances.types: {name} has no bfloat16; the model is served in float16"
    for name, copies in placement.copies_by_type.items():
        if prices.usd_per_hour(name) is None:
            yield f"instances.types: the price of {name} is not known, nor what it will cost"
        if copies > spec.highest_max_copies and not spec.instances.shared:
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
