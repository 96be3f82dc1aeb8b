"""When an endpoint that is not awake will answer, and whether it will at all."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..control.in_force import why_requests_wait
from ..endpoints.status import EndpointRecord
from ..policy.types import Phase
from .errors import GatewayError

UNSURE_SECONDS = 60.0  # of `Retry-After`, when nobody can say
_GONE = {Phase.RETIRING: "is being removed", Phase.RETIRED: "was removed"}


def refuse_if_hopeless(record: EndpointRecord) -> None:
    """Raises GatewayError 503 for an endpoint that nobody but a person brings back."""
    status, name = record.status, record.status.name
    if status.phase in _GONE:
        why = f"{name!r} {_GONE[status.phase]}; ask another endpoint"
        raise GatewayError(503, "endpoint_removed", why)
    if status.phase is Phase.FAILED and record.spec.fallback is None:
        said = f": {status.failure}" if status.failure else ""
        where = f" in {status.failed_in}" if status.failed_in else ""
        why = f"{name!r} failed{where}{said:.300}; its owner has to apply it again"
        raise GatewayError(503, "endpoint_failed", why)


def because(record: EndpointRecord, now: datetime) -> dict[str, str]:
    """Why it may take long, if a person asked for that; for the answers to whoever waits."""
    why = why_requests_wait(record.status, now)
    return {"because": why} if why else {}


def sentence(record: EndpointRecord, expected: timedelta | None, why: str = "") -> str:
    """How it stands, for a person who looks at the stream: `waking, ready in about 140 s`."""
    phase = record.status.phase.lower() + (f" ({why})" if why else "")
    if expected is None:
        return f"{phase}, nobody can say for how long"
    seconds = int(expected.total_seconds())
    return f"{phase}, ready in about {seconds} s" if seconds > 0 else f"{phase}, ready any moment"
