"""What a tick looks at for all endpoints together: the stack's budget and the breaker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ..alerts.events.base import Event
from ..alerts.events.budgets import RunawayStopped
from ..endpoints.mode import Mode
from ..endpoints.stack_state import Gone, StackState, life_of
from ..endpoints.status import EndpointRecord
from ..policy.types import Phase, Stop
from .breaker import runaway
from .budgets import stack_news, wakes_counted
from .observing import moded
from .spent import spent_this_month, spent_today
from .stack_telling import save_and_tell, told
from .world import World

BREAKER = "the breaker"
_LEAVING = {Phase.RETIRING, Phase.RETIRED}


def watched(world: World, records: Sequence[EndpointRecord], now: datetime) -> list[EndpointRecord]:
    """The records with the stack's state as it is after this look; it is written only when
    something of it changed. Raises ConflictError, or what the bus raises once more."""
    if not records:
        return []
    state, events = records[0].stack, list[Event]()
    after = moded(state, records, world.mode, now, events)
    after = stack_news(after, records, now, events)
    after = wakes_counted(after, records, now)
    if world.mode is Mode.ACT:  # else there is nothing that the breaker could stop
        after = _broken(after, records, now, events)
    if after != state or events:
        state = save_and_tell(world, after, *events)
    elif state.untold:
        state = told(world, state)
    return [record.model_copy(update={"stack": state}) for record in records]


def _broken(
    state: StackState, records: Sequence[EndpointRecord], now: datetime, events: list[Event]
) -> StackState:
    """Stops what ran away, and forgets stops of endpoints that are gone."""
    names = {record.status.name for record in records}
    stops = {name: stop for name, stop in state.stopped_endpoints.items() if name in names}
    for record in records:
        name = record.status.name
        if name in stops or record.status.phase in _LEAVING:
            continue
        if saw := runaway(record, now):
            stops[name] = Stop(now, BREAKER, saw, name)
            events.append(
                RunawayStopped(endpoint=name, generation=record.status.generation, at=now, saw=saw)
            )
    calm = {name: at for name, at in state.calm_from.items() if name in names}
    if stops == state.stopped_endpoints and calm == state.calm_from:
        return state
    return state.model_copy(update={"stopped_endpoints": stops, "calm_from": calm})


def note_gone(world: World, record: EndpointRecord, now: datetime) -> None:
    """Keeps what a removed endpoint spent this month: the stack has spent it. Once a life. Its own
    stop goes with it: another one of its name, made before a tick looks, would never begin.

    Raises ConflictError when the state was changed meanwhile.
    """
    state, status = world.store.stack(), record.status
    stops = {name: one for name, one in state.stopped_endpoints.items() if name != status.name}
    if stops != state.stopped_endpoints:
        state = world.store.save_stack(state.model_copy(update={"stopped_endpoints": stops}))
    key = life_of(status.name, status.created_at)
    if key in state.gone:
        return
    month = f"{now:%Y-%m}"
    kept = {life: one for life, one in state.gone.items() if f"{one.day:%Y-%m}" == month}
    own = Gone(
        day=now.date(),
        month_usd=spent_this_month(record, now),
        day_usd=spent_today(record, now),
        day_wakes=status.wakes_today if status.wakes_on == now.date() else 0,
    )
    if own.month_usd or own.day_wakes:
        world.store.save_stack(state.model_copy(update={"gone": {**kept, key: own}}))
