"""The ids of requests that wait, and what has become of one."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ..aws.tickets import Tickets
from ..control.desk import Code
from ..endpoints.queues import RETENTION_SECONDS
from ..endpoints.status import EndpointRecord
from .access import Caller
from .errors import GatewayError

# Refused for the time or the endpoint, not for what was asked.
_OVER = frozenset({Code.EXPIRED, Code.WAITED_TOO_LONG, Code.GONE})
# A question outlives its message, and may outlive its answer: the stack's ResultDays.
_IN_A_QUEUE = timedelta(seconds=RETENTION_SECONDS)


def new_ticket(endpoint: str) -> str:
    """It carries its endpoint, and cannot be guessed."""
    return f"{endpoint}.{secrets.token_hex(16)}"


def endpoint_of(ticket: str) -> str:
    """Empty for an id that a sender chose."""
    endpoint, dot, _ = ticket.rpartition(".")
    return endpoint if dot else ""


@dataclass(frozen=True)
class Found:
    """What came of a request: `answered` with its result, or `waiting`. `life`: of the queue that
    it was put into, if that is known."""

    status: str
    result: Mapping[str, Any] = field(default_factory=dict)
    life: str = ""


def look(store: Tickets, endpoint: str, ticket: str, caller: Caller, now: datetime) -> Found:
    """Raises GatewayError: 404 for a request that was never seen, or is another tenant's; 410 when
    its time was over, its answer expired or its endpoint went, 422 when what it asks was refused.
    """
    kept = store.waiting(endpoint, ticket)
    if kept is not None and caller.tenant not in ("", kept.tenant):
        raise _unseen(endpoint, ticket)
    result = store.result(endpoint, ticket)
    if result is None:
        if kept is None:
            raise _unseen(endpoint, ticket)
        if now - kept.since > _IN_A_QUEUE:
            raise _over(ticket)
        return Found("waiting", life=kept.life)
    if kept is None and caller.tenant not in ("", result.get("tenant")):
        raise _unseen(endpoint, ticket)  # a result may outlive its question, and says whose it is
    if "error" in result:
        code = str(result.get("code") or "refused")
        status = 410 if code in _OVER else 422
        raise GatewayError(status, code, str(result["error"]), more={"ticket": ticket})
    return Found("answered", result)


def life_of_queue(record: EndpointRecord) -> str:
    """What tells an endpoint from an earlier one of its name, whose queue went with it. One that
    failed and is applied again goes on with its queue."""
    return record.status.first_applied_at.isoformat()


def is_gone(found: Found, record: EndpointRecord | None) -> bool:
    """Whether a request that waits lay in a queue that there is no more: its endpoint was deleted
    and its requests let go."""
    return record is None or found.life not in ("", life_of_queue(record))


def _over(ticket: str) -> GatewayError:
    why = (
        f"{ticket!r:.140} was asked more than {_IN_A_QUEUE.days} days ago and waits no more: its "
        "answer has expired, if there was one"
    )
    return GatewayError(410, Code.EXPIRED, why, more={"ticket": ticket})


def _unseen(endpoint: str, ticket: str) -> GatewayError:
    why = f"there is no request {ticket!r:.140} of endpoint {endpoint!r}, or it has expired"
    return GatewayError(404, "request_not_found", why)
