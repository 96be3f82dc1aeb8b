"""The endpoint config of a kind whose variant names its model: a copy is an instance. Pure."""

from __future__ import annotations

from ..catalog.images import Image
from ..spec import EndpointSpec, Kind
from .kinds import VARIANT, Request
from .names import ResourceNames

# Time for SageMaker to walk all pools when there is no capacity (300 to 3,600 s are allowed).
PROVISION_SECONDS = 1800


def create_variant_config(
    spec: EndpointSpec,
    names: ResourceNames,
    container: Image,
    seconds: int,
    labels: list[Request],
    late_uri: str,
) -> Request:
    """`seconds` for each part of a start; an async endpoint writes what it has to say under
    `late_uri`, which ends in a slash.

    Network and role are the model's: a config has them for inference components only.
    """
    key = spec.encryption.kms_key
    ami = {"InferenceAmiVersion": container.ami} if container.ami else {}
    variant: Request = {
        "VariantName": VARIANT,
        "ModelName": names.model,
        **machines(spec.instances.types),
        **ami,
        "InitialInstanceCount": 1,
        "ModelDataDownloadTimeoutInSeconds": seconds,
        "ContainerStartupHealthCheckTimeoutInSeconds": seconds,
    }
    if spec.kind is not Kind.ASYNC:
        variant["RoutingConfig"] = {"RoutingStrategy": spec.serving.routing.upper()}
    return {
        "EndpointConfigName": names.config,
        **({"KmsKeyId": key} if key else {}),
        "ProductionVariants": [variant],
        **(_asynchronous(spec, late_uri) if spec.kind is Kind.ASYNC else {}),
        "Tags": labels,
    }


def _asynchronous(spec: EndpointSpec, late_uri: str) -> Request:
    if not late_uri.endswith("/"):
        raise ValueError(f"the prefix of late answers {late_uri!r} does not end in /")
    return {
        "AsyncInferenceConfig": {
            "ClientConfig": {
                "MaxConcurrentInvocationsPerInstance": spec.serving.concurrency_per_copy
            },
            "OutputConfig": {
                "S3OutputPath": f"{late_uri}answers",
                "S3FailurePath": f"{late_uri}failures",
            },
        }
    }


def machines(types: tuple[str, ...]) -> Request:
    """One type, or pools in order of preference: a variant has exactly one of the two."""
    if len(types) == 1:
        return {"InstanceType": types[0]}
    pools = [{"InstanceType": name, "Priority": n} for n, name in enumerate(types, 1)]
    return {
        "InstancePools": pools,
        "VariantInstanceProvisionTimeoutInSeconds": PROVISION_SECONDS,
    }
