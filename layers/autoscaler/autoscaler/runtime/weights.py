"""The remove_weights function: the last of a retirement, if it was asked for."""

from __future__ import annotations

from typing import Any

from ..aws.clients import client
from ..aws.weights import S3WeightStore
from ..control.weights import prefix_in, users
from ..policy.types import Phase
from ..staging.removal import remove_weights
from .boundary import Boundary, EndpointName, Generation
from .logs import logger
from .settings import settings
from .wiring import world


class Retired(Boundary):
    """The state machine's question."""

    endpoint: EndpointName
    generation: Generation


def answer_weights(event: Any) -> dict[str, Any]:
    """`{removed, kept_for}`: objects that went, and the endpoints for which they stay.

    Nothing goes unless the endpoint is being retired by this very wish and that was asked for.
    """
    step, bucket = Retired.model_validate(event), settings().weights_bucket
    record = world().store.load(step.endpoint)
    if (
        record is None
        or record.status.generation != step.generation
        or record.status.phase is not Phase.RETIRING
        or not record.status.discard_weights
    ):
        return {"removed": 0, "kept_for": []}
    prefix = prefix_in(bucket, record.status.weights_uri)
    others = users(record, world().store.load_all())
    removed = 0
    if prefix and not others:
        store = S3WeightStore(client("s3"), bucket)
        removed = remove_weights(store, prefix, lambda: not users(record, world().store.load_all()))
    logger.info("weights", prefix=prefix, removed=removed, kept_for=others)
    return {"removed": removed, "kept_for": others}
