"""The requests that set up and move an endpoint's scaling. Pure.

`statemachines/remove_capacity.asl.yaml` takes it down.
"""

from __future__ import annotations

from typing import Any

from ..policy.types import Bounds
from ..spec import EndpointSpec, Kind
from . import kinds
from .names import ResourceNames

# The alarms that target tracking makes: one to grow and one to shrink.
TRACKING_ALARMS_PER_ENDPOINT = 2

Request = dict[str, Any]


def register_scalable_target(
    names: ResourceNames, bounds: Bounds, kind: Kind = Kind.COMPONENT
) -> Request:
    """Creates the target, or moves its bounds: the API is the same."""
    taken = kinds.allowed(kind, bounds)
    return {
        **kinds.scalable(kind, names),
        "MinCapacity": taken.min_copies,
        "MaxCapacity": taken.max_copies,
    }


def put_scaling_policy(spec: EndpointSpec, names: ResourceNames) -> Request:
    """Target tracking on concurrent requests per copy, at 10 s where AWS has it so."""
    return {
        "PolicyName": names.scaling_policy,
        **kinds.scalable(spec.kind, names),
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": kinds.tracking(
            spec.kind, names, spec.target_concurrency
        ),
    }


def scales(spec: EndpointSpec) -> bool:
    """Whether there is anything to scale between one copy and the most that the file allows. Where
    there is not, policies could do nothing, and their alarms are paid for by the hour. A file that
    allows more than the one before is an update, which puts them (`control/updating.way_of`)."""
    return spec.highest_max_copies > 1


def update_copies(names: ResourceNames, copies: int, kind: Kind = Kind.COMPONENT) -> Request:
    """Of the copies that are wanted. Bounds first, copies second."""
    return kinds.update_copies(kind, names, copies)
