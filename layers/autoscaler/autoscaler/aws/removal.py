"""Asks AWS to delete one resource; what is absent already is as good as deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from ..control.sweep import Kind, Resource
from ..endpoints import kinds
from ..spec import Kind as EndpointKind
from .clients import error_code


def remove(clients: Callable[[str], Any], resource: Resource) -> None:
    """One call; what is scaled loses its scalable target first, or that would put a copy back."""
    name = resource.name
    match resource.kind:
        case Kind.COMPONENT:
            _deregister(clients("application-autoscaling"), EndpointKind.COMPONENT, name)
            clients("sagemaker").delete_inference_component(InferenceComponentName=name)
        case Kind.ENDPOINT:
            _deregister(clients("application-autoscaling"), EndpointKind.REALTIME, name)
            clients("sagemaker").delete_endpoint(EndpointName=name)
        case Kind.CONFIG:
            clients("sagemaker").delete_endpoint_config(EndpointConfigName=name)
        case Kind.MODEL:
            clients("sagemaker").delete_model(ModelName=name)
        case Kind.QUEUE:
            clients("sqs").delete_queue(QueueUrl=resource.arn)
        case Kind.MAPPING:
            clients("lambda").delete_event_source_mapping(UUID=name)
        case Kind.ALARM:
            clients("cloudwatch").delete_alarms(AlarmNames=[name])
        case Kind.TARGET:
            raise ValueError(f"the scalable target {name} goes with what it scales")


def _deregister(scaling: Any, kind: EndpointKind, name: str) -> None:
    """Asked once more where there was none: nobody would look for it without what it scales, and
    it would scale the next of that name."""
    for _ in range(2):
        try:
            scaling.deregister_scalable_target(**kinds.scalable_of(kind, name))
            return
        except ClientError as error:
            if error_code(error) != "ObjectNotFoundException":
                raise
