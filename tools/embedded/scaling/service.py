"""The service: operations, and the policies that act by themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from werkzeug.wrappers import Request, Response

from tools.embedded.sagemaker import SageMakerService
from tools.embedded.sagemaker.faults import Faults, TakesFaults
from tools.embedded.sagemaker.things import Component, Members
from tools.embedded.sagemaker.wire import Call, parse, refuse, reply
from tools.embedded.scaling.activities import Activities, Activity
from tools.embedded.scaling.capacity import Capacities, Resource, steady
from tools.embedded.scaling.policies import PolicyApi
from tools.embedded.scaling.schedules import ScheduleApi
from tools.embedded.scaling.steps import StepState
from tools.embedded.scaling.targets import Target, TargetApi
from tools.embedded.scaling.tracking import Tracker
from tools.embedded.shapes import ServiceError
from tools.embedded.types import Clock

_SERVICE = "application-autoscaling"
_CUSTOM_SECONDS = 60
# CustomizedMetricSpecification, now: its statistic over the last minute, or None.
ReadMetric = Callable[[Members, float], float | None]


class AutoScalingService(TakesFaults):
    """types.Service for `application-autoscaling`, on the agenda of the simulated SageMaker.

    `read_metric` is needed only by policies with a customized metric; without it they rest.
    """

    signing_names: tuple[str, ...] = (_SERVICE,)

    def __init__(
        self, clock: Clock, sagemaker: SageMakerService, read_metric: ReadMetric | None = None
    ) -> None:
        self._world, self._read_metric = sagemaker.world, read_metric
        self.faults = Faults(clock)
        self._capacities = Capacities(sagemaker)
        self._activities = Activities(self._world, self._capacities)
        self._targets = TargetApi(self._world, self._capacities, self._activities)
        self._policies = PolicyApi(self._world, self._targets)
        schedules = ScheduleApi(self._world, self._targets)
        apis = (self._targets, self._policies, schedules, self._activities)
        self._apis = apis
        self._closed = False
        with self._world.lock:
            sagemaker.publisher.listeners.append(self._observe)
            self._world.agenda.every(_CUSTOM_SECONDS, self._observe_customized)

    def handle(self, request: Request) -> Response:
        try:
            call = parse(_SERVICE, request)
            self.faults.check(f"{_SERVICE}:{call.name}", call.arguments)
            return reply(call, self._operate(call))
        except ServiceError as error:
            return refuse(_SERVICE, error)
        finally:
            self._world.flush()

    def close(self) -> None:
        """What still comes on the agenda does nothing."""
        self._closed = True

    @property
    def activities(self) -> list[Activity]:
        """All moves so far, oldest first."""
        self._world.look()
        return list(self._activities.all)

    def alarm_state(self, alarm_arn: str, state: str, policy_arn: str, breach: float = 0.0) -> None:
        """An alarm of a step scaling policy came into a state (or is in it still).

        `breach` is the metric less the threshold. Raises LookupError for an unknown policy.
        """
        with self._world.lock:
            now = self._world.look()
            policy = self._policies.by_arn(policy_arn)
            if policy is None:
                raise LookupError(f"there is no scaling policy {policy_arn}")
            step, component = policy.state, self._capacities.component(policy.resource)
            target = self._targets.find(policy.resource)
            if state != "ALARM" or not isinstance(step, StepState):
                return
            if component is None or target is None or now < step.moved + step.cooldown:
                return
            wanted = _inside(target, step.wanted(component.desired, breach))
            if wanted != component.desired and self._may(target, component, wanted):
                step.moved = now
                cause = f"monitor alarm {alarm_arn} in state ALARM triggered policy {policy.name}"
                self._targets.move(policy.resource, wanted, cause)
        self._world.flush()

    def _operate(self, call: Call) -> Any:
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", call.name).lower()
        for api in self._apis:
            if hasattr(api, name):
                with self._world.lock:
                    self._world.look()
                    return getattr(api, name)(call.arguments)
        message = f"The embedded account does not simulate {call.name}."
        raise ServiceError("UnknownOperationException", message)

    def _observe(self, component: Component, metric: str, value: float) -> None:
        resource = self._capacities.resource_of(component)
        every = self._world.settings.publish_every
        for tracker in self._policies.trackers(resource):
            full = tracker.metric == metric and tracker.observe(value, self._world.now, every)
            if full and not self._closed:
                self._track(resource, tracker)

    def _observe_customized(self) -> None:
        if self._read_metric is None or self._closed:
            return
        now = self._world.now
        for policy in self._policies.all:
            tracker = policy.state
            if isinstance(tracker, Tracker) and tracker.metric is None:
                value = self._read_metric(tracker.customized, now)
                if value is not None:
                    tracker.observe(value, now, _CUSTOM_SECONDS)
                    self._track(policy.resource, tracker)

    def _track(self, resource: Resource, tracker: Tracker) -> None:
        component, target = self._capacities.component(resource), self._targets.find(resource)
        if component is None or target is None or not component.desired:
            return
        now, live = self._world.now, len(component.ready)
        wanted = _inside(target, tracker.wanted(live, component.desired, now))
        if wanted == component.desired or not self._may(target, component, wanted):
            return
        outwards = wanted > component.desired
        if not outwards and not self._all_low(resource):
            return
        if not outwards:
            tracker.moved_in = now
        end = "High" if outwards else "Low"
        cause = f"monitor alarm TargetTracking-{resource.id}-Alarm{end} in state ALARM"
        self._targets.move(resource, wanted, cause)

    def _all_low(self, resource: Resource) -> bool:
        """Several policies scale in only when each of them would."""
        return all(one.low for one in self._policies.trackers(resource) if one.scales_in)

    def _may(self, target: Target, component: Component, wanted: int) -> bool:
        outwards = wanted > component.desired
        which = "Out" if outwards else "In"
        if target.suspended[f"DynamicScaling{which}Suspended"]:
            return False
        return steady(component) or not self._world.settings.refuse_update_while_updating


def _inside(target: Target, count: int) -> int:
    return min(max(count, target.low), target.high)
