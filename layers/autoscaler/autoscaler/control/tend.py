"""An endpoint in transition: make sure that an execution is at work on its wish."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..alerts.events.life import SleepStuck
from ..endpoints.status import Cause, EndpointRecord, EndpointStatus
from ..policy.ladder import backoff
from ..policy.types import Phase
from ..policy.wording import counted
from ..ports import Flow, FlowReport, FlowState
from .causes import sentence_of
from .metering import on_rung
from .setbacks import back_to_zero, fail
from .updating import created_with_update, give_up_update
from .wishes import (
    FLOWS,
    UNCONDITIONAL,
    carry_out,
    created_anew,
    entry,
    ladder_step,
    wished,
)
from .world import World

FIRST_RETRY = timedelta(seconds=30)
LONGEST_RETRY = timedelta(minutes=15)
# A creation is given up after so many executions: it costs an instance each time.
CREATION_ATTEMPTS = 3
# An execution begins after its wish was stored; AWS's clocks differ by seconds at most.
CLOCKS_DIFFER_BY = timedelta(minutes=5)
# More wishes than an endpoint has in the 35 days that its table can be set back by.
LEAP = 10_000


def tend_flow(world: World, record: EndpointRecord, now: datetime) -> None:
    """Starts the wish's execution if there is none; tries again if it ended badly."""
    status = record.status
    flow = FLOWS[status.phase]
    report = world.flows.look(flow, status.name, status.generation)
    if _is_of_another_wish(status, report):
        _leap(world, record, now)
        return
    if report.state is FlowState.RUNNING:
        return
    if report.state is FlowState.ABSENT:
        world.flows.start(flow, status.name, status.generation)
        return
    if status.retry_at and now < status.retry_at:
        return
    _try_again(world, record, report, now)


def _is_of_another_wish(status: EndpointStatus, report: FlowReport) -> bool:
    """The table was set back to an earlier time: its generations come a second time, and their
    executions' names are taken by what ran before."""
    began = report.began_at
    return began is not None and began < status.wished_at - CLOCKS_DIFFER_BY


def _leap(world: World, record: EndpointRecord, now: datetime) -> None:
    """The same wish under a generation that no execution was named after."""
    status = record.status
    kept = {"phase_since": status.phase_since, "attempts": status.attempts}
    beyond = status.generation + LEAP
    again = wished(status, status.phase, status.cause, now, generation=beyond, **kept)
    text = (
        f"An execution of generation {status.generation} ran before it was wished: the table was "
        f"set back to an earlier time. It goes on under generation {beyond}."
    )
    carry_out(world, record, again, [], text)


def _try_again(world: World, record: EndpointRecord, report: FlowReport, now: datetime) -> None:
    """An execution that is over while its phase is not: the phase decides what follows."""
    status = record.status
    failures = status.attempts + 1
    why = sentence_of("The execution ended without recording its outcome", report.cause or "")
    if status.phase is Phase.WAKING:
        back_to_zero(world, record, why, now)
        return
    if status.phase is Phase.UPDATING and failures >= CREATION_ATTEMPTS:
        give_up_update(world, record, why, now)
        return
    if status.phase is Phase.STAGING and status.update:
        _with_the_new_file(world, record, now)
        return
    if status.phase is Phase.STAGING and _found_no_capacity(status):
        _on_the_next_rung(world, record, now)
        return
    if status.phase in (Phase.STAGING, Phase.CREATING) and failures >= CREATION_ATTEMPTS:
        failed = fail(world, record, Cause.RETRY, why, now)
        world.flows.start(Flow.REMOVE, failed.name, failed.generation)
        return
    again = wished(
        status,
        status.phase,
        _cause_of_retry(status),
        now,
        attempts=failures,
        failure=why,
        retry_at=now + backoff(failures, FIRST_RETRY, LONGEST_RETRY),
        phase_since=status.phase_since,
    )
    stuck = SleepStuck(
        endpoint=status.name,
        generation=again.generation,
        at=now,
        instances=status.observed_instances,
        since_seconds=(now - status.phase_since).total_seconds(),
        since=status.phase_since,
        shared=record.spec.instances.shared or "",
    )
    told = [stuck] if status.phase is Phase.SLEEPING else []
    carry_out(world, record, again, [], f"Trying again (attempt {failures + 1}): {why}", *told)


def _on_the_next_rung(world: World, record: EndpointRecord, now: datetime) -> None:
    """A creation that found no capacity is tried where the ladder says."""
    record = on_rung(record, ladder_step(record, now).rung)
    types = ", ".join(record.spec.on_rung(record.status.shape.rung).instances.types)
    anew = created_anew(record.status, now)
    again = wished(record.status, Phase.STAGING, Cause.RETRY, now, retry_at=None, **anew)
    carry_out(world, record, again, [], f"Trying to create it on {types}.")


def _found_no_capacity(status: EndpointStatus) -> bool:
    """Whether this very wish's execution said so; one that died without a word is counted."""
    return bool(status.tries) and status.tries[-1].at >= status.wished_at


def _with_the_new_file(world: World, record: EndpointRecord, now: datetime) -> None:
    """A creation that has to begin again begins with the file that waits: it may never rest with
    the old one, whose machines nobody gets."""
    record = created_with_update(world, record)
    anew = created_anew(record.status, now)
    again = wished(record.status, Phase.STAGING, Cause.RETRY, now, retry_at=None, **anew)
    carry_out(world, record, again, [], "Its file changed: trying to create it with the new one.")


def _cause_of_retry(status: EndpointStatus) -> Cause:
    """A sleep that had to go on although requests wait still has to when it is tried again; and a
    stack that is being deleted goes on being deleted."""
    kept = UNCONDITIONAL | {Cause.STACK_DELETED}
    return status.cause if status.cause in kept else Cause.RETRY


def may_remove(world: World, record: EndpointRecord, now: datetime) -> bool:
    """One removal at a time. After one that is over and left something the next one waits, but for
    an endpoint that was parked, which begins anew when nothing is left."""
    status = record.status
    state = world.flows.look(Flow.REMOVE, status.name, status.generation).state
    if state is FlowState.RUNNING:
        return False
    waited = state is FlowState.ABSENT or now - status.wished_at >= LONGEST_RETRY
    return status.parked or waited


def remove_leftovers(world: World, record: EndpointRecord, now: datetime) -> None:
    """A failed endpoint that still has instances is billing for nothing: remove them. What has none
    is in the way of its next creation."""
    status = record.status
    kept = {"phase_since": status.phase_since, "parked": status.parked}
    again = wished(status, Phase.FAILED, Cause.DRIFT, now, **kept)
    left = counted(status.observed_instances, "instance")
    text = f"A failure has left {left} behind, which is removed."
    if not status.observed_instances:
        text = "What a failure left behind is removed before it is created again."
    world.store.save(again, entries=[entry(again, now, text)])
    world.flows.start(Flow.REMOVE, again.name, again.generation)
