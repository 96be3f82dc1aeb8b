"""Events of the stack as a whole: stored with the change that they tell of, as `telling` does it
for an endpoint."""

from __future__ import annotations

from ..alerts.events.base import Event
from ..alerts.events.registry import EVENTS, parse_event
from ..endpoints.stack_state import StackState
from ..endpoints.untold import Untold
from ..ports import ConflictError
from .world import World

# An item holds 400 KB, and a bus that takes nothing for days is no reason to fill it.
_KEPT = 50


def save_and_tell(world: World, state: StackState, *events: Event) -> StackState:
    """Stores the state and announces; what the bus does not take is told by the next tick.

    Raises ConflictError when somebody else wrote first; then nothing was stored or told.
    """
    fresh = (
        Untold(detail_type=event.detail_type, detail=event.model_dump(mode="json"))
        for event in events
    )
    waiting = (*state.untold, *fresh)[-_KEPT:]
    saved = world.store.save_stack(state.model_copy(update={"untold": waiting}))
    try:
        return told(world, saved)
    except Exception:  # noqa: BLE001 - it is kept with the state, and told by the next tick
        return saved


def told(world: World, state: StackState) -> StackState:
    """Announces what is untold. Raises what the bus raises."""
    if not state.untold:
        return state
    known = [one for one in state.untold if one.detail_type in EVENTS]
    world.announcer.announce_all([parse_event(one.detail_type, one.detail) for one in known])
    try:
        return world.store.save_stack(state.model_copy(update={"untold": ()}))
    except ConflictError:  # somebody wrote meanwhile, and kept the events: they are told twice
        return state
