"""Scaling policies: put, describe, delete; what each kind may say."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from tools.embedded.sagemaker.listing import page
from tools.embedded.sagemaker.things import Members
from tools.embedded.sagemaker.world import World
from tools.embedded.scaling.capacity import COPIES, INSTANCES, Resource
from tools.embedded.scaling.steps import StepState
from tools.embedded.scaling.targets import TargetApi
from tools.embedded.scaling.tracking import Tracker
from tools.embedded.shapes import ServiceError, invalid

_PAGE = 50
_STEP, _TRACKING = "StepScalingPolicyConfiguration", "TargetTrackingScalingPolicyConfiguration"
_CONFIGURATION = {"StepScaling": _STEP, "TargetTrackingScaling": _TRACKING}
_PREDEFINED = {
    "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution": COPIES,
    "SageMakerInferenceComponentInvocationsPerCopy": COPIES,
    "SageMakerVariantConcurrentRequestsPerModelHighResolution": INSTANCES,
    "SageMakerVariantInvocationsPerInstance": INSTANCES,
}


@dataclass(eq=False)
class Policy:
    """Its kind is that of `state`."""

    name: str
    resource: Resource
    arn: str
    created: float
    configuration: Members
    state: Tracker | StepState
    alarms: list[Members]


class PolicyApi:
    """All methods want the world's lock to be held."""

    def __init__(self, world: World, targets: TargetApi) -> None:
        self._world, self._targets = world, targets
        self._policies: dict[tuple[Resource, str], Policy] = {}
        targets.on_deregister.append(self._forget)

    @property
    def all(self) -> list[Policy]:
        return list(self._policies.values())

    def trackers(self, resource: Resource) -> list[Tracker]:
        return [
            policy.state
            for policy in self._policies.values()
            if policy.resource == resource and isinstance(policy.state, Tracker)
        ]

    def by_arn(self, arn: str) -> Policy | None:
        return next((policy for policy in self._policies.values() if policy.arn == arn), None)

    def put_scaling_policy(self, given: Members) -> Members:
        resource = self._targets.resource(given)
        self._targets.require(resource)
        name, before = given["PolicyName"], self._policies.get((resource, given["PolicyName"]))
        kind = given.get("PolicyType", _kind(before))
        if kind not in _CONFIGURATION:
            raise invalid(f"PolicyType {kind} is not supported for service namespace sagemaker")
        configuration = given.get(_CONFIGURATION[kind])
        other = _TRACKING if kind == "StepScaling" else _STEP
        if configuration is None or other in given:
            raise invalid(f"A policy of type {kind} takes exactly {_CONFIGURATION[kind]}")
        state: Tracker | StepState
        if kind == "StepScaling":
            state = StepState.of(configuration)
        else:
            _check_tracking(configuration, resource)
            state = Tracker.of(configuration)
        policy = Policy(
            name,
            resource,
            before.arn if before else self._arn(resource, name),
            before.created if before else self._world.now,
            configuration,
            state,
            self._alarms(resource, kind),
        )
        self._policies[resource, name] = policy
        return {"PolicyARN": policy.arn, "Alarms": policy.alarms}

    def describe_scaling_policies(self, given: Members) -> Members:
        names, wanted = given.get("PolicyNames"), given.get("ResourceId")
        dimension = given.get("ScalableDimension")
        found = [
            _shown(policy)
            for policy in self._policies.values()
            if (not names or policy.name in names)
            and wanted in (None, policy.resource.id)
            and dimension in (None, policy.resource.dimension)
            and given["ServiceNamespace"] == "sagemaker"
        ]
        rows, token = page(found, given.get("NextToken"), given.get("MaxResults", _PAGE))
        return {"ScalingPolicies": rows, "NextToken": token}

    def delete_scaling_policy(self, given: Members) -> Members:
        resource = self._targets.resource(given)
        if self._policies.pop((resource, given["PolicyName"]), None) is None:
            raise ServiceError(
                "ObjectNotFoundException",
                f"No scaling policy found for service namespace: sagemaker, resource ID: "
                f"{resource.id}, scalable dimension: {resource.dimension}, policy name: "
                f"{given['PolicyName']}",
            )
        return {}

    def _forget(self, resource: Resource) -> None:
        self._policies = {key: p for key, p in self._policies.items() if key[0] != resource}

    def _arn(self, resource: Resource, name: str) -> str:
        where = f"{self._world.region}:{self._world.account_id}"
        place = f"resource/sagemaker/{resource.id}:policyName/{name}"
        return f"arn:aws:autoscaling:{where}:scalingPolicy:{uuid.uuid4()}:{place}"

    def _alarms(self, resource: Resource, kind: str) -> list[Members]:
        """Those that AWS makes for target tracking; here they are only named."""
        if kind != "TargetTrackingScaling":
            return []
        where = f"arn:aws:cloudwatch:{self._world.region}:{self._world.account_id}:alarm"
        names = [f"TargetTracking-{resource.id}-Alarm{end}-{uuid.uuid4()}" for end in _ENDS]
        return [{"AlarmName": name, "AlarmARN": f"{where}:{name}"} for name in names]


_ENDS = ("High", "Low")


def _kind(policy: Policy | None) -> str:
    tracks = policy is not None and isinstance(policy.state, Tracker)
    return "TargetTrackingScaling" if tracks else "StepScaling"


def _check_tracking(configuration: Members, resource: Resource) -> None:
    predefined = configuration.get("PredefinedMetricSpecification")
    if (predefined is None) == ("CustomizedMetricSpecification" not in configuration):
        raise invalid(
            "Give exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification"
        )
    if configuration["TargetValue"] <= 0:
        raise invalid("TargetValue must be greater than 0")
    kind = predefined["PredefinedMetricType"] if predefined else None
    if kind is not None and _PREDEFINED.get(kind) != resource.dimension:
        raise invalid(f"PredefinedMetricType {kind} cannot be used with {resource.dimension}")


def _shown(policy: Policy) -> dict[str, Any]:
    kind = _kind(policy)
    return {
        "PolicyARN": policy.arn,
        "PolicyName": policy.name,
        "ServiceNamespace": "sagemaker",
        "ResourceId": policy.resource.id,
        "ScalableDimension": policy.resource.dimension,
        "PolicyType": kind,
        _CONFIGURATION[kind]: policy.configuration,
        "Alarms": policy.alarms,
        "CreationTime": policy.created,
    }
