"""Tenants of one endpoint: each has its share, and no more at a time and a minute than its limits.

Only endpoints that name tenants pay for it: a query for a batch, a write for each of its tenants,
and one when a request is over. What is over a limit goes back into the queue; that is no failure.
A request that SageMaker was given, to answer later, is at work until its answer is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from ..endpoints.queues import VISIBILITY_SECONDS
from ..endpoints.status import EndpointRecord
from ..spec import Kind
from .desk import Desk, Outcome
from .fairness import Claim, fair_order
from .late import ASKED
from .messages import Request
from .patience import WHEN_BUSY, paced
from .replies import postpone

# A dispatcher that died holds its tenants' places no longer than its messages.
LEASE = timedelta(seconds=VISIBILITY_SECONDS)
_MINUTE = timedelta(minutes=1)
_WHY = "its tenant has as many requests at work as it may"


def admitted(
    desk: Desk, record: EndpointRecord, requests: Sequence[Request]
) -> tuple[list[Request], list[Request]]:
    """Those that may go, in their order, each with a lease; and those that are over a limit."""
    if not record.spec.tenants:
        return sorted(requests, key=lambda one: -one.options.priority), []
    name, now = record.status.name, desk.world.clock.now()
    order = _in_order(record, requests, desk.tenants.running(name, now))
    taken = {_lease(one) for one in order if _given_before(desk, record, one)}
    for tenant in dict.fromkeys(_tenant(record, one) for one in order if _lease(one) not in taken):
        mine = [one for one in order if _tenant(record, one) == tenant]
        wanted = [_lease(one) for one in mine if _lease(one) not in taken]
        limits = record.spec.tenants.get(tenant)
        until = now + (ASKED if keeps_place(record, mine[0]) else LEASE)
        taken |= set(desk.tenants.take(name, tenant, wanted, limits, now, until))
    go = [one for one in order if _lease(one) in taken]
    return go, [one for one in order if _lease(one) not in taken]


def held_back(desk: Desk, record: EndpointRecord, request: Request) -> Outcome:
    """Back into the queue: until the next minute if that is what its tenant waits for."""
    name, now = record.status.name, desk.world.clock.now()
    limits = record.spec.tenant(request.options.tenant)[1]
    wait = WHEN_BUSY
    if limits.in_flight is None:
        wait = _MINUTE - timedelta(seconds=now.timestamp() % _MINUTE.total_seconds())
    paused = paced(wait, request.message.sent_at, now)
    return postpone(desk, name, record, request, paused, _WHY)


def give_back(desk: Desk, record: EndpointRecord, request: Request) -> None:
    """Its place is another's; one that cannot be given back is free when its lease ends."""
    if record.spec.tenants:
        tenant = _tenant(record, request)
        desk.tenants.give_back(record.status.name, tenant, _lease(request))


def keeps_place(record: EndpointRecord, request: Request) -> bool:
    """Whether its place is its own until its answer is stored, beyond the call that asks for it.
    Only where there is a limit, which bounds the leases of an item too."""
    limits = record.spec.tenant(request.options.tenant)[1]
    return record.spec.kind is Kind.ASYNC and limits.in_flight is not None


def _given_before(desk: Desk, record: EndpointRecord, request: Request) -> bool:
    """A look for its answer begins nothing."""
    late = record.spec.kind is Kind.ASYNC
    return late and desk.late.was_asked(record.status.name, request.late_id)


def _in_order(
    record: EndpointRecord, requests: Sequence[Request], running: dict[str, int]
) -> list[Request]:
    claims = [
        Claim(_tenant(record, one), one.options.priority, place)
        for place, one in enumerate(requests)
    ]
    shares = {name: tenant.share for name, tenant in record.spec.tenants.items()}
    return [requests[claim.place] for claim in fair_order(claims, shares, running)]


def _tenant(record: EndpointRecord, request: Request) -> str:
    return record.spec.tenant(request.options.tenant)[0]


def _lease(request: Request) -> str:
    """Of this receive: the message may come again while the lease of a lost one runs."""
    return request.message.message_id
