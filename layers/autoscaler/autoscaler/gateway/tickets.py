"""The ids of requests that wait, and what has become of one."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..aws.tickets import Tickets
from ..control.desk import Code
from ..endpoints.status import EndpointRecord
from .access import Caller
from .errors import GatewayError

# Refused for the time or the endpoint, not for what was asked.
_OVER = frozenset({Code.EXPIRED, Code.WAITED_TOO_LONG, Code.GONE})


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


def look(store: Tickets, endpoint: str, ticket: str, caller: Caller) -> Found:
    """Raises GatewayError: 404 for a request that was never seen, or is another tenant's; 410 when
    its time was over or its endpoint went, 422 when what it asks was refused."""
    kept = store.waiting(endpoint, ticket)
    if kept is not None and caller.tenant not in ("", kept.tenant):
        raise _unseen(endpoint, ticket)
    result = store.result(endpoint, ticket)
    if kept is None and (result is None or caller.tenant not in ("", result.get("tenant"))):
        raise _unseen(endpoint, ticket)  # a result may outlive its question, and says whose it is
    if result is None:
        return Found("waiting", life=kept.life if kept else "")
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


def _unseen(endpoint: str, ticket: str) -> GatewayError:
    why = f"there is no request {ticket!r:.140} of endpoint {endpoint!r}, or it has expired"
    return GatewayError(404, "request_not_found", why)
