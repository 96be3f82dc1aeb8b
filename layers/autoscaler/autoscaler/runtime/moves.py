"""What the state machines hand to SageMaker and Application Auto Scaling, by an endpoint's kind."""

from __future__ import annotations

from typing import Any

from ..endpoints import kinds
from ..endpoints.bursts import burst_alarm, bursts, put_burst_policy
from ..endpoints.requests import create_endpoint
from ..endpoints.scaling import (
    put_scaling_policy,
    register_scalable_target,
    scales,
    update_copies,
)
from ..endpoints.status import EndpointRecord
from ..endpoints.tags import as_labels, tags_of
from ..policy.types import Bounds
from .ours import names_of, ours


def moves_of(record: EndpointRecord, bounds: Bounds, copies: int) -> dict[str, Any]:
    """`{kind, target, shared, bounds, scales, bursts, policy, burst_policy, burst_alarm, copies,
    endpoint}`.

    The kind, what is scaled, whether there is more than one copy to scale, or more than two, and
    the requests that move its bounds, let AWS scale inside them, move its copies, and make the
    endpoint again from the config that it shall have.
    """
    spec, names = record.spec, names_of(record.spec, record.status.shape)
    labels = as_labels(tags_of(spec, ours(spec.name)))
    return {
        **target_of(record),
        "shared": spec.instances.shared or "",
        "bounds": register_scalable_target(names, bounds, spec.kind),
        "scales": scales(spec),
        "bursts": bursts(spec),
        "policy": put_scaling_policy(spec, names),
        "burst_policy": put_burst_policy(spec, names),
        "burst_alarm": burst_alarm(spec, names, labels),
        "copies": update_copies(names, copies, spec.kind),
        "endpoint": create_endpoint(names, labels),
    }


def target_of(record: EndpointRecord) -> dict[str, Any]:
    """`{kind, target}`."""
    kind = record.spec.kind
    return {"kind": kind.value, "target": kinds.scalable(kind, names_of(record.spec))}
