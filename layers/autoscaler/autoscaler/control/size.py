"""How big a wake shall be, and whether a sleep may go on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from ..endpoints.status import Cause, EndpointRecord, EndpointStatus
from ..policy.decide import decide
from ..policy.types import Bounds, Phase
from ..policy.wording import counted
from ..ports import SignalError
from .asked_by import named
from .in_force import Kind, in_force, keeps_copies, who_keeps_copies
from .metering import asked_for_copies, metered, sized_up
from .observe import history, observe
from .progress import with_current
from .purse import barred, capped
from .wishes import UNCONDITIONAL, may_not_wake, request_wake
from .world import World


@dataclass(frozen=True)
class WakePlan:
    """What `wake_endpoint` shall do. `current` False: the wish was overtaken."""

    current: bool
    copies: int = 0
    reshape: bool = False  # its resources do not have the wished shape yet
    bounds: Bounds = field(default_factory=lambda: Bounds(0, 0))
    record: EndpointRecord | None = field(default=None, compare=False)  # as it was looked at


def plan_wake(world: World, name: str, generation: int) -> WakePlan:
    """Sizes the wake by the backlog as it is now, at least by what the wish asked for.

    The policy's own decision for an endpoint that starts; a size once wished is never cut.
    """
    plans: list[WakePlan] = []

    def step(record: EndpointRecord) -> bool:
        status = record.status
        if status.phase is not Phase.WAKING:
            return False
        now = world.clock.now()
        if barred(record, now):  # this execution ends, and the tick puts the endpoint to zero
            return False
        load = world.load_of(record, now)
        if load.trouble:  # a size that was guessed would be paid for
            raise SignalError(f"{name}: {load.trouble}")
        seen = observe(record, load, world.look(record), now, world.tick)
        decision = decide(record.spec, seen, history(record), now)
        highest = max(decision.bounds.max_copies, 1)
        reshape = needs_shape(status, shared=record.spec.instances.shared is not None)
        copies = min(max(status.wish_copies, decision.copies, 1), highest)
        if copies != status.wish_copies or (reshape and not status.reshaping):
            wanted = asked_for_copies(record, copies)
            larger = sized_up(record, wanted)
            grown, segments = metered(larger, now, wanted, Phase.WAKING, copies)
            noted = {"wish_copies": copies, "reshaping": reshape or status.reshaping}
            world.store.save(grown.model_copy(update=noted), segments=segments)
        plans.append(WakePlan(True, copies, reshape, Bounds(copies, highest), record))
        return True

    current = with_current(world, name, generation, step)
    return plans[-1] if current else WakePlan(False)


def needs_shape(status: EndpointStatus, *, shared: bool = False) -> bool:
    """Whether its resources are not, or not surely, as wished. What runs already stays so: nothing
    is changed under it, and the next wake from zero changes it. On shared machines what came may
    be others'."""
    runs = status.observed_copies if shared else status.came
    return not runs and (status.shape != status.shaped or status.reshaping)


def may_sleep(world: World, name: str, generation: int) -> bool:
    """The guard before capacity goes: False when the wish was overtaken, or when work or a hold
    came up meanwhile; then the endpoint is turned round to waking."""

    def step(record: EndpointRecord) -> bool:
        status = record.status
        if status.phase is not Phase.SLEEPING:
            return False
        now = world.clock.now()
        if status.cause in UNCONDITIONAL or barred(record, now):
            return True
        if keeps_copies(status, now) and _may_turn_round(record, now):
            held = (
                status.hold.min_copies if Kind.HOLD in in_force(status, now) and status.hold else 1
            )
            text = "Copies were asked to stay while it went to sleep: turning round."
            who = named([who_keeps_copies(status, now)])
            request_wake(world, record, Cause.HOLD, max(1, held), text, who)
            return False
        backlog = 0 if may_not_wake(record, now) else world.load.backlog(name)
        if backlog:
            text = f"{counted(backlog, 'request')} came while it went to sleep: turning round."
            request_wake(world, record, Cause.MESSAGE, 1, text)
        return not backlog

    return with_current(world, name, generation, step)


def _may_turn_round(record: EndpointRecord, now: datetime) -> bool:
    """A hold always may. Warmth yields to a budget that is spent, which put it to sleep, and to
    what keeps requests from waking it: the next look would put it to sleep again, and so on."""
    if Kind.HOLD in in_force(record.status, now):
        return True
    return not capped(record, now) and not may_not_wake(record, now)
