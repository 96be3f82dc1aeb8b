"""The kill switch: everything, or one endpoint, to zero now, and nothing wakes until it is taken
back. A person sets it, or the breaker.

It is one stored item, read with every look at the fleet. Whoever would wake something asks `barred`
first; what is under way is put down here, by the order itself and by every tick after it, so that
a wake which began in the same moment lives for one tick.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ..alerts.events.budgets import StopEnded, StopSet, WakePutDown
from ..endpoints.stack_state import StackState
from ..endpoints.status import Cause, EndpointRecord, EndpointStatus, UpdateWay
from ..policy.budget import Halt, stopped_text
from ..policy.types import Phase, Stop
from ..ports import ConflictError, Flow, FlowState
from .metering import ASKING, metered, running, settled
from .purse import barred, cause_of
from .stack_telling import save_and_tell
from .telling import tell, telling
from .updating import anew, created_with_update
from .wishes import FLOWS, carry_out, created_anew, entry, request_sleep, wished
from .world import OrderError, World, find


@dataclass(frozen=True)
class Stopped:
    """What an order did: phases by endpoint, and why whose turn comes with the next tick."""

    state: StackState
    phases: Mapping[str, str]
    left: Mapping[str, str] = field(default_factory=dict)


def stop(world: World, author: str, reason: str, name: str = "") -> Stopped:
    """Sets the switch and puts down what it concerns; raises OrderError if it is on already."""
    state, now = world.store.stack(), world.clock.now()
    if name:
        find(world, name)
    before = state.stopped_endpoints.get(name) if name else state.stopped
    if before is not None:
        raise OrderError(f"{stopped_text(before)}: it is on already")
    one = Stop(now, author, reason, name)
    endpoints = {**state.stopped_endpoints, name: one} if name else state.stopped_endpoints
    after = state.model_copy(
        update={
            "stopped": state.stopped if name else one,
            "stopped_endpoints": endpoints,
        }
    )
    told = StopSet(endpoint=name, at=now, author=author, reason=reason)
    saved = save_and_tell(world, after, told)
    return _put_all_down(world, saved, name, now)


def start(world: World, author: str, name: str = "") -> Stopped:
    """Takes the switch back; what waits is woken by the next tick. OrderError if it is not on."""
    state, now = world.store.stack(), world.clock.now()
    before = state.stopped_endpoints.get(name) if name else state.stopped
    if before is None:
        if name:
            find(world, name)  # of one that is gone a stop may be left, which is taken back
        raise OrderError(_not_on(state, name))
    rest = {one: stop for one, stop in state.stopped_endpoints.items() if one != name or not name}
    calm = {**state.calm_from, name: now} if name else state.calm_from
    changes = {"stopped_endpoints": rest, "calm_from": calm}
    after = state.model_copy(update=changes if name else {**changes, "stopped": None})
    told = StopEnded(
        endpoint=name,
        at=now,
        author=author,
        since_seconds=max(0.0, (now - before.since).total_seconds()),
        still_stopped=() if name else tuple(sorted(rest)),
    )
    saved = save_and_tell(world, after, told)
    phases = {record.status.name: record.status.phase.value for record in world.store.load_all()}
    return Stopped(saved, {name: phases[name]} if name in phases else phases)


def _not_on(state: StackState, name: str) -> str:
    if name and state.stopped:
        return f"{name} is not stopped by itself, but everything is: autoscaler start"
    if name:
        return f"{name} is not stopped: there is nothing to start; autoscaler wake {name} wakes it"
    if ones := sorted(state.stopped_endpoints):
        return f"not everything is stopped, only {', '.join(ones)}: autoscaler start {ones[0]}"
    return "nothing is stopped: there is nothing to start"


def _put_all_down(world: World, state: StackState, name: str, now: datetime) -> Stopped:
    """At once, as far as nobody writes at the same moment and AWS takes it; the ticks do the rest,
    and are loud about what goes on failing."""
    phases, left = {}, {}
    for record in world.store.load_all():
        status = record.status
        if name and status.name != name:
            continue
        try:
            if halt := barred(record, now):
                put_down(world, record, halt, now)
        except ConflictError:
            left[status.name] = "it was being written"
        except Exception as error:  # noqa: BLE001 - shown; one endpoint must not stop the others
            left[status.name] = f"{type(error).__name__}: {error}"
        newest = world.store.load(status.name)
        phases[status.name] = newest.status.phase.value if newest else Phase.RETIRED.value
    return Stopped(state, phases, left)


def put_down(world: World, record: EndpointRecord, halt: Halt, now: datetime) -> bool:
    """Turns what is up, or on its way up, to zero; False: it is there, or on its way down already.

    Raises ConflictError when somebody else wrote first.
    """
    status, cause, text = record.status, cause_of(halt), halt.reason.text
    if status.phase is Phase.AWAKE:
        request_sleep(world, record, cause, text)
    elif status.phase is Phase.WAKING:
        events = _why_down(status, cause, text, now)
        request_sleep(world, settled(record), cause, text, events=events)
    elif status.phase is Phase.UPDATING:
        return _out_of_an_update(world, record, cause, text, now)
    elif status.phase in (Phase.STAGING, Phase.CREATING):
        return _park(world, record, cause, text, now)
    else:
        return False
    return True


def _why_down(status: EndpointStatus, cause: Cause, text: str, now: datetime) -> list[WakePutDown]:
    """What people hear of a wake or a creation that a budget ends; the switch is told by itself.

    It may be told before anything is spent, which no percentage tells then.
    """
    if cause is not Cause.BUDGET or status.phase not in ASKING:
        return []
    who = {"endpoint": status.name, "generation": status.generation, "at": now}
    return [WakePutDown(**who, why=text)]


def _out_of_an_update(
    world: World, record: EndpointRecord, cause: Cause, text: str, now: datetime
) -> bool:
    """Copies that roll go to zero in the middle; the new file waits, and begins again from zero.
    An update by way of zero, or of who sleeps, has no copies, and ends there."""
    status = record.status
    update = status.update
    if update is None or update.way is UpdateWay.REPLACE or not status.desired_copies:
        return False
    counted, segments = metered(record, now, running(status), Phase.SLEEPING)
    again = update.model_copy(update={"build": 0})
    wish = wished(counted, Phase.SLEEPING, cause, now, wish_copies=0, update=again, retry_at=None)
    carry_out(world, record, wish, segments, text)
    return True


def _park(world: World, record: EndpointRecord, cause: Cause, text: str, now: datetime) -> bool:
    """A creation cannot sleep: what it made is removed, and it begins anew when it may.

    Weights go on being staged, which takes no instance; what is staged is found again.
    """
    before, flow = record.status, FLOWS[record.status.phase]
    report = world.flows.look(flow, before.name, before.generation)
    if before.phase is Phase.STAGING and report.state is FlowState.RUNNING:
        return False
    record = settled(record)
    counted, segments = metered(record, now, running(record.status), Phase.FAILED)
    parked = wished(
        counted,
        Phase.FAILED,
        cause,
        now,
        failed_in=before.phase,
        failure=text,
        observed_at=None,
        parked=True,
    )
    parked = telling(parked, *_why_down(before, cause, text, now))
    saved = world.store.save(parked, segments=segments, entries=[entry(parked, now, text)])
    world.flows.stop(flow, before.name, before.generation, text)
    world.flows.start(Flow.REMOVE, saved.name, saved.generation)
    tell(world, saved)
    return True


def go_on(world: World, record: EndpointRecord, now: datetime) -> bool:
    """A creation that was parked begins anew when nothing bars it and nothing of it is left.
    False: not yet."""
    status = record.status
    report = world.flows.look(Flow.REMOVE, status.name, status.generation)
    if report.state is FlowState.ABSENT:  # whoever parked it died after it was stored
        if making := FLOWS.get(status.failed_in or status.phase):
            world.flows.stop(making, status.name, status.generation - 1, status.failure or "")
        world.flows.start(Flow.REMOVE, status.name, status.generation)
        return False
    left = status.observed_instances or report.state is FlowState.RUNNING
    if left or barred(record, now):
        return False
    record = created_with_update(world, record)  # a file that waits is the one to begin with
    status = record.status
    again = wished(
        status, Phase.STAGING, Cause.RETRY, now, wish_copies=1, failed_in=None, failure=None,
        retry_at=None, shape=anew(status), instance_type="", **created_anew(status, now),
    )  # fmt: skip
    carry_out(world, record, again, [], "Nothing bars it any more: its creation begins anew.")
    return True
