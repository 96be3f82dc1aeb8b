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
# Of the shortest: what goes earlier than that is seen so much later.
_MOST_OF_IT = 0.97
# The same where the last sleep was over at its first look: nobody knows since when.
_WHERE_IT_WAS_OVER = 0.85
_AT_ONCE = timedelta(seconds=5)  # after the moment of a look, for the look itself
_LONGEST = timedelta(minutes=10)


def first_look(release_seconds: Sequence[float]) -> timedelta:
    """How long after the wish a sleep looks at its instances first, by how long the last ones took
    until nothing was seen any more, oldest first."""
    moment = _UNKNOWN
    for known in range(1, len(release_seconds) + 1):
        last = timedelta(seconds=release_seconds[known - 1])
        was_over = known > 1 and last <= moment + _AT_ONCE
        share = _WHERE_IT_WAS_OVER if was_over else _MOST_OF_IT
        expected = share * timedelta(seconds=min(release_seconds[:known]))
        moment = max(_UNKNOWN, min(_LONGEST, expected))
    return moment


def with_release(status: EndpointStatus, now: datetime) -> tuple[float, ...]:
    """The last releases with the one that ends now, in whole seconds from the wish on. A sleep that
    had no instance to give back, because its wake found none, says nothing."""
    if not status.observed_instances:
        return status.release_seconds
    took = round((now - status.wished_at).total_seconds())
    return (*status.release_seconds, float(took))[-RELEASES_KEPT:]
