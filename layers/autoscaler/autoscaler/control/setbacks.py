"""What went wrong and what follows: back to zero for another try, or a failure for a person."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..alerts.events.capacity import CapacityMissing
from ..alerts.events.life import EndpointFailed
from ..endpoints.setbacks import outcome_of
from ..endpoints.status import Cause, EndpointRecord, EndpointStatus
from ..policy.ladder import Try, TryOutcome, remembered
from ..policy.types import Phase
from .metering import brought, metered, running, settled
from .telling import tell, telling
from .wishes import FLOWS, carry_out, entry, ladder_step, wished
from .world import World


def next_wake(record: EndpointRecord, now: datetime) -> datetime | None:
    """After wakes that failed, the next one waits for what the ladder says; None: at once."""
    return ladder_step(record, now).retry_at if record.status.failed_wakes else None


def after_failure(record: EndpointRecord, failure: str, now: datetime) -> dict[str, Any]:
    """What a start that failed leaves in the status."""
    status = record.status
    tried = Try(now, status.shape.rung, _paid_for(status, failure))
    return {
        "tries": remembered(status.tries, tried),
        "failed_wakes": status.failed_wakes + 1,
        "failure": failure,
    }


def _came(status: EndpointStatus) -> bool:
    """As the ledger has it: what ran at the wish did, if nobody looked since."""
    return status.instance_seen_at is not None or bool(brought(status))


def _paid_for(status: EndpointStatus, failure: str) -> TryOutcome:
    """Without an instance nothing was, whatever went wrong: an hour in which CloudWatch or Lambda
    cannot be had must not open the circuit for six."""
    outcome = outcome_of(failure)
    return TryOutcome.CAPACITY if outcome is TryOutcome.OTHER and not _came(status) else outcome


def _given_back(record: EndpointRecord, failure: str) -> dict[str, int]:
    """A wake for which no machine came cost nothing, and is none of the day's wakes: the ladder
    tries on, and whoever gets capacity in the evening must be let. Shared machines that came for
    others say nothing; a copy of its own does."""
    status = record.status
    came = _came(status)
    if record.spec.instances.shared is not None:
        came = bool(status.observed_copies or status.copy_seen_at)
    nothing = _paid_for(status, failure) is TryOutcome.CAPACITY and not came
    if status.phase is not Phase.WAKING or not nothing:
        return {}
    return {"wakes_today": max(0, status.wakes_today - 1)}


def back_to_zero(
    world: World, record: EndpointRecord, failure: str, now: datetime
) -> EndpointRecord:
    """A wake that brought no answer, or copies that are lost: to zero, and woken again later.

    The requests wait in their queue meanwhile.
    """
    record = settled(record)
    counted, segments = metered(record, now, running(record.status), Phase.SLEEPING)
    back = wished(
        counted,
        Phase.SLEEPING,
        Cause.FAILED_WAKE,
        now,
        wish_copies=0,
        **_given_back(record, failure),
        **after_failure(record, failure, now),
    )
    told = missing(record.having(back), record.status.shape.rung, failure, now)
    return carry_out(world, record, back, segments, f"Back to zero: {failure}", told)


def wait_for_capacity(
    world: World, record: EndpointRecord, failure: str, now: datetime
) -> EndpointStatus:
    """A creation that found no machine is no failure of the spec: the tick tries the next rung,
    for as long as it takes. Nothing is left that bills, and the queue keeps its requests."""
    record = settled(record)
    rung = record.status.shape.rung
    counted, segments = metered(record, now, {}, Phase.STAGING)
    failed = counted.model_copy(
        update={
            "phase": Phase.STAGING,
            "phase_since": now,
            "cause": Cause.RETRY,
            **after_failure(record, failure, now),
        }
    )
    step = ladder_step(record.having(failed), now)
    failed = failed.model_copy(update={"retry_at": step.retry_at})
    text = f"No capacity, its creation is tried again: {failure}"
    told = missing(record.having(failed), rung, failure, now)
    lines = [entry(failed, now, text)]
    return tell(world, world.store.save(telling(failed, told), segments=segments, entries=lines))


def missing(record: EndpointRecord, rung: int, failure: str, now: datetime) -> CapacityMissing:
    """The announcement of a start that failed on a rung, and of what is tried next."""
    status, spec = record.status, record.spec
    step = ladder_step(record, now)
    return CapacityMissing(
        endpoint=status.name,
        generation=status.generation,
        at=now,
        instance_types=spec.on_rung(rung).instances.types,
        attempt=status.failed_wakes,
        retry_at=step.retry_at,
        failure=failure,
        outcome=outcome_of(failure),
        rung=rung + 1,
        rungs=len(spec.rungs),
        next_types=spec.on_rung(step.rung).instances.types,
        circuit_open=step.circuit_open,
        fallback=spec.fallback if step.exhausted else None,
    )


def fail(
    world: World, record: EndpointRecord, cause: Cause, failure: str, now: datetime
) -> EndpointStatus:
    """It waits for a person. A new wish, so that an execution under way is overtaken and ended.

    What may be left of it is looked at by the next tick, and removed.
    """
    record = settled(record)
    before = record.status
    counted, segments = metered(record, now, running(before), Phase.FAILED)
    failed = wished(
        counted,
        Phase.FAILED,
        cause,
        now,
        failed_in=before.phase,
        failure=failure,
        observed_at=None,
    )
    lines = [entry(failed, now, failure)]
    saved = world.store.save(
        telling(failed, failure_of(failed, now, before.generation)),
        segments=segments,
        entries=lines,
    )
    if before.phase in FLOWS:
        world.flows.stop(FLOWS[before.phase], before.name, before.generation, failure)
    return tell(world, saved)


def failure_of(failed: EndpointStatus, now: datetime, ran: int) -> EndpointFailed:
    """The announcement of a failure that waits for a person. `ran`: whose execution failed."""
    return EndpointFailed(
        endpoint=failed.name,
        generation=failed.generation,
        at=now,
        failed_in=failed.failed_in or failed.phase,
        failure=failed.failure or "",
        execution=f"{failed.name}-{ran}",
    )
