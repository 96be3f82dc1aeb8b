"""Scheduled actions: at, rate and cron in an IANA time zone; they move bounds, then capacity."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from tools.embedded.pump.cron import CronError
from tools.embedded.pump.expressions import Timetable, parse_expression
from tools.embedded.sagemaker.listing import page
from tools.embedded.sagemaker.things import Members
from tools.embedded.sagemaker.world import World
from tools.embedded.scaling.capacity import Resource
from tools.embedded.scaling.targets import TargetApi
from tools.embedded.shapes import ServiceError, invalid

_PAGE = 50


@dataclass(eq=False)
class Scheduled:
    """Replaced as a whole when it is put again: an entry of the agenda then knows it is old."""

    name: str
    resource: Resource
    arn: str
    created: float
    given: Members
    timetable: Timetable


class ScheduleApi:
    """All methods want the world's lock to be held."""

    def __init__(self, world: World, targets: TargetApi) -> None:
        self._world, self._targets = world, targets
        self._actions: dict[tuple[Resource, str], Scheduled] = {}
        targets.on_deregister.append(self._forget)

    def put_scheduled_action(self, given: Members) -> Members:
        resource = self._targets.resource(given)
        self._targets.require(resource)
        name = given["ScheduledActionName"]
        before = self._actions.get((resource, name))
        whole = {**(before.given if before else {}), **given}
        if "Schedule" not in whole:
            raise invalid("Schedule is required for a new scheduled action")
        bounds = whole.get("ScalableTargetAction", {})
        if not bounds:
            raise invalid("ScalableTargetAction must set MinCapacity or MaxCapacity")
        if bounds.get("MinCapacity", 0) > bounds.get("MaxCapacity", bounds.get("MinCapacity", 0)):
            raise invalid("Maximum capacity cannot be less than minimum capacity")
        try:
            timetable = parse_expression(whole["Schedule"], whole.get("Timezone", "UTC"))
        except CronError as error:
            raise invalid(f"Invalid schedule {whole['Schedule']!r}: {error}") from error
        arn = before.arn if before else self._arn(resource, name)
        created = before.created if before else self._world.now
        action = Scheduled(name, resource, arn, created, whole, timetable)
        self._actions[resource, name] = action
        self._plan(action)
        return {}

    def describe_scheduled_actions(self, given: Members) -> Members:
        names, wanted = given.get("ScheduledActionNames"), given.get("ResourceId")
        dimension = given.get("ScalableDimension")
        found = [
            _shown(action)
            for action in self._actions.values()
            if (not names or action.name in names)
            and wanted in (None, action.resource.id)
            and dimension in (None, action.resource.dimension)
            and given["ServiceNamespace"] == "sagemaker"
        ]
        rows, token = page(found, given.get("NextToken"), given.get("MaxResults", _PAGE))
        return {"ScheduledActions": rows, "NextToken": token}

    def delete_scheduled_action(self, given: Members) -> Members:
        resource = self._targets.resource(given)
        if self._actions.pop((resource, given["ScheduledActionName"]), None) is None:
            raise ServiceError(
                "ObjectNotFoundException",
                "No scheduled action found for service namespace: sagemaker, resource ID: "
                f"{resource.id}, scalable dimension: {resource.dimension}, scheduled action name: "
                f"{given['ScheduledActionName']}",
            )
        return {}

    def _plan(self, action: Scheduled) -> None:
        start = action.given.get("StartTime", 0)
        anchor = max(action.created, start)
        after = max(self._world.now, start - 1e-3)
        fires = action.timetable.next_after(after, anchor)
        if fires is not None and fires <= action.given.get("EndTime", fires):
            self._world.agenda.at(fires, lambda: self._fire(action))

    def _fire(self, action: Scheduled) -> None:
        if self._actions.get((action.resource, action.name)) is not action:
            return
        target = self._targets.find(action.resource)
        if target is not None and not target.suspended["ScheduledScalingSuspended"]:
            bounds = action.given["ScalableTargetAction"]
            target.low = bounds.get("MinCapacity", min(target.low, bounds.get("MaxCapacity", 0)))
            target.high = max(target.low, bounds.get("MaxCapacity", target.high))
            self._targets.clamp(target, f"scheduled action name {action.name} was triggered")
        self._plan(action)

    def _forget(self, resource: Resource) -> None:
        self._actions = {key: a for key, a in self._actions.items() if key[0] != resource}

    def _arn(self, resource: Resource, name: str) -> str:
        where = f"{self._world.region}:{self._world.account_id}"
        place = f"resource/sagemaker/{resource.id}:scheduledActionName/{name}"
        return f"arn:aws:autoscaling:{where}:scheduledAction:{uuid.uuid4()}:{place}"


def _shown(action: Scheduled) -> dict[str, Any]:
    kept = ("Schedule", "Timezone", "StartTime", "EndTime", "ScalableTargetAction")
    return {
        "ScheduledActionName": action.name,
        "ScheduledActionARN": action.arn,
        "ServiceNamespace": "sagemaker",
        "ResourceId": action.resource.id,
        "ScalableDimension": action.resource.dimension,
        "CreationTime": action.created,
        **{key: action.given[key] for key in kept if key in action.given},
    }
