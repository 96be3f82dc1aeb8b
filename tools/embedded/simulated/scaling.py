"""Application Auto Scaling over inference components: targets that clamp, tracking that acts."""

from __future__ import annotations

import math
import threading
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tools.embedded.simulated.sagemaker import SageMakerService
from tools.embedded.simulated.shapes import JsonService, ServiceError, invalid
from tools.embedded.simulated.world import Component
from tools.embedded.types import ACCOUNT_ID, DEFAULT_REGION, Clock

DIMENSION = "sagemaker:inference-component:DesiredCopyCount"
_LOOK_SECONDS = 10
_LOOKS_ABOVE = 3  # 30 s above the target: out
_LOOKS_BELOW = 90  # 15 min below 90 % of it: in; not tunable on AWS either
_BELOW = 0.9
_ROLE = (
    f"arn:aws:iam::{ACCOUNT_ID}:role/aws-service-role/sagemaker.application-autoscaling."
    "amazonaws.com/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)


@dataclass
class Target:
    """A scalable target."""

    resource: str
    arn: str
    created: datetime
    low: int
    high: int


@dataclass
class Policy:
    """A scaling policy, with what it saw lately."""

    name: str
    resource: str
    arn: str
    created: datetime
    arguments: dict[str, Any]
    seen: deque[float] = field(default_factory=lambda: deque(maxlen=_LOOKS_BELOW))

    @property
    def target_value(self) -> float | None:
        tracking = self.arguments.get("TargetTrackingScalingPolicyConfiguration")
        return float(tracking["TargetValue"]) if tracking else None


@dataclass(frozen=True)
class Activity:
    """A move that was made."""

    time: float
    resource: str
    before: int
    after: int
    why: str


class AutoScalingService(JsonService):
    """Registering clamps at once; target tracking on concurrency acts; it never leaves zero.

    Step policies are kept and do nothing; scheduled actions are absent.
    """

    service, signing_names = "application-autoscaling", ("application-autoscaling",)

    def __init__(self, clock: Clock, sagemaker: SageMakerService) -> None:
        self._clock, self._sagemaker = clock, sagemaker
        self._targets: dict[str, Target] = {}
        self._policies: dict[tuple[str, str], Policy] = {}
        self.activities: list[Activity] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scaling", daemon=True)
        self._thread.start()

    def call(self, operation: str, arguments: dict[str, Any]) -> Any:
        self._sagemaker.world.settle()
        with self._sagemaker.world.lock:
            return super().call(operation, arguments)

    def close(self) -> None:
        self._over.set()
        self._thread.join(timeout=2)

    def register_scalable_target(
        self,
        ResourceId: str,
        ScalableDimension: str,
        MinCapacity: int | None = None,
        MaxCapacity: int | None = None,
        **_rest: Any,
    ) -> dict[str, Any]:
        _check_dimension(ScalableDimension)
        component = self._component(ResourceId)
        target = self._targets.get(ResourceId)
        low = MinCapacity if MinCapacity is not None else (target and target.low)
        high = MaxCapacity if MaxCapacity is not None else (target and target.high)
        if low is None or high is None:
            raise invalid("MinCapacity and MaxCapacity are required for a new target.")
        if low > high:
            raise invalid("Minimum capacity must be less than or equal to maximum capacity.")
        if target is None:
            arn = _arn("application-autoscaling", f"scalable-target/{uuid.uuid4().hex}")
            target = Target(ResourceId, arn, self._clock.now(), low, high)
            self._targets[ResourceId] = target
        target.low, target.high = low, high
        self._move(target, component, min(max(component.desired, low), high), "new bounds")
        return {"ScalableTargetARN": target.arn}

    def describe_scalable_targets(
        self, ResourceIds: list[str] | None = None, **_rest: Any
    ) -> dict[str, Any]:
        shown = [t for t in self._targets.values() if not ResourceIds or t.resource in ResourceIds]
        return {
            "ScalableTargets": [
                {
                    "ServiceNamespace": "sagemaker",
                    "ResourceId": target.resource,
                    "ScalableDimension": DIMENSION,
                    "MinCapacity": target.low,
                    "MaxCapacity": target.high,
                    "RoleARN": _ROLE,
                    "CreationTime": target.created,
                    "ScalableTargetARN": target.arn,
                }
                for target in shown
            ]
        }

    def deregister_scalable_target(self, ResourceId: str, **_rest: Any) -> None:
        if ResourceId not in self._targets:
            raise ServiceError("ObjectNotFoundException", f"No scalable target {ResourceId}.")
        del self._targets[ResourceId]
        self._policies = {k: p for k, p in self._policies.items() if k[0] != ResourceId}

    def put_scaling_policy(
        self, PolicyName: str, ResourceId: str, ScalableDimension: str, **rest: Any
    ) -> dict[str, Any]:
        _check_dimension(ScalableDimension)
        if ResourceId not in self._targets:
            raise ServiceError("ObjectNotFoundException", f"No scalable target {ResourceId}.")
        place = f"{uuid.uuid4()}:resource/sagemaker/{ResourceId}:policyName/{PolicyName}"
        arn = _arn("autoscaling", f"scalingPolicy:{place}")
        policy = Policy(PolicyName, ResourceId, arn, self._clock.now(), rest)
        self._policies[ResourceId, PolicyName] = policy
        return {"PolicyARN": arn, "Alarms": []}

    def describe_scaling_policies(
        self, ResourceId: str | None = None, **_rest: Any
    ) -> dict[str, Any]:
        shown = [p for p in self._policies.values() if ResourceId in (None, p.resource)]
        return {
            "ScalingPolicies": [
                {
                    "PolicyARN": policy.arn,
                    "PolicyName": policy.name,
                    "ServiceNamespace": "sagemaker",
                    "ResourceId": policy.resource,
                    "ScalableDimension": DIMENSION,
                    "PolicyType": policy.arguments["PolicyType"],
                    "CreationTime": policy.created,
                }
                for policy in shown
            ]
        }

    def _component(self, resource: str) -> Component:
        kind, _, name = resource.partition("/")
        if kind != "inference-component":
            raise invalid(f"the embedded account scales inference components, not {kind}")
        return self._sagemaker.component(name)

    def _run(self) -> None:
        while not self._clock.sleep(_LOOK_SECONDS, self._over):
            with self._sagemaker.world.lock:
                for policy in list(self._policies.values()):
                    self._track(policy)

    def _track(self, policy: Policy) -> None:
        target = self._targets.get(policy.resource)
        name = policy.resource.partition("/")[2]
        component = self._sagemaker.world.components.get(name)
        if target is None or component is None or policy.target_value is None:
            return
        live = component.current(self._clock.time())
        if not live:
            policy.seen.clear()  # nothing is published at zero: tracking cannot leave it
            return
        policy.seen.append(sum(copy.in_flight for copy in component.copies) / live)
        if component.status == "InService":
            self._act(policy, policy.target_value, target, component, live)

    def _act(
        self, policy: Policy, wanted: float, target: Target, component: Component, live: int
    ) -> None:
        lately = list(policy.seen)[-_LOOKS_ABOVE:]
        if len(lately) == _LOOKS_ABOVE and min(lately) > wanted:
            needed = math.ceil(live * min(lately) / wanted)
            after = min(target.high, max(needed, component.desired + 1))
            self._move(target, component, max(after, component.desired), "above its target")
        elif len(policy.seen) == _LOOKS_BELOW and max(policy.seen) < _BELOW * wanted:
            after = max(1, target.low, component.desired - 1)
            self._move(target, component, min(after, component.desired), "below its target")
            policy.seen.clear()

    def _move(self, target: Target, component: Component, after: int, why: str) -> None:
        if after != component.desired:
            now, before = self._clock.time(), component.desired
            self.activities.append(Activity(now, target.resource, before, after, why))
            self._sagemaker.set_copies(component, after)


def _check_dimension(dimension: str) -> None:
    if dimension != DIMENSION:
        raise invalid(f"the embedded account scales only {DIMENSION}, not {dimension}")


def _arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{DEFAULT_REGION}:{ACCOUNT_ID}:{rest}"
