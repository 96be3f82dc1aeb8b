"""Events of the stack as a whole: stored with the change that they tell of, as `telling` does it
for an endpoint."""

from __future__ import annotations

from ..alerts.events.base import Event
from ..endpoints.stack_state import StackState
from ..ports import ConflictError
from .telling import announce, with_events
from .world import World


def save_and_tell(world: World, state: StackState, *events: Event) -> StackState:
    """Stores the state and announces; what the bus does not take is told by the next tick.

    Raises ConflictError when somebody else wrote first; then nothing was stored or told.
    """
    waiting = with_events(state.untold, events)
    saved = world.store.save_stack(state.model_copy(update={"untold": waiting}))
    try:
        return told(world, saved)
    except Exception:  # noqa: BLE001 - it is kept with the state, and told by the next tick
        return saved


def told(world: World, state: StackState) -> StackState:
    """Announces what is untold. Raises what the bus raises."""
    if not state.untold:
        return state
    announce(world, state.untold)
    try:
        return world.store.save_stack(state.model_copy(update={"untold": ()}))
    except ConflictError:  # somebody wrote meanwhile, and kept the events: they are told twice
        return state
