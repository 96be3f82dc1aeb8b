"""What an endpoint's earlier starts say of its next one. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ..catalog.loading import PROVISIONING, expected_start
from ..catalog.models import known_model
from ..spec import EndpointSpec
from .status import EndpointRecord


def same_starts(before: EndpointSpec, after: EndpointSpec) -> bool:
    """Whether starts of the one say anything of the other: the same model, container and
    machines."""
    fields = ("model", "serving", "instances")
    return all(getattr(before, name) == getattr(after, name) for name in fields)


def starts_forgotten(before: EndpointSpec, after: EndpointSpec) -> dict[str, Any]:
    """The fields of a status whose measured starts say nothing of the file that comes."""
    return {} if same_starts(before, after) else {"cold_starts": (), "creation": None}


def created_in(record: EndpointRecord) -> timedelta | None:
    """What a start from zero takes, by the endpoint's own creation; None: none was measured.

    From the first asking for a copy until it answered, since weights are staged before. A component
    is asked for when its endpoint has an instance already (`create_capacity`): one comes on top.
    """
    creation = record.status.creation
    if creation is None or creation.asked_at is None:
        return None
    took = max(timedelta(0), creation.ready_at - creation.asked_at)
    return took if record.spec.kind.is_whole_instance else PROVISIONING + took


def estimated_start(record: EndpointRecord) -> timedelta | None:
    """What a start should take by the size of its model; None: that is not known.

    An update to another model may have left the facts of the one before.
    """
    model, facts = record.spec.model.id, record.status.facts
    known = facts if facts is not None and facts.id == model else known_model(model)
    return None if known is None else expected_start(known)
