"""Application Auto Scaling: targets that clamp, and target tracking that acts."""

from __future__ import annotations

import threading
import uuid
from collections import deque

from .shapes import JsonService, ServiceError

IC = "sagemaker:inference-component:DesiredCopyCount"


class AutoScalingService(JsonService):
    service, signing_names = "application-autoscaling", ("application-autoscaling",)

    def __init__(self, clock, sagemaker):
        self.clock, self.sm = clock, sagemaker
        self.targets, self.policies, self.activities = {}, {}, []
        self.history = {}
        self.lock = threading.RLock()
        self.stop = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def component(self, resource):
        return self.sm.find(
            self.sm.world.components, resource.partition("/")[2], "inference component"
        )

    def register_scalable_target(
        self,
        ServiceNamespace,
        ResourceId,
        ScalableDimension,
        MinCapacity=None,
        MaxCapacity=None,
        **a,
    ):
        if ScalableDimension != IC:
            raise ServiceError("ValidationException", f"the embedded account scales only {IC}")
        key = (ResourceId, ScalableDimension)
        with self.lock:
            if key not in self.targets:
                if MinCapacity is None or MaxCapacity is None:
                    raise ServiceError(
                        "ValidationException",
                        "MinCapacity and MaxCapacity are required for a new target",
                    )
                try:
                    self.component(ResourceId)
                except ServiceError:
                    raise ServiceError(
                        "ValidationException", f"No scalable target found: {ResourceId}"
                    ) from None
                self.targets[key] = {
                    "created": self.clock.now(),
                    "arn": f"arn:aws:application-autoscaling:{self.sm.region}:{self.sm.account_id}:scalable-target/{uuid.uuid4().hex}",
                }
            t = self.targets[key]
            low, high = (
                MinCapacity if MinCapacity is not None else t["min"],
                MaxCapacity if MaxCapacity is not None else t["max"],
            )
            if low > high:
                raise ServiceError(
                    "ValidationException",
                    "Minimum capacity must be less than or equal to maximum capacity.",
                )
            t.update(min=low, max=high)
            c = self.component(ResourceId)
            if c.desired < low or c.desired > high:
                self._set(key, c, min(max(c.desired, low), high), "bounds")
            return {"ScalableTargetARN": t["arn"]}

    def describe_scalable_targets(self, ServiceNamespace, ResourceIds=None, **a):
        return {
            "ScalableTargets": [
                {
                    "ServiceNamespace": "sagemaker",
                    "ResourceId": r,
                    "ScalableDimension": d,
                    "MinCapacity": t["min"],
                    "MaxCapacity": t["max"],
                    "RoleARN": "arn:aws:iam::123456789012:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
                    "CreationTime": t["created"],
                    "ScalableTargetARN": t["arn"],
                }
                for (r, d), t in self.targets.items()
                if not ResourceIds or r in ResourceIds
            ]
        }

    def deregister_scalable_target(self, ServiceNamespace, ResourceId, ScalableDimension):
        if (ResourceId, ScalableDimension) not in self.targets:
            raise ServiceError(
                "ObjectNotFoundException",
                f"No scalable target found for service namespace: sagemaker, resource ID: {ResourceId}, scalable dimension: {ScalableDimension}",
            )
        del self.targets[ResourceId, ScalableDimension]
        self.policies = {
            k: v for k, v in self.policies.items() if k[:2] != (ResourceId, ScalableDimension)
        }

    def put_scaling_policy(self, PolicyName, ServiceNamespace, ResourceId, ScalableDimension, **a):
        if (ResourceId, ScalableDimension) not in self.targets:
            raise ServiceError(
                "ObjectNotFoundException", f"No scalable target registered for {ResourceId}"
            )
        arn = f"arn:aws:autoscaling:{self.sm.region}:{self.sm.account_id}:scalingPolicy:{uuid.uuid4()}:resource/sagemaker/{ResourceId}:policyName/{PolicyName}"
        self.policies[ResourceId, ScalableDimension, PolicyName] = {
            **a,
            "arn": arn,
            "created": self.clock.now(),
        }
        return {"PolicyARN": arn, "Alarms": []}

    def describe_scaling_policies(self, ServiceNamespace, ResourceId=None, **a):
        return {
            "ScalingPolicies": [
                {
                    "PolicyARN": p["arn"],
                    "PolicyName": n,
                    "ServiceNamespace": "sagemaker",
                    "ResourceId": r,
                    "ScalableDimension": d,
                    "PolicyType": p["PolicyType"],
                    "CreationTime": p["created"],
                }
                for (r, d, n), p in self.policies.items()
                if ResourceId in (None, r)
            ]
        }

    def _set(self, key, c, n, why):
        self.activities.append((self.clock.time(), key[0], c.desired, n, why))
        self.sm.set_copies(c, n)

    def _run(self):
        while not self.clock.sleep(10, self.stop):
            with self.sm.world.lock, self.lock:
                for (r, d, n), p in list(self.policies.items()):
                    t = self.targets.get((r, d))
                    conf = p.get("TargetTrackingScalingPolicyConfiguration")
                    c = self.sm.world.components.get(r.partition("/")[2])
                    if not (t and conf and c):
                        continue
                    now = self.clock.time()
                    live = c.current(now)
                    if not live:
                        self.history.pop((r, n), None)
                        continue  # target tracking cannot leave zero
                    h = self.history.setdefault((r, n), deque(maxlen=90))
                    value = sum(k.in_flight for k in c.copies) / live
                    h.append(value)
                    target = conf["TargetValue"]
                    last3 = list(h)[-3:]
                    if len(last3) == 3 and min(last3) > target and c.status == "InService":
                        want = min(
                            t["max"],
                            max(
                                c.desired + 1,
                                -(-int(live * min(last3) * 1000) // int(target * 1000)),
                            ),
                        )
                        if want > c.desired:
                            self._set((r, d), c, want, "above target")
                    elif (
                        len(h) == 90
                        and max(h) < 0.9 * target
                        and c.desired > max(1, t["min"])
                        and c.status == "InService"
                    ):
                        self._set((r, d), c, max(1, t["min"], c.desired - 1), "below target")
                        h.clear()

    def close(self):
        self.stop.set()
