"""What went wrong and what follows: back to zero for another try, or a failure for a person."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..alerts.events import CapacityMissing, EndpointFailed
from ..endpoints.status import Cause, EndpointRecord, EndpointStatus
from ..policy.types import Phase
from .metering import metered, running, settled
from .wishes import FLOWS, backoff, carry_out, entry, wished
from .world import World

FIRST_WAKE_RETRY = timedelta(seconds=60)
LONGEST_WAKE_RETRY = timedelta(minutes=30)


def next_wake(status: EndpointStatus, now: datetime) -> datetime | None:
    """After wakes that failed, the next one waits: each costs an instance for nothing."""
    if not status.failed_wakes:
        return None
    return now + backoff(status.failed_wakes, FIRST_WAKE_RETRY, LONGEST_WAKE_RETRY)


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
        failed_wakes=counted.failed_wakes + 1,
        failure=failure,
    )
    after = carry_out(world, record, back, segments, f"Back to zero: {failure}")
    world.announcer.announce(
        CapacityMissing(
            endpoint=back.name,
            generation=back.generation,
            at=now,
            instance_types=record.spec.instances.types,
            attempt=back.failed_wakes,
            retry_at=next_wake(back, now),
            failure=failure,
        )
    )
    return after


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
    saved = world.store.save(failed, segments=segments, entries=[entry(failed, now, failure)])
    if before.phase in FLOWS:
        world.flows.stop(FLOWS[before.phase], before.name, before.generation, failure)
    announce_failure(world, saved, now)
    return saved


def announce_failure(world: World, failed: EndpointStatus, now: datetime) -> None:
    world.announcer.announce(
        EndpointFailed(
            endpoint=failed.name,
            generation=failed.generation,
            at=now,
            failed_in=failed.failed_in or failed.phase,
            failure=failed.failure or "",
        )
    )
