"""How long an endpoint's instances take to go, learnt from its last sleeps. Pure.

Nothing tells when SageMaker gives an instance back, so `sleep_endpoint` looks, and each look is
paid for. AWS publishes no figure, and it differs by machine: what the last sleeps took says when
the first look is worth it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ..endpoints.status import EndpointStatus

RELEASES_KEPT = 5
_UNKNOWN = timedelta(seconds=45)  # until the first sleep was measured: three usual looks
# Of the shortest: what goes earlier than that is seen so much later, and the next ones sooner.
_MOST_OF_IT = 0.97
_LONGEST = timedelta(minutes=10)


def first_look(release_seconds: Sequence[float]) -> timedelta:
    """How long after the wish a sleep looks at its instances first."""
    if not release_seconds:
        return _UNKNOWN
    expected = _MOST_OF_IT * timedelta(seconds=min(release_seconds))
    return max(_UNKNOWN, min(_LONGEST, expected))


def with_release(status: EndpointStatus, now: datetime) -> tuple[float, ...]:
    """The last releases with the one that ends now, in whole seconds from the wish on. A sleep that
    had no instance to give back, because its wake found none, says nothing."""
    if not status.observed_instances:
        return status.release_seconds
    took = round((now - status.wished_at).total_seconds())
    return (*status.release_seconds, float(took))[-RELEASES_KEPT:]
