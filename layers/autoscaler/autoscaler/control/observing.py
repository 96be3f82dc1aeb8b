"""Observe mode: the endpoint is looked at, its decision is made, told and priced, and nothing is
changed. This takes the place of all that the tick would do; every other way to a change ends at
`World.only_observes`, and the stack's roles lack the rights besides (docs/decisions/0015).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from ..alerts.events.base import Event
from ..alerts.events.observing import ChangeWithheld, ObservingBegan, ObservingEnded
from ..endpoints.mode import Mode
from ..endpoints.phases import FOLLOWED
from ..endpoints.stack_state import StackState
from ..endpoints.status import Cause, EndpointRecord
from ..endpoints.withheld import Withheld, Would
from ..policy.decide import decide
from ..policy.keep_alive import LONGEST_STAY
from ..policy.stabilization import remember
from ..policy.types import Decision, Phase
from ..ports import Capacity, Load
from .metering import metered, seen, settled
from .observe import history, observe
from .reasons import keep_reasons
from .telling import tell, telling
from .wishes import entry
from .withheld import PARAMETER, difference, is_same, less_its_start, priced, would_be
from .withheld import would_have_saved as saved
from .world import World


def moded(
    state: StackState,
    records: Sequence[EndpointRecord],
    mode: Mode,
    now: datetime,
    events: list[Event],
) -> StackState:
    """The stack's state with when observe mode began; tells that it began or ended."""
    since = state.observing_since
    if mode is Mode.OBSERVE and since is None:
        events.append(ObservingBegan(endpoint="", at=now))
        return state.model_copy(update={"observing_since": now})
    if mode is Mode.ACT and since is not None:
        total = sum(saved(records, since, now, open_ended=True).values(), Decimal(0))
        seconds = max(0.0, (now - since).total_seconds())
        events.append(
            ObservingEnded(endpoint="", at=now, since_seconds=seconds, would_have_saved_usd=total)
        )
        return state.model_copy(update={"observing_since": None})
    return state


def followed(
    world: World, record: EndpointRecord, capacity: Capacity, now: datetime
) -> EndpointRecord:
    """The record in the phase that is seen: people act by themselves meanwhile, and a flow that was
    under way has ended. The raised generation overtakes what may be left of it."""
    status, phase = record.status, _seen_phase(record, capacity)
    if phase is None or phase not in FOLLOWED.get(status.phase, frozenset()):
        return record
    there = capacity.instances_by_type
    looked = record.having(seen(status, there, now))
    moved, segments = metered(settled(looked), now, there, phase, capacity.copies)
    after = moved.model_copy(
        update={
            "generation": status.generation + 1,
            "phase": phase,
            "phase_since": now,
            "wished_at": now,
            "cause": Cause.DRIFT,
            "attempts": 0,
            "retry_at": None,
            "last_awake_at": now if phase is Phase.AWAKE else status.last_awake_at,
        }
    )
    text = f"{PARAMETER}: it was {status.phase}, and is seen {phase}."
    kept = world.store.save(after, segments=segments, entries=[entry(after, now, text)])
    return record.having(kept)


def _seen_phase(record: EndpointRecord, capacity: Capacity) -> Phase | None:
    """None: it is between the two. Where copies are instances, one counts from the moment that it
    is asked for; SageMaker says when it serves."""
    comes_up = record.spec.kind.is_whole_instance and capacity.status != "InService"
    if capacity.current_copies and not comes_up:
        return Phase.AWAKE
    return None if capacity.copies or capacity.instances else Phase.ASLEEP


def advise(
    world: World, record: EndpointRecord, load: Load, capacity: Capacity, now: datetime
) -> None:
    """Decides, and keeps what differs from what is there; told once, when it begins or changes.

    Raises ConflictError; the next tick finds the same again.
    """
    if record.status.phase not in (Phase.AWAKE, Phase.ASLEEP):
        return
    decision = decide(
        record.spec, observe(record, load, capacity, now, world.tick), history(record), now
    )
    before, after = record.status.withheld, difference(record, decision, capacity, now)
    record = _remembering(record, decision, now)
    if is_same(before, after):
        if before and after:
            since = {"since": before.since, "saved_usd": before.saved_usd}
            after = after.model_copy(update=since)
        kept = record.status.model_copy(update={"withheld": after})
        record = record.having(world.store.save(kept))
    else:
        record = _news(world, record, decision, capacity, after, now)
    keep_reasons(world, record, decision, load, now)


def _remembering(record: EndpointRecord, decision: Decision, now: datetime) -> EndpointRecord:
    """What demand asked for is remembered as when it is acted on: sizes are stabilised by it."""
    if record.status.phase is not Phase.AWAKE or not decision.recommendation:
        return record
    kept = remember(history(record), decision.recommendation, LONGEST_STAY, now).recommendations
    return record.having(record.status.model_copy(update={"recommendations": kept}))


def _news(
    world: World,
    record: EndpointRecord,
    decision: Decision,
    capacity: Capacity,
    after: Withheld | None,
    now: datetime,
) -> EndpointRecord:
    """Something else is withheld than before, or nothing any more."""
    before = record.status.withheld
    would_wake = (
        before is not None and before.would is Would.SLEEP and record.status.phase is Phase.AWAKE
    )
    record = less_its_start(record, now) if would_wake else record
    ended = record.status.withheld if would_wake else None
    changes = {"withheld": after, "withheld_at": now if after else None}
    status = record.status.model_copy(update=changes)
    if after is None and ended is None:
        text = f"{PARAMETER}: what is there is what is decided. {decision.summary}".rstrip()
        return record.having(world.store.save(status, entries=[entry(status, now, text)]))
    told = ChangeWithheld(
        endpoint=status.name,
        generation=status.generation,
        at=now,
        would=Would.WAKE if ended or after is None else after.would,
        before=0 if ended else capacity.desired_copies,
        after=decision.copies if after is None else after.copies,
        saves_usd_per_hour=after.saves_usd_per_hour if after else Decimal(0),
        saved_usd=ended.saved_usd if ended else None,
        reasons=tuple(reason.text for reason in decision.reasons),
    )
    what = would_be(told.would, told.after) + priced(told.saves_usd_per_hour)
    lines = [entry(status, now, f"{PARAMETER}: {what}. {decision.summary}".rstrip())]
    return record.having(tell(world, world.store.save(telling(status, told), entries=lines)))
