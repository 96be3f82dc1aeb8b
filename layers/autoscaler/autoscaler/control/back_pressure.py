"""Back-pressure: as many dispatchers at a time as the copies can keep busy.

More would hold messages that no copy works on, out of sight and with their time running. Moved by
the tick when it changes, so that a wake's readers are there before its copies are.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ..endpoints.queues import LATER_EVERY, readers
from ..endpoints.status import EndpointRecord
from ..policy.types import Phase
from ..ports import Capacity, ConflictError, Load
from .world import STARTING, World

_SERVING = {Phase.AWAKE, Phase.UPDATING}
_SETTLED = {Phase.AWAKE, Phase.ASLEEP}  # its queues and what reads them are there


def asks_later(record: EndpointRecord, now: datetime, tick: timedelta) -> bool:
    """Whether this tick asks how many requests wait that may: each, while there are some."""
    if record.status.reads_later or record.deferrable_due_at is not None:
        return True
    every = LATER_EVERY.total_seconds()
    return now.timestamp() // every != (now - tick).timestamp() // every


def wanted_readers(record: EndpointRecord, capacity: Capacity) -> int:
    """By the copies that serve or are asked for; of a wake, those that it will bring."""
    status = record.status
    copies = 0
    if status.phase in _SERVING:
        copies = max(capacity.desired_copies, capacity.current_copies)
    elif status.phase in STARTING:
        copies = max(status.wish_copies, capacity.desired_copies)
    return readers(record.spec, copies)


def with_readers(world: World, record: EndpointRecord, capacity: Capacity) -> EndpointRecord:
    """The record with the number that its queue has now; it is stored with what was seen.

    One call to find what reads the queue and one to change it, only when the number changes.
    """
    wanted = wanted_readers(record, capacity)
    if wanted == record.status.readers or not world.readers.set(record.status.name, wanted):
        return record
    return record.having(record.status.model_copy(update={"readers": wanted}))


def tried_readers(
    world: World, record: EndpointRecord, capacity: Capacity
) -> tuple[EndpointRecord, Exception | None]:
    """The same, with the error if Lambda refused it: the endpoint may have to go to zero."""
    try:
        return with_readers(world, record, capacity), None
    except Exception as error:  # noqa: BLE001 - returned: the endpoint is looked after all the same
        return record, error


def with_later_read(world: World, record: EndpointRecord, load: Load) -> EndpointRecord:
    """The record, stored, when the queue of requests that may wait began or ceased to be read.

    Lambda asks a queue some 650,000 times a month whether there is anything in it, and is paid for
    each; what may wait can also wait for the tick to see it there.
    """
    status, wanted = record.status, load.deferrable > 0
    # One that goes is emptied also where its other queue is gone; else a person has to look first.
    known = load.backlog is not None or status.phase is Phase.RETIRING
    if not known or wanted == status.reads_later:
        return record  # nobody could look, or nothing is to be changed
    if not wanted and status.phase not in _SETTLED:
        return record
    if not world.readers.read_later(status.name, wanted):
        return record
    return record.having(world.store.save(status.model_copy(update={"reads_later": wanted})))


def tried_later_read(
    world: World, record: EndpointRecord, load: Load
) -> tuple[EndpointRecord, Exception | None]:
    """The same, with the error if Lambda refused it: that is no reason to leave the endpoint as it
    is, which may have to go to zero. Raises ConflictError."""
    try:
        return with_later_read(world, record, load), None
    except ConflictError:
        raise
    except Exception as error:  # noqa: BLE001 - returned: the endpoint is looked after all the same
        return record, error
