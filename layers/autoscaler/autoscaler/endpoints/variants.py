"""The endpoint config of a kind whose variant names its model: a copy is an instance. Pure."""

from __future__ import annotations

from ..catalog.images import Image
from ..spec import EndpointSpec, Kind
from .kinds import VARIANT, Request
from .machines import machines
from .names import ResourceNames


def create_variant_config(
    spec: EndpointSpec,
    names: ResourceNames,
    container: Image,
    seconds: int,
    labels: list[Request],
    late_uri: str,
    provision_seconds: int,
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
        # No endpoint is deleted while it is being created: SageMaker must have given up by then.
        "VariantInstanceProvisionTimeoutInSeconds": provision_seconds,
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
