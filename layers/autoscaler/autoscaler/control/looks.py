"""Asks for a look at once when requests wait although the endpoint is awake.

The tick comes once a minute; a queue that grows can be seen from here within seconds. It only
says "look now": what is to be done is decided from the present state.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from ..alerts.events.requests import RequestWaited
from ..endpoints.status import EndpointRecord
from ..policy.types import Phase
from ..spec import Kind
from .desk import Desk
from .messages import Message

WAITED_TOO_LONG = timedelta(seconds=10)
LOOK_EVERY = timedelta(seconds=15)


def ask_for_look(desk: Desk, record: EndpointRecord, messages: Sequence[Message]) -> bool:
    """Announces that requests wait, at most once in `LOOK_EVERY` for an endpoint, however many
    dispatchers see it; returns whether it did."""
    if (
        not messages or record.spec.kind is Kind.ASYNC
    ):  # its requests wait as a rule, in SageMaker's own queue
        return False
    status, now = record.status, desk.world.clock.now()
    oldest = min(messages, key=lambda message: message.sent_at)
    waited = now - oldest.sent_at
    looked = status.observed_at is not None and now - status.observed_at < LOOK_EVERY
    if status.phase is not Phase.AWAKE or waited <= WAITED_TOO_LONG or looked:
        return False
    key = f"look#{status.name}"
    if not desk.asked.first_time(key, LOOK_EVERY, holder=oldest.receipt_handle):
        return False
    desk.world.announcer.announce(
        RequestWaited(
            endpoint=status.name,
            generation=status.generation,
            at=now,
            waited_seconds=waited.total_seconds(),
        )
    )
    return True
