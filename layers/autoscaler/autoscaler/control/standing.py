"""How an endpoint stands among those that share its machines, as the tick sees them all."""

from __future__ import annotations

from collections.abc import Mapping

from ..endpoints.status import EndpointRecord
from ..ledger.shares import Standing
from ..policy.types import Phase
from .world import World


def with_standing(
    world: World, record: EndpointRecord, standings: Mapping[str, Standing]
) -> EndpointRecord:
    """The record with its share as it is now; of one of its own it is always the whole.

    Whoever looks at it later stores it. One that is asleep is stored here, because it is not
    looked at, and a message may wake it between two ticks. Raises ConflictError then.
    """
    status = record.status
    standing = standings.get(status.name, Standing())
    if (status.share, status.beside) == (standing.share, standing.beside):
        return record
    changes = {"share": standing.share, "beside": standing.beside}
    after = status.model_copy(update=changes)
    return record.having(world.store.save(after) if status.phase is Phase.ASLEEP else after)
