"""Scalable targets: register (which clamps at once), describe, deregister; and their tags.

Moves of capacity all go through `TargetApi.move`, which writes the activity.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tools.embedded.sagemaker.listing import page
from tools.embedded.sagemaker.things import Members
from tools.embedded.sagemaker.world import World
from tools.embedded.scaling.activities import Activities
from tools.embedded.scaling.capacity import Capacities, Resource
from tools.embedded.shapes import ServiceError, invalid

_ROLE = (
    "arn:aws:iam::{}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)
_PAGE = 50
_SUSPENDED = (
    "DynamicScalingInSuspended",
    "DynamicScalingOutSuspended",
    "ScheduledScalingSuspended",
)


@dataclass(eq=False)
class Target:
    """Bounds of a resource's capacity."""

    resource: Resource
    arn: str
    created: float
    low: int
    high: int
    suspended: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(_SUSPENDED, False))
    tags: dict[str, str] = field(default_factory=dict)


class TargetApi:
    """All methods want the world's lock to be held."""

    def __init__(self, world: World, capacities: Capacities, activities: Activities) -> None:
        self._world, self._capacities, self._activities = world, capacities, activities
        self._targets: dict[Resource, Target] = {}
        self.on_deregister: list[Callable[[Resource], None]] = []

    def find(self, resource: Resource) -> Target | None:
        return self._targets.get(resource)

    def require(self, resource: Resource) -> Target:
        """Raises ServiceError when it is not registered."""
        target = self._targets.get(resource)
        if target is None:
            raise ServiceError(
                "ObjectNotFoundException",
                "No scalable target registered for service namespace: sagemaker, resource ID: "
                f"{resource.id}, scalable dimension: {resource.dimension}",
            )
        return target

    def resource(self, given: Members) -> Resource:
        return self._capacities.resource(
            given["ServiceNamespace"], given["ResourceId"], given["ScalableDimension"]
        )

    def move(self, resource: Resource, count: int, cause: str) -> None:
        """Sets the capacity, if it is another, and writes it down."""
        component = self._capacities.component(resource)
        if component is not None and component.desired != count:
            self._activities.add(resource, component.desired, count, cause)
            self._capacities.set(component, count)

    def clamp(self, target: Target, cause: str) -> None:
        """Brings the capacity inside the bounds."""
        component = self._capacities.component(target.resource)
        if component is not None:
            inside = min(max(component.desired, target.low), target.high)
            self.move(target.resource, inside, cause)

    def register_scalable_target(self, given: Members) -> Members:
        resource = self.resource(given)
        component = self._capacities.require(resource)
        target = self._targets.get(resource)
        low = given.get("MinCapacity", target.low if target else None)
        high = given.get("MaxCapacity", target.high if target else None)
        if low is None or high is None:
            raise invalid("MinCapacity and MaxCapacity are required for a new scalable target.")
        least = self._capacities.least_possible(component)
        if low < least:
            raise invalid(f"Minimum capacity {low} must be at least {least} for {resource.id}.")
        if low > high:
            raise invalid("Maximum capacity cannot be less than minimum capacity")
        if target is None:
            target = Target(resource, self._arn(), self._world.now, low, high)
            self._targets[resource] = target
            self._world.scaled.add(resource.id)
        target.low, target.high = low, high
        target.suspended.update(given.get("SuspendedState", {}))
        target.tags.update(given.get("Tags", {}))
        self.clamp(target, "the bounds of the scalable target were changed")
        return {"ScalableTargetARN": target.arn}

    def describe_scalable_targets(self, given: Members) -> Members:
        ids, dimension = given.get("ResourceIds"), given.get("ScalableDimension")
        if given["ServiceNamespace"] != "sagemaker":
            return {"ScalableTargets": []}
        found = [
            self._shown(target)
            for target in self._targets.values()
            if (not ids or target.resource.id in ids)
            and dimension in (None, target.resource.dimension)
        ]
        rows, token = page(found, given.get("NextToken"), given.get("MaxResults", _PAGE))
        return {"ScalableTargets": rows, "NextToken": token}

    def deregister_scalable_target(self, given: Members) -> Members:
        target = self.require(self.resource(given))
        del self._targets[target.resource]
        self._world.scaled.discard(target.resource.id)
        for listener in self.on_deregister:
            listener(target.resource)
        return {}

    def tag_resource(self, given: Members) -> Members:
        self._tagged(given["ResourceARN"]).tags.update(given["Tags"])
        return {}

    def untag_resource(self, given: Members) -> Members:
        tags = self._tagged(given["ResourceARN"]).tags
        for key in given["TagKeys"]:
            tags.pop(key, None)
        return {}

    def list_tags_for_resource(self, given: Members) -> Members:
        return {"Tags": dict(self._tagged(given["ResourceARN"]).tags)}

    def _tagged(self, arn: str) -> Target:
        for target in self._targets.values():
            if target.arn == arn:
                return target
        raise ServiceError("ResourceNotFoundException", f"The resource does not exist: {arn}")

    def _arn(self) -> str:
        where = f"{self._world.region}:{self._world.account_id}"
        return f"arn:aws:application-autoscaling:{where}:scalable-target/{uuid.uuid4().hex}"

    def _shown(self, target: Target) -> dict[str, Any]:
        return {
            "ServiceNamespace": "sagemaker",
            "ResourceId": target.resource.id,
            "ScalableDimension": target.resource.dimension,
            "MinCapacity": target.low,
            "MaxCapacity": target.high,
            "RoleARN": _ROLE.format(self._world.account_id),
            "CreationTime": target.created,
            "SuspendedState": dict(target.suspended),
            "ScalableTargetARN": target.arn,
        }
