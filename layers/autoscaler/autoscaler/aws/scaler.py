"""Looks at an endpoint's capacity in SageMaker and moves it, bounds by Application Auto Scaling."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from ..endpoints.names import ResourceNames
from ..endpoints.scaling import register_scalable_target, update_copies
from ..policy.types import Bounds
from ..ports import UNKNOWN_TYPE, Capacity, ConflictError
from ..spec import Kind
from .clients import client, error_code, error_message

# States in which an endpoint answers.
_SERVING = {"InService", "Updating", "SystemUpdating", "RollingBack"}
# Of an endpoint, and of a component: Application Auto Scaling may be faster than a tick.
_MOVES = re.compile("in-progress|while it is in status")


def is_absent(error: ClientError) -> bool:
    """True only for SageMaker's own words for "there is no such thing"; any other error is
    neither absent nor there."""
    return error_code(error) == "ValidationException" and "ould not find" in error_message(error)


class SageMakerScaler:
    """Scaler over inference components and variants whose names start with the stack's."""

    def __init__(self, prefix: str, sagemaker: Any = None, scaling: Any = None) -> None:
        self._prefix = prefix
        self._sagemaker = sagemaker or client("sagemaker")
        self._scaling = scaling or client("application-autoscaling")
        self._types: dict[str, str] = {}

    def look(self, name: str, kind: Kind = Kind.COMPONENT, shared: str = "") -> Capacity:
        names = ResourceNames(self._prefix, name, shared=shared)
        try:
            endpoint = self._sagemaker.describe_endpoint(EndpointName=names.endpoint)
        except ClientError as error:
            if is_absent(error):
                return Capacity(exists=False)
            raise
        if kind.is_whole_instance:
            return self._variant(endpoint)
        component = self._component(names)
        copies = component.get("RuntimeConfig", {})
        return Capacity(
            exists=bool(component),
            desired_copies=copies.get("DesiredCopyCount", 0),
            current_copies=copies.get("CurrentCopyCount", 0),
            instances_by_type=self._instances(endpoint),
            status=component.get("InferenceComponentStatus", endpoint["EndpointStatus"]),
            failure=component.get("FailureReason") or endpoint.get("FailureReason"),
            changed_at=_modified(endpoint, component),
        )

    def set_bounds(self, name: str, bounds: Bounds, kind: Kind = Kind.COMPONENT) -> None:
        names = ResourceNames(self._prefix, name)
        self._scaling.register_scalable_target(**register_scalable_target(names, bounds, kind))

    def set_copies(self, name: str, copies: int, kind: Kind = Kind.COMPONENT) -> None:
        names = ResourceNames(self._prefix, name)
        move = (
            self._sagemaker.update_endpoint_weights_and_capacities
            if kind.is_whole_instance
            else self._sagemaker.update_inference_component_runtime_config
        )
        try:
            move(**update_copies(names, copies, kind))
        except ClientError as error:
            if error_code(error) == "ValidationException" and _MOVES.search(error_message(error)):
                raise ConflictError(error_message(error)) from error
            raise

    def _variant(self, endpoint: Mapping[str, Any]) -> Capacity:
        """Copies are instances. While they are being changed those that stay serve; while the
        endpoint is created, or after it failed, none does."""
        status = endpoint["EndpointStatus"]
        variants = endpoint.get("ProductionVariants") or _coming(endpoint)
        desired = sum(variant.get("DesiredInstanceCount", 0) for variant in variants)
        existing = sum(variant.get("CurrentInstanceCount", 0) for variant in variants)
        return Capacity(
            exists=True,
            desired_copies=desired,
            current_copies=min(desired, existing) if status in _SERVING else 0,
            instances_by_type=self._instances(endpoint),
            status=status,
            failure=endpoint.get("FailureReason"),
            changed_at=_modified(endpoint),
        )

    def _instances(self, endpoint: Mapping[str, Any]) -> dict[str, int]:
        """Instances that exist, by type. A variant without pools has the one type of its config,
        which is asked for only when there are instances, and once."""
        count: Counter[str] = Counter()
        for config, variant in deployed(endpoint):
            total = variant.get("CurrentInstanceCount", 0)
            in_pools = _by_pool(variant)
            if sum(in_pools.values()) == total:
                count.update(in_pools)
            elif total:
                named = next(iter(in_pools), "") or variant.get("InstanceType")
                count[named or self._only_type(config)] += total
        return {instance_type: n for instance_type, n in count.items() if n}

    def _only_type(self, config: str) -> str:
        """UNKNOWN_TYPE when somebody deleted the config: the endpoint runs on without it."""
        if config not in self._types:
            try:
                found = self._sagemaker.describe_endpoint_config(EndpointConfigName=config)
            except ClientError as error:
                if is_absent(error):
                    return UNKNOWN_TYPE
                raise
            variant = found["ProductionVariants"][0]
            pools = variant.get("InstancePools", ())
            self._types[config] = variant.get("InstanceType") or pools[0]["InstanceType"]
        return self._types[config]

    def _component(self, names: ResourceNames) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._sagemaker.describe_inference_component(
                InferenceComponentName=names.component
            )
        except ClientError as error:
            if is_absent(error):
                return {}
            raise
        return found


def deployed(endpoint: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each variant that has instances, with the name of its config: those that are there, and those
    of a deployment that goes on. While an endpoint is created SageMaker tells of the latter alone;
    while it is given another config the instances of both are billed."""
    there = endpoint.get("ProductionVariants", ())
    for variant in there:
        yield endpoint.get("EndpointConfigName", ""), variant
    if there and endpoint["EndpointStatus"] == "Creating":
        return  # or the same would be told twice
    for variant in _coming(endpoint):
        yield endpoint["PendingDeploymentSummary"]["EndpointConfigName"], variant


def _coming(endpoint: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = endpoint.get("PendingDeploymentSummary", {}).get(
        "ProductionVariants", ()
    )
    return found


def _modified(*found: Mapping[str, Any]) -> datetime | None:
    """The latest of SageMaker's own times of a modification."""
    times = [one["LastModifiedTime"] for one in found if "LastModifiedTime" in one]
    return max(times).astimezone(UTC) if times else None


def _by_pool(variant: Mapping[str, Any]) -> dict[str, int]:
    pools = variant.get("InstancePools", ())
    return {pool["InstanceType"]: pool.get("CurrentInstanceCount", 0) for pool in pools}
