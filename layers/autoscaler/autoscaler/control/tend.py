"""An endpoint in transition: make sure that an execution is at work on its wish."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..alerts.events import EndpointFailed, SleepStuck
from ..endpoints.status import Cause, EndpointRecord
from ..policy.types import Phase
from ..ports import Flow, FlowReport, FlowState
from .causes import sentence_of
from .wishes import FLOWS, backoff, carry_out, entry, wished
from .world import World

FIRST_RETRY = timedelta(seconds=30)
LONGEST_RETRY = timedelta(minutes=15)
# A creation is given up after so many executions: it costs an instance each time.
CREATION_ATTEMPTS = 3


def tend_flow(world: World, record: EndpointRecord, now: datetime) -> None:
    """Starts the wish's execution if there is none; tries again if it ended badly."""
    status = record.status
    flow = FLOWS[status.phase]
    report = world.flows.look(flow, status.name, status.generation)
    if report.state is FlowState.RUNNING:
        return
    if report.state is FlowState.ABSENT:
        world.flows.start(flow, status.name, status.generation)
        return
    if status.retry_at and now < status.retry_at:
        return
    _try_again(world, record, report, now)


def _try_again(world: World, record: EndpointRecord, report: FlowReport, now: datetime) -> None:
    """An execution that is over while its phase is not: the phase decides what follows."""
    status = record.status
    failures = status.attempts + 1
    why = sentence_of("The execution ended without recording its outcome", report.cause or "")
    if status.phase in (Phase.STAGING, Phase.CREATING) and failures >= CREATION_ATTEMPTS:
        _give_up(world, record, why, now)
        return
    phase = Phase.SLEEPING if status.phase is Phase.WAKING else status.phase
    failed_wakes = status.failed_wakes + (1 if status.phase is Phase.WAKING else 0)
    again = wished(
        status,
        phase,
        Cause.FAILED_WAKE if status.phase is Phase.WAKING else Cause.RETRY,
        now,
        attempts=failures,
        failed_wakes=failed_wakes,
        failure=why,
        retry_at=now + backoff(failures, FIRST_RETRY, LONGEST_RETRY),
        phase_since=status.phase_since if phase is status.phase else now,
    )
    carry_out(world, record, again, [], f"Trying again (attempt {failures + 1}): {why}")
    if status.phase is Phase.SLEEPING:
        world.announcer.announce(
            SleepStuck(
                endpoint=status.name,
                generation=again.generation,
                at=now,
                instances=status.observed_instances,
                since_seconds=(now - status.phase_since).total_seconds(),
            )
        )


def _give_up(world: World, record: EndpointRecord, why: str, now: datetime) -> None:
    status = record.status
    failed = wished(status, Phase.FAILED, Cause.RETRY, now, failed_in=status.phase, failure=why)
    world.store.save(failed, entries=[entry(failed, now, why)])
    world.flows.start(Flow.REMOVE, failed.name, failed.generation)
    world.announcer.announce(
        EndpointFailed(
            endpoint=status.name,
            generation=failed.generation,
            at=now,
            failed_in=status.phase,
            failure=why,
        )
    )


def remove_leftovers(world: World, record: EndpointRecord, now: datetime) -> None:
    """A failed endpoint that still has instances is billing for nothing: remove them."""
    status = record.status
    again = wished(status, Phase.FAILED, Cause.DRIFT, now, phase_since=status.phase_since)
    text = f"{status.observed_instances} instances were left behind by a failure: removing them."
    world.store.save(again, entries=[entry(again, now, text)])
    world.flows.start(Flow.REMOVE, again.name, again.generation)
