"""A copy that starts, looked at again and again: how far it is, and whether it can still come.

Each look is one step of `wake_endpoint` and `create_capacity`. It notes the stages that were
reached, reads what the container says, and ends a start that cannot succeed long before SageMaker
would: an instance is billed all the while.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from ..endpoints.container_log import Crash, LogLine, crash_in, started_at
from ..endpoints.status import EndpointRecord, EndpointStatus, UsageSegment
from ..policy.economy import lead_time, p90
from ..policy.types import Phase
from ..ports import Capacity
from .metering import metered, running, seen
from .observe import history
from .progress import with_current
from .world import STARTING, World

# Engines complain and die within seconds, and are started again at once: older lines of a long
# start tell nothing that was not read before.
_LOG_SPAN = timedelta(minutes=10)
# Times the usual time between two looks. Before a copy can be ready looks are for what goes wrong:
# a container that dies is seen a look later. Then each second that it is not seen is an instance's
# and everybody's who waits for it, and costs more than the looks.
SELDOM, USUAL, OFTEN = 8.0, 1.0, 0.5
_MOST_OF_IT = 0.85  # of the shortest wake: before that none was ever ready
MEASURED_ENOUGH = 3  # wakes, to know how far they differ
_AT_ONCE = timedelta(seconds=5)  # after the moment of a look, for the look and the probe
_OVERDUE = timedelta(minutes=2)
_LONGEST_POLL = timedelta(seconds=15)  # the usual time between two looks: template's PollSeconds


class Verdict(StrEnum):
    """What the state machine does next."""

    WAIT = "wait"
    RAISE = "raise"  # the copies are fewer than asked for: ask again
    CREATE = "create"  # it is not there: it slept deleted, or its creation made nothing
    PROBE = "probe"
    FAILED = "failed"
    OVERTAKEN = "overtaken"


@dataclass(frozen=True)
class Look:
    """A verdict; `error` and `cause` say why it failed, as Step Functions has them. `pace`: times
    the usual time until the next look."""

    verdict: Verdict
    error: str = ""
    cause: str = ""
    pace: float = USUAL


@dataclass(frozen=True)
class Patience:
    """How long a start may take: until an instance was seen, and in all."""

    capacity: timedelta
    wake: timedelta


def look_at_start(
    world: World,
    name: str,
    generation: int,
    copies: int,
    patience: Patience,
) -> Look:
    """Looks once and stores the stages that were reached; the verdict says how to go on.

    `copies` is what was asked for. A wish that was overtaken gets OVERTAKEN.
    """
    looks: list[Look] = []

    def step(record: EndpointRecord) -> bool:
        status = record.status
        if status.phase not in STARTING:
            return False
        now = world.clock.now()
        capacity = _starting(record, world.look(record))
        lines = _lines(world, record, capacity, now)
        reached, segments = _counted(record, _reached(status, capacity, lines, now), capacity, now)
        if reached != status:
            world.store.save(reached, segments=segments)
        own = _own(record, reached, capacity)
        look = judge(reached, own, crash_in(lines), copies, patience, now)
        looks.append(look if look.verdict is not Verdict.WAIT else _waiting(record, capacity, now))
        return True

    current = with_current(world, name, generation, step)
    return looks[-1] if current else Look(Verdict.OVERTAKEN)


def _starting(record: EndpointRecord, capacity: Capacity) -> Capacity:
    """Where copies are instances, none is known to serve until SageMaker has set the endpoint in
    service: an instance is counted from the moment that it is asked for."""
    if record.spec.kind.is_whole_instance and capacity.status != "InService":
        return replace(capacity, current_copies=0)
    return capacity


def _counted(
    record: EndpointRecord, reached: EndpointStatus, capacity: Capacity, now: datetime
) -> tuple[EndpointStatus, tuple[UsageSegment, ...]]:
    """More than was asked for counts from the look that sees it, as in a tick."""
    if capacity.instances <= sum(running(reached).values()):
        return reached, ()
    there = capacity.instances_by_type
    return metered(record.having(reached), now, there, reached.phase, capacity.copies)


def _own(record: EndpointRecord, reached: EndpointStatus, capacity: Capacity) -> Capacity:
    """On shared machines instances say nothing of a copy before its container spoke: they may be
    full of others'."""
    if record.spec.instances.shared is None or reached.container_seen_at is not None:
        return capacity
    return replace(capacity, instances_by_type={})


def _waiting(record: EndpointRecord, capacity: Capacity, now: datetime) -> Look:
    """What is waited for may have to be made first. Of a creation that is so when SageMaker took
    something else for it, or somebody deleted it meanwhile: its endpoint would bill for nothing."""
    phase, comes_back = record.status.phase, record.spec.kind.sleeps_deleted
    makes = phase is Phase.CREATING or (phase is Phase.WAKING and comes_back)
    if makes and not capacity.exists:
        return Look(Verdict.CREATE)
    # What a sleep was still about, when it was turned round, has to end before anything is asked.
    asked = capacity.desired_copies >= 1 and capacity.status != "Deleting"
    return Look(Verdict.WAIT, pace=pace(record, now) if asked else USUAL)


def pace(record: EndpointRecord, now: datetime) -> float:
    """How soon a wake is worth another look, by what the endpoint's wakes took before. One that
    fails where it used to come, and a creation, are looked at as usual."""
    status, took = record.status, record.status.lead_times()
    if status.phase is not Phase.WAKING or not took:
        return USUAL
    passed = now - status.wished_at
    left = may_be_ready(took) - passed
    if left > timedelta(0):  # the next look comes no later than that moment
        return min(SELDOM, max(OFTEN, left / _LONGEST_POLL))
    return OFTEN if passed < lead_time(history(record)) + _OVERDUE else USUAL


def may_be_ready(took: Sequence[timedelta]) -> timedelta:
    """How long after the wish a wake may be ready at the earliest, by what the last ones took,
    oldest first: a bit before the shortest, and the more before it the further they differ. Pure.

    Of one that was ready at the first look that could see it nobody knows since when: the next
    one may be much shorter.
    """
    moment = timedelta(0)
    for number in range(1, len(took) + 1):
        known = took[:number]
        was_ready = number > 1 and known[-1] <= moment + _AT_ONCE
        moment = _MOST_OF_IT * min(known)
        if number >= MEASURED_ENOUGH and not was_ready:
            early = max(OFTEN * _LONGEST_POLL, (p90(known) - min(known)) / 2)
            moment = max(moment, min(known) - early)
    return moment


def judge(
    status: EndpointStatus,
    capacity: Capacity,
    crash: Crash | None,
    copies: int,
    patience: Patience,
    now: datetime,
) -> Look:
    """What follows from one look. Pure."""
    if capacity.current_copies >= 1 and capacity.desired_copies >= 1:
        return Look(Verdict.PROBE)
    if capacity.status == "Failed":
        return Look(Verdict.FAILED, "ComponentFailed", capacity.failure or "SageMaker says no more")
    if crash is not None:
        return Look(Verdict.FAILED, "ContainerCrash", crash.sentence)
    settled = capacity.exists and capacity.status == "InService"
    if settled and capacity.desired_copies < copies:
        return Look(Verdict.RAISE)
    if settled and capacity.failure:
        return Look(Verdict.FAILED, "NoCapacity", capacity.failure)
    # A creation makes its endpoint first, and another rung takes a new config: both take minutes
    # in which nobody has asked for an instance yet.
    waited = now - (status.asked_at or now)
    if not capacity.instances and waited >= patience.capacity:
        minutes = waited.total_seconds() / 60
        return Look(
            Verdict.FAILED, "NoCapacity", f"no instance was seen for it in {minutes:.0f} min"
        )
    if waited >= patience.wake:
        return Look(Verdict.FAILED, "TooSlow", "no copy came into service in time")
    return Look(Verdict.WAIT)


def _lines(
    world: World, record: EndpointRecord, capacity: Capacity, now: datetime
) -> list[LogLine]:
    """Nothing speaks before there is an instance."""
    status = record.status
    if not capacity.instances or capacity.current_copies:
        return []
    since = max(status.phase_since, now - _LOG_SPAN)
    return world.logs.read(status.name, since, record.spec.kind)


def _reached(
    status: EndpointStatus, capacity: Capacity, lines: list[LogLine], now: datetime
) -> EndpointStatus:
    """The status with the stages that are over; the first time that each was seen stays."""
    spoke = started_at(lines)
    return seen(status, capacity.instances_by_type, now).model_copy(
        update={
            "asked_at": status.asked_at or now,
            "container_seen_at": status.container_seen_at or spoke,
            "copy_seen_at": status.copy_seen_at or (now if capacity.current_copies else None),
        }
    )
