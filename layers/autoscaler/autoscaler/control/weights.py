"""Whether an endpoint's staged weights may go with it."""

from __future__ import annotations

from collections.abc import Iterable

from ..endpoints.status import EndpointRecord
from ..policy.types import Phase


def prefix_in(bucket: str, weights_uri: str | None) -> str | None:
    """The prefix of weights in the stack's bucket; None for what the stack never staged."""
    start = f"s3://{bucket}/"
    if not weights_uri or not weights_uri.startswith(f"{start}models/"):
        return None
    return weights_uri.removeprefix(start)


def users(record: EndpointRecord, records: Iterable[EndpointRecord]) -> list[str]:
    """Other endpoints with the same weights, or whose commit of the same model is not known yet."""
    return sorted(
        other.status.name
        for other in records
        if other.status.name != record.status.name
        and _may_have(other, record.spec.model.id, record.status.weights_uri)
        and not _leaves_too(other)
    )


def _may_have(other: EndpointRecord, model_id: str, weights_uri: str | None) -> bool:
    """Now, or when the update is in place that waits or is under way."""
    status, update = other.status, other.status.update
    had = [(other.spec.model.id, status.weights_uri)]
    if update is not None:
        had.append((update.spec.model.id, update.weights_uri))
    return any(of == model_id and uri in (None, weights_uri) for of, uri in had)


def _leaves_too(other: EndpointRecord) -> bool:
    leaving = other.status.phase in (Phase.RETIRING, Phase.RETIRED)
    return leaving and other.status.discard_weights
