"""When an endpoint that is not awake will answer, and whether it will at all."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..control.patience import OBSERVED, expected_ready, held_up
from ..control.purse import barred
from ..control.refusals import expired
from ..endpoints.status import EndpointRecord
from ..policy.types import Phase, ReasonCode
from .errors import GatewayError, retry_after

UNSURE_SECONDS = 60.0  # of `Retry-After`, when nobody can say
_GONE = {Phase.RETIRING: "is being removed", Phase.RETIRED: "was removed"}


def refuse_if_hopeless(record: EndpointRecord) -> None:
    """Raises GatewayError 503 for an endpoint that nobody but a person brings back."""
    status, name = record.status, record.status.name
    if status.phase in _GONE:
        why = f"{name!r} {_GONE[status.phase]}; ask another endpoint"
        raise GatewayError(503, "endpoint_removed", why)
    # What was parked begins anew by itself (`refuse_if_barred` says what it waits for).
    failed = status.phase is Phase.FAILED and not status.parked
    if failed and record.spec.fallback is None:
        said = f": {status.failure}" if status.failure else ""
        where = f" in {status.failed_in}" if status.failed_in else ""
        why = f"{name!r} failed{where}{said:.300}; its owner has to apply it again"
        raise GatewayError(503, "endpoint_failed", why)


def refuse_if_over(record: EndpointRecord, due_at: datetime | None, now: datetime) -> None:
    """Raises GatewayError 410, as of a ticket, when an answer is of no use any more."""
    if due_at is not None and now >= due_at:
        why = expired(due_at, now, held_up(record, now))
        raise GatewayError(410, why.code, why.reason)


def refuse_if_barred(record: EndpointRecord, now: datetime) -> None:
    """Raises GatewayError for a caller who would wait for what nothing wakes: 503 while the kill
    switch is on or the stack only observes, 429 while a budget is spent, with why and how long."""
    halt, name = barred(record, now), record.status.name
    if record.stack.observing_since is not None:
        why = (
            f"{name!r} is not awake, and {OBSERVED}. Ask for a ticket with `Prefer: respond-async` "
            "to leave the request in its queue"
        )
        raise GatewayError(503, "observed", why, headers=retry_after(None, UNSURE_SECONDS))
    if halt is None:
        return
    why = (
        f"{name!r} does not wake now: {halt.reason.text} Ask for a ticket with `Prefer: "
        "respond-async` to leave the request in its queue"
    )
    wait = halt.until - now if halt.until else None
    headers = retry_after(wait, UNSURE_SECONDS)
    if halt.reason.code is ReasonCode.STOPPED:
        raise GatewayError(503, "stopped", why, headers=headers)
    raise GatewayError(429, "budget_spent", why, headers=headers)


def without_queue(record: EndpointRecord, now: datetime) -> GatewayError:
    """For a caller whose request cannot be kept: the first thing that a creation makes after its
    weights are staged is the queue."""
    name, phase = record.status.name, record.status.phase
    why = f"{name!r} is {phase} and has no queue that would keep the request; come back later"
    headers = retry_after(expected_ready(record, now), UNSURE_SECONDS)
    return GatewayError(503, "no_queue", why, headers=headers)


def because(record: EndpointRecord, now: datetime) -> dict[str, str]:
    """Why it may take long, if a person or a budget asked for that; for the answers to whoever
    waits."""
    why = held_up(record, now)
    return {"because": why} if why else {}


def sentence(record: EndpointRecord, expected: timedelta | None, why: str = "") -> str:
    """How it stands, for a person who looks at the stream: `waking, ready in about 140 s`."""
    phase = record.status.phase.lower() + (f" ({why})" if why else "")
    if expected is None:
        return f"{phase}, nobody can say for how long"
    seconds = int(expected.total_seconds())
    return f"{phase}, ready in about {seconds} s" if seconds > 0 else f"{phase}, ready any moment"
