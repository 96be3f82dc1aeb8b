"""Another endpoint that answers while one cannot be had: the last rung of the ladder."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..endpoints.status import Cause, EndpointRecord
from ..policy.types import Phase
from ..ports import ConflictError
from ..spec import Kind
from .wishes import ladder_step, may_not_wake, request_wake
from .world import World

_CANNOT_BE_HAD = {Phase.STAGING, Phase.CREATING, Phase.ASLEEP, Phase.SLEEPING, Phase.WAKING}


def falls_back(record: EndpointRecord, now: datetime) -> bool:
    """Whether its fallback shall answer: every rung has failed since it last served, or it
    failed for good."""
    status = record.status
    if record.spec.fallback is None or status.phase is Phase.AWAKE:
        return False
    if status.phase is Phase.FAILED:
        return True
    return status.phase in _CANNOT_BE_HAD and ladder_step(record, now).exhausted


def stand_in(
    world: World, record: EndpointRecord, asked_by: str | None = None
) -> EndpointRecord | None:
    """The endpoint that answers for one that cannot be had, woken if it sleeps; None: there is
    none. It does not fall back further itself. `asked_by`: whose requests wait."""
    now = world.clock.now()
    if record.spec.fallback is None or not falls_back(record, now):
        return None
    other = world.store.load(record.spec.fallback)
    if other is None or other.status.phase in (Phase.RETIRING, Phase.RETIRED, Phase.FAILED):
        return None
    if other.spec.kind is Kind.ASYNC:  # applied anew as one; it answers for nobody else
        return None
    if other.status.phase is not Phase.ASLEEP or may_not_wake(other, now):
        return other
    if world.only_observes(other.status):
        return other
    text = f"Requests of {record.status.name} wait, which cannot be had."
    try:
        copies = max(1, other.status.wish_copies)
        return request_wake(world, other, Cause.MESSAGE, copies, text, asked_by)
    except ConflictError:
        return world.store.load(other.status.name)


def as_asked_of(other: EndpointRecord, body: Mapping[str, Any]) -> dict[str, Any]:
    """The request as the other endpoint's container takes it, which serves another model."""
    return {**body, "model": other.spec.model.id} if "model" in body else dict(body)
