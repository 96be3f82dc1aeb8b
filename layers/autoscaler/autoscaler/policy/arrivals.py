"""By how much a queue grows: what comes and is not served.

A copy that is full serves no more than it can however many requests come, so that what it serves
says nothing of a rush. What comes is what is served and what the backlog grows by; it has those
that run too, so that one which begins to run, or has to wait again, is no arrival.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from .types import Phase, Queued

# A growth over a longer time says little about now, and of a shorter one a rate would be made up:
# of six requests that came between two looks three seconds apart, two a second.
_RECENT_SECONDS = 180.0
_LEAST_SECONDS = 30.0
_MINUTE_SECONDS = 60.0


def counted(before: Queued | None, backlog: int, now: datetime, tick: timedelta) -> Queued:
    """Returns the count of now, with the requests a second by which the backlog grew since the
    count before, in the last half minute at least: of a count at the same moment, as before.

    Without a count of the last three minutes, or two ticks, nothing is known of it, and the growth
    is 0.
    """
    since = (now - before.at).total_seconds() if before else -1.0
    if before is None or not 0 <= since <= max(_RECENT_SECONDS, 2 * tick.total_seconds()):
        return Queued(now, backlog)
    earlier = before.growth_per_second * max(0.0, _LEAST_SECONDS - since)
    grown = backlog - before.backlog + earlier
    return Queued(now, backlog, grown / max(since, _LEAST_SECONDS))


def known_since(
    before: Queued | None, phase: Phase, phase_since: datetime, now: datetime, tick: timedelta
) -> Queued | None:
    """Returns the count before as of the last tick that has seen the same.

    While an endpoint sleeps each tick counts, and one that finds another backlog stores it. So the
    count that is stored was right until the last tick, or until the last one before the wake.
    """
    if before is None or phase not in (Phase.ASLEEP, Phase.WAKING):
        return before
    last = (now if phase is Phase.ASLEEP else phase_since) - tick
    return replace(before, at=max(before.at, last))


def arriving(served: float | None, queued: Queued | None, places: int) -> float | None:
    """Returns the requests a second that come: those that were served, and the growth.

    Of that only what waits, which is what `places` in the copies cannot take: a copy that is not
    full serves all that comes, and how many it has at a time goes up and down by itself. None if
    neither is known.
    """
    if queued is None:
        return served
    waits = max(0, queued.backlog - places) / _MINUTE_SECONDS
    return max(0.0, (served or 0.0) + min(queued.growth_per_second, waits))
