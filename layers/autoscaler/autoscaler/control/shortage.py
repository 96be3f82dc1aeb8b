"""An endpoint that serves with fewer copies than it was asked to have.

A copy that never comes up keeps its instance, which is billed: SageMaker tries on for ever. After
a while, or as soon as its container says why it cannot come up, no more than what came is asked
for, people are told, and it is tried again later.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ..alerts.events.capacity import CopiesMissing
from ..endpoints.container_log import crash_beside
from ..endpoints.status import EndpointRecord
from ..policy.ladder import backoff
from ..policy.types import Phase, Reach
from ..ports import Capacity
from .telling import tell, telling
from .wishes import entry
from .world import World

# Twice what a start usually takes; SageMaker's own word that it gave up is believed at once.
PATIENCE = timedelta(minutes=20)
FIRST_PAUSE = timedelta(minutes=30)
LONGEST_PAUSE = timedelta(hours=4)
# The log is read only while copies are missing, and not at the first look: nothing speaks before
# its machine is there, and all endpoints of an account share ten reads a second.
LISTEN_AFTER = timedelta(minutes=1)
# A copy may have begun to start so long before the look that missed it: of a wake for several the
# first one ends the wake.
_LISTEN_BACK = timedelta(minutes=5)


def note_shortage(
    world: World, record: EndpointRecord, capacity: Capacity, now: datetime
) -> EndpointRecord:
    """Stores since when copies are missing, and caps what is asked for when they do not come."""
    status = record.status
    missing = capacity.desired_copies > capacity.current_copies
    if status.phase is not Phase.AWAKE or not missing:
        return _cleared(world, record, capacity)
    if not capacity.current_copies:
        return _noted(world, record, now)  # nothing serves: `drift` judges how long that may last
    if status.reach and status.reach.until > now:
        return record  # it is capped already; the copies are on their way down
    why = _why_not(world, record, capacity, now)
    if why is not None:
        return _capped(world, record, capacity, why, now)
    return _noted(world, record, now)


def _noted(world: World, record: EndpointRecord, now: datetime) -> EndpointRecord:
    if record.status.short_since:
        return record
    return record.having(world.store.save(record.status.model_copy(update={"short_since": now})))


def _why_not(world: World, record: EndpointRecord, capacity: Capacity, now: datetime) -> str | None:
    """Why no more copies come; None: they still may. The container knows more than SageMaker."""
    status = record.status
    since = status.short_since or now
    gave_up = capacity.status == "InService" and bool(capacity.failure)
    if gave_up or now - since >= LISTEN_AFTER:
        # Never from before the wish: a file may have been mended since.
        begun = max(since - _LISTEN_BACK, status.wished_at)
        crash = crash_beside(world.logs.read(status.name, begun, record.spec.kind))
        if crash is not None:
            return crash.sentence
    if gave_up or now - since >= PATIENCE:
        return capacity.failure or "SageMaker gives no reason"
    return None


def _cleared(world: World, record: EndpointRecord, capacity: Capacity) -> EndpointRecord:
    """Nothing is missing; if more came than could be had lately, nothing is capped either."""
    status = record.status
    came = status.reach is not None and capacity.current_copies > status.reach.copies
    if status.short_since is None and not came:
        return record
    cleared = {"short_since": None, **({"reach": None, "shortages": 0} if came else {})}
    return record.having(world.store.save(status.model_copy(update=cleared)))


def _capped(
    world: World, record: EndpointRecord, capacity: Capacity, why: str, now: datetime
) -> EndpointRecord:
    status = record.status
    shortages = status.shortages + 1
    until = now + backoff(shortages, FIRST_PAUSE, LONGEST_PAUSE)
    reach = Reach(capacity.current_copies, until)
    text = (
        f"Only {capacity.current_copies} of {capacity.desired_copies} copies came up: "
        f"{why.rstrip('.')}. "
        f"No more are asked for until {until:%H:%M} UTC."
    )
    capped = status.model_copy(update={"reach": reach, "short_since": None, "shortages": shortages})
    event = CopiesMissing(
        endpoint=status.name,
        generation=status.generation,
        at=now,
        current=capacity.current_copies,
        wanted=capacity.desired_copies,
        failure=why,
        until=until,
    )
    entries = [entry(capped, now, text)]
    saved = tell(world, world.store.save(telling(capped, event), entries=entries))
    return record.having(saved)
