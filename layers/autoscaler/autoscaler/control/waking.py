"""A request that waits wakes its endpoint: whoever takes requests in asks for it here."""

from __future__ import annotations

from ..endpoints.status import Cause, EndpointRecord
from ..policy.types import Phase
from ..ports import ConflictError
from .wishes import may_not_wake, request_wake
from .world import World

_WAKE_TRIES = 3


def wake_for(world: World, record: EndpointRecord, asked_by: str | None = None) -> EndpointRecord:
    """Wishes the endpoint awake for a message if it sleeps or is about to. `asked_by`: the tenants
    whose messages wait.

    One conditional write and one StartExecution, whatever the number of messages. The size is
    settled by `plan_wake`, which sees the whole backlog. Whoever wrote meanwhile need not have
    woken it (a tick writes what it saw): it is looked at again.
    """
    for _ in range(_WAKE_TRIES):
        status = record.status
        if status.phase not in (Phase.ASLEEP, Phase.SLEEPING):
            return record
        if may_not_wake(record, world.clock.now()) or world.only_observes(status):
            return record
        try:
            text = f"A request{f' of {asked_by}' if asked_by else ''} is waiting."
            copies = max(1, status.wish_copies)
            return request_wake(world, record, Cause.MESSAGE, copies, text, asked_by)
        except ConflictError:
            record = world.store.load(status.name) or record
    return record
