"""Scaling activities: what was moved, when and why."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from tools.embedded.sagemaker.listing import page
from tools.embedded.sagemaker.things import Members
from tools.embedded.sagemaker.world import World
from tools.embedded.scaling.capacity import COPIES, Capacities, Resource, steady

_PAGE = 50
_KEPT = 2000


@dataclass(frozen=True)
class Activity:
    """One move; `cause` ends a sentence."""

    time: float
    resource: Resource
    before: int
    after: int
    cause: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


class Activities:
    """In progress until SageMaker is steady again, when it is the last one of its resource."""

    def __init__(self, world: World, capacities: Capacities) -> None:
        self._world, self._capacities = world, capacities
        self.all: list[Activity] = []

    def add(self, resource: Resource, before: int, after: int, cause: str) -> None:
        self.all.append(Activity(self._world.now, resource, before, after, cause))
        del self.all[:-_KEPT]

    def describe_scaling_activities(self, given: Members) -> Members:
        wanted, dimension = given.get("ResourceId"), given.get("ScalableDimension")
        rows, seen = [], set()
        for activity in reversed(self.all):
            last = activity.resource not in seen
            seen.add(activity.resource)
            same_id = wanted in (None, activity.resource.id)
            if same_id and dimension in (None, activity.resource.dimension):
                rows.append(self._shown(activity, last))
        shown, token = page(rows, given.get("NextToken"), given.get("MaxResults", _PAGE))
        return {"ScalingActivities": shown, "NextToken": token}

    def _shown(self, activity: Activity, last: bool) -> dict[str, Any]:
        copies = activity.resource.dimension == COPIES
        what = "desired copy count" if copies else "desired instance count"
        component = self._capacities.component(activity.resource)
        working = last and component is not None and not steady(component)
        done = f"Successfully set {what} to {activity.after}."
        return {
            "ActivityId": activity.id,
            "ServiceNamespace": "sagemaker",
            "ResourceId": activity.resource.id,
            "ScalableDimension": activity.resource.dimension,
            "Description": f"Setting {what} to {activity.after}.",
            "Cause": activity.cause,
            "StartTime": activity.time,
            "EndTime": None if working else activity.time,
            "StatusCode": "InProgress" if working else "Successful",
            "StatusMessage": f"{done} Waiting for change to be fulfilled by sagemaker."
            if working
            else f"{done} Change successfully fulfilled by sagemaker.",
        }
