"""What the state machines report: each step is acknowledged only after another look at AWS.

Every function first checks that the wish of that generation is still the newest; an execution
that was overtaken gets `current: False` and ends. All are idempotent: a step told twice
changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from ..alerts.events.life import EndpointRetired, EndpointSlept
from ..catalog.models import ModelFacts
from ..endpoints.setbacks import outcome_of
from ..endpoints.status import Cause, EndpointRecord, EndpointStatus, Shape, UsageSegment
from ..policy.ladder import TryOutcome
from ..policy.types import Phase
from ..ports import ConflictError
from .causes import sentence_of
from .metering import ASKING, asked_for_copies, metered, settled, sized_up
from .purse import barred
from .release import with_release
from .savings import month_of, saved_this_month
from .setbacks import back_to_zero, failure_of, next_wake, wait_for_capacity
from .spent import cost
from .stack_watch import note_gone
from .telling import tell, telling
from .unseen import closed_gap
from .wishes import NOT_SEEN, entry
from .world import World

_CONFLICT_TRIES = 5


class NotYetError(RuntimeError):
    """AWS does not agree yet with what the step says; Step Functions asks again."""


def with_current(
    world: World, name: str, generation: int, step: Callable[[EndpointRecord], bool | None]
) -> bool:
    """Runs the step on the newest record if its wish is still of this generation.

    Returns False when it is not (overtaken, or the endpoint is gone) or when the step says so.
    In observe mode none is: what was under way ends, and the tick follows what it sees.
    Repeats the whole step when somebody else wrote in between.
    """
    for attempt in range(1, _CONFLICT_TRIES + 1):
        record = world.store.load(name)
        if record is None or record.status.generation != generation:
            return False
        if world.only_observes(record.status):
            return False
        try:
            return step(record) is not False
        except ConflictError:
            if attempt == _CONFLICT_TRIES:
                raise
    return False


def record_staged(
    world: World,
    name: str,
    generation: int,
    commit: str,
    weights_uri: str,
    facts: ModelFacts | None = None,
) -> bool:
    """The weights lie in S3, or are pinned on the Hub: an instance is being asked for, unless
    nothing may wake now; then the execution ends, and the tick parks the creation."""

    def step(record: EndpointRecord) -> bool:
        now = world.clock.now()
        if record.status.phase is Phase.UPDATING:
            _staged_beside(world, record, commit, weights_uri, facts)
            return True
        if barred(record, now):
            return False
        counted, segments = metered(record, now, asked_for_copies(record, 1), Phase.CREATING)
        counted = counted.model_copy(update={"came": {}, **NOT_SEEN})
        how = "staged" if weights_uri.startswith("s3:") else "pinned on the Hub"
        text = f"Weights of commit {commit[:12]} are {how}; creating the endpoint."
        _advance(
            world, record, counted, Phase.CREATING, now, text, segments,
            commit=commit, weights_uri=weights_uri, facts=facts,
        )  # fmt: skip
        return True

    return with_current(world, name, generation, step)


def _staged_beside(
    world: World, record: EndpointRecord, commit: str, weights_uri: str, facts: ModelFacts | None
) -> None:
    """An update has its weights; the endpoint still serves from the old ones."""
    update = record.status.update
    if update is not None:
        found = {"commit": commit, "weights_uri": weights_uri, "facts": facts}
        staged = update.model_copy(update=found)
        world.store.save(record.status.model_copy(update={"update": staged}))


def record_shaped(
    world: World, name: str, generation: int, shape: Shape, copies_per_instance: int
) -> bool:
    """Its resources have the shape that was wished; how many copies an instance holds is known, and
    with that how many instances are asked for."""

    def step(record: EndpointRecord) -> None:
        changes = {
            "shaped": shape,
            "reshaping": False,
            "copies_per_instance": copies_per_instance,
        }
        shaped = record.having(record.status.model_copy(update=changes))
        if shaped.status.phase in ASKING:
            shaped = sized_up(shaped, asked_for_copies(shaped, shaped.status.wish_copies))
        world.store.save(shaped.status)

    return with_current(world, name, generation, step)


def record_asleep(world: World, name: str, generation: int) -> bool:
    """Zero *instances* were seen, once more here: the meter stops."""

    def step(record: EndpointRecord) -> None:
        now = world.clock.now()
        capacity = world.look(record)
        if capacity.instances or capacity.desired_copies or capacity.current_copies:
            raise NotYetError(f"{name} is not at zero yet: {capacity}")
        status = record.status
        if status.phase is Phase.ASLEEP:
            return
        record, unseen = closed_gap(record, capacity, now)
        counted, segments = metered(record, now, {}, Phase.ASLEEP)
        segments = (*unseen, *segments)
        text = f"Zero instances seen {(now - status.wished_at).total_seconds():.0f} s after."
        _advance(
            world, record, telling(counted, _slept(world, record, segments, now)), Phase.ASLEEP,
            now, text, segments, observed_copies=0, observed_instances=0, desired_copies=0,
            attempts=0, retry_at=next_wake(record, now), recommendations=(),
            release_seconds=with_release(status, now),
        )  # fmt: skip

    return with_current(world, name, generation, step)


def _slept(
    world: World, record: EndpointRecord, closing: Sequence[UsageSegment], now: datetime
) -> EndpointSlept:
    """`closing`: the segments that end with this sleep, and are not stored yet."""
    status = record.status
    # Of a creation the first sleep is told too: what was before it is another one's cost.
    woken = max(status.last_wake_at or status.created_at, status.created_at)
    stored = world.store.usage(min(woken, month_of(now)), now)
    used = [s for s in stored if s.endpoint == status.name]
    fleet = world.store.load_all() if record.spec.instances.shared else ()
    ran = [s for s in (*used, *closing) if s.start >= woken]
    return EndpointSlept(
        endpoint=status.name,
        generation=status.generation,
        at=now,
        awake_seconds=max(0.0, _awake_for(status, woken).total_seconds()),
        reason=status.cause,
        asked_by=status.asked_by,
        cost_usd=cost(_last_run(ran) if status.cause is Cause.DRIFT else ran),
        saved_usd=saved_this_month(record, (*stored, *closing), now, fleet),
        team=record.spec.team,
    )


def _awake_for(status: EndpointStatus, woken: datetime) -> timedelta:
    """Until the sleep was wished first. Zero: it was not, because its wake failed or was ended, or
    somebody else put copies there while it slept; when it was awake last is of a time before.

    Where sleeps were turned round, since its first answer, as its cost is, less the starts anew.
    """
    at = status.last_awake_at
    if at is None or at < woken or status.cause is Cause.DRIFT:
        return timedelta(0)
    measured = (*status.cold_starts, *((status.creation,) if status.creation else ()))
    first, *anew = sorted(s.ready_at for s in measured if s.ready_at >= woken) or [at]
    lost = sum((s.lead_time for s in measured if s.ready_at in anew), timedelta(0))
    return status.phase_since - (first if anew else at) - lost


def _last_run(segments: Sequence[UsageSegment]) -> list[UsageSegment]:
    """Without those before the last pause: what was told when that began."""
    run: list[UsageSegment] = []
    for segment in sorted(segments, key=lambda one: one.end, reverse=True):
        if run and segment.end < min(one.start for one in run):
            break
        run.append(segment)
    return run


def record_retired(world: World, name: str, generation: int) -> bool:
    """Everything of the endpoint is gone, as seen here: it leaves the fleet; usage stays."""

    def step(record: EndpointRecord) -> None:
        now = world.clock.now()
        capacity = world.look(record)
        if capacity.exists or capacity.instances or capacity.status:
            raise NotYetError(f"{name} still exists: {capacity}")
        counted, segments = metered(record, now, {}, Phase.RETIRED)
        team = record.spec.team  # its file is gone when people are told
        told = EndpointRetired(endpoint=name, generation=generation, at=now, team=team)
        saved = _advance(
            world, record, telling(counted, told), Phase.RETIRED, now,
            "Everything of it was removed.", segments,
        )  # fmt: skip
        if saved.untold:
            raise NotYetError(f"{name} is forgotten when the bus has taken that it is retired")
        forget_retired(world, record.having(saved), now)

    return with_current(world, name, generation, step)


def forget_retired(world: World, record: EndpointRecord, now: datetime) -> None:
    """The last of a retirement. Raises ConflictError when somebody else was at it too.

    Its execution may have given up before (the table or the bus could not be had for minutes):
    then a tick does it, or the name would never be free again.
    """
    note_gone(world, record, now)
    world.store.forget(record.status)


def record_failed(world: World, name: str, generation: int, error: str, cause: str) -> bool:
    """An execution gave up. A failed creation waits for a person; a failed wake goes back to
    zero and is tried again later, because its requests are still waiting."""

    def step(record: EndpointRecord) -> None:
        now = world.clock.now()
        failure = sentence_of(error, cause)
        if record.status.phase is Phase.WAKING:
            back_to_zero(world, record, failure, now)
        elif record.status.phase in (Phase.STAGING, Phase.CREATING):
            if outcome_of(failure) is TryOutcome.CAPACITY:
                wait_for_capacity(world, record, failure, now)
            else:
                _failed_creation(world, record, failure, now)
        elif record.status.phase is not Phase.FAILED:  # that was recorded already
            raise RuntimeError(failure)  # the execution fails loudly; the tick tries again

    return with_current(world, name, generation, step)


def _failed_creation(world: World, record: EndpointRecord, failure: str, now: datetime) -> None:
    """Within its own wish: this execution has removed what it had made, and ends by itself."""
    counted, segments = metered(settled(record), now, {}, Phase.FAILED)
    changes = {"failed_in": record.status.phase, "failure": failure, "observed_at": None}
    counted = counted.model_copy(update=changes)
    told = failure_of(counted, now, counted.generation)
    _advance(world, record, telling(counted, told), Phase.FAILED, now, failure, segments)


def _advance(
    world: World,
    record: EndpointRecord,
    status: EndpointStatus,
    phase: Phase,
    now: datetime,
    text: str,
    segments: Any = (),
    **changes: Any,
) -> EndpointStatus:
    """Moves within one wish: the generation stays. Tells what the status has untold."""
    if record.status.phase is phase:
        return tell(world, record.status)
    moved = status.model_copy(update={"phase": phase, "phase_since": now, **changes})
    lines = [entry(moved, now, text)]
    return tell(world, world.store.save(moved, segments=segments, entries=lines))
