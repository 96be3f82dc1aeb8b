"""Announcements that survive a bus that takes nothing, and a process that ends in the middle.

An event is stored with the change that it tells of, announced, and then taken out of the status
again. What could not be announced stays there, and every tick tries it once more. So nothing waits
for the bus, nothing is told that did not happen, and what happened is told at least once; `notify`
tells people of each event once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..alerts.events.base import Event
from ..alerts.events.registry import EVENTS, parse_event
from ..endpoints.status import EndpointRecord, EndpointStatus
from ..endpoints.untold import Untold
from ..ports import ConflictError
from .world import World

# An item holds 400 KB. What happened before these is in the history.
UNTOLD_KEPT = 50


def telling(status: EndpointStatus, *events: Event) -> EndpointStatus:
    """The status with events that are to be announced once it is saved."""
    return status.model_copy(update={"untold": with_events(status.untold, events)})


def with_events(untold: Sequence[Untold], events: Iterable[Event]) -> tuple[Untold, ...]:
    """What is to be told, with these behind it; the newest of it."""
    fresh = (
        Untold(detail_type=event.detail_type, detail=event.model_dump(mode="json"))
        for event in events
    )
    return (*untold, *fresh)[-UNTOLD_KEPT:]


def announce(world: World, untold: Iterable[Untold]) -> None:
    """Raises what the bus raises. What only another version of this program knows is not told."""
    known = [one for one in untold if one.detail_type in EVENTS]
    world.announcer.announce_all([parse_event(one.detail_type, one.detail) for one in known])


def tell(world: World, saved: EndpointStatus) -> EndpointStatus:
    """Announces what a saved status has untold; returns the status after it.

    When the bus does not take it, the status comes back as it was: the change itself is done, and
    the next tick is loud about the rest (`told_again`).
    """
    try:
        return _told(world, saved)
    except Exception:  # noqa: BLE001 - it is kept in the status, and told by the next tick
        return saved


def told_again(world: World, record: EndpointRecord) -> tuple[EndpointRecord, Exception | None]:
    """The same for a record as a tick finds it, with the error that kept it silent once more."""
    try:
        return record.having(_told(world, record.status)), None
    except Exception as error:  # noqa: BLE001 - returned: the endpoint is looked after all the same
        return record, error


def _told(world: World, status: EndpointStatus) -> EndpointStatus:
    if not status.untold:
        return status
    announce(world, status.untold)
    try:
        return world.store.save(status.model_copy(update={"untold": ()}))
    except ConflictError:  # somebody wrote meanwhile, and kept the events: they are told twice
        return status
