"""What an observation teaches: idle times that ended, and the waiting that a wake caused.

Called with every observation, in any order and any number of times: one that is not newer than the
last changes nothing, and what was not seen is not learned.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil

from ..spec import EndpointSpec
from .economy import FREE_WAIT
from .keep_alive import idle_since
from .pattern import Pattern
from .types import Episode, History, Observation, Phase

# Looks further apart than this have missed something between them.
_BLIND_AFTER = timedelta(minutes=10)
_RESTING = {Phase.ASLEEP, Phase.SLEEPING, Phase.WAKING}
# Idle times are kept of so many copies beyond the first.
UPPER_COPIES = 8
_SEEN = {Phase.AWAKE, *_RESTING}


def learn(history: History, spec: EndpointSpec, observation: Observation, now: datetime) -> History:
    """Returns the history with what this observation adds."""
    before = history.episode
    if before.looked_at is not None and now <= before.looked_at:
        return history
    if observation.phase not in _SEEN or _is_blind(observation):
        return replace(history, episode=Episode(looked_at=now))
    if before.looked_at is None or _was_away(before, observation, now):
        return replace(history, episode=_begun(observation, now))
    pattern, idle_from = _idle(history.pattern, before, observation, now)
    pattern, upper = _upper(pattern, before, spec, observation, now)
    pattern, waited = _waiting(pattern, before, observation, now)
    episode = replace(waited, looked_at=now, idle_from=idle_from, upper_idle_from=upper)
    return replace(history, pattern=pattern, episode=episode)


def _is_blind(observation: Observation) -> bool:
    unseen = observation.in_flight is None and observation.phase is Phase.AWAKE
    return observation.backlog is None or unseen


def _was_away(before: Episode, observation: Observation, now: datetime) -> bool:
    """Too long since the last look. Not for an endpoint that rests: nothing can have happened
    there, since a request would have woken it."""
    rested = before.idle_from is not None and observation.phase in _RESTING
    return before.looked_at is not None and now - before.looked_at > _BLIND_AFTER and not rested


def _begun(observation: Observation, now: datetime) -> Episode:
    return Episode(looked_at=now, idle_from=None if _is_busy(observation) else now)


def _is_busy(observation: Observation) -> bool:
    return bool(observation.backlog) or bool(observation.in_flight)


def _idle(
    pattern: Pattern, before: Episode, observation: Observation, now: datetime
) -> tuple[Pattern, datetime | None]:
    """Closes an idle time that has ended, by work that is seen or was there between two looks."""
    begun = before.idle_from
    if _is_busy(observation):
        return (pattern.with_gap(begun, now - begun) if begun else pattern), None
    active = observation.last_active_at or idle_since(observation)
    if begun is None:
        return pattern, min(active, now)
    if active > begun:
        return pattern.with_gap(begun, active - begun), active
    return pattern, begun


def _upper(
    pattern: Pattern,
    before: Episode,
    spec: EndpointSpec,
    observation: Observation,
    now: datetime,
) -> tuple[Pattern, tuple[datetime | None, ...]]:
    """Closes the idle times of the copies beyond the first that are needed again."""
    here = max(float(observation.backlog or 0), observation.in_flight or 0.0)
    needed = ceil(here / spec.serving.concurrency_per_copy)
    most = min(spec.highest_max_copies, UPPER_COPIES + 1)
    idle_from: list[datetime | None] = []
    for copy in range(2, most + 1):
        begun = before.upper_idle_from[copy - 2] if copy - 2 < len(before.upper_idle_from) else now
        if needed >= copy:
            pattern = pattern.with_upper_gap(copy, now - begun) if begun else pattern
            idle_from.append(None)
        else:
            idle_from.append(begun or now)
    return pattern, tuple(idle_from)


def _waiting(
    pattern: Pattern, before: Episode, observation: Observation, now: datetime
) -> tuple[Pattern, Episode]:
    """Adds up request-seconds from the first request that waits until none does any more."""
    waiting = max(0.0, (observation.backlog or 0) - (observation.in_flight or 0.0))
    resting = observation.phase in _RESTING
    if before.asked_at is None:
        if not waiting:
            return pattern, Episode()
        return pattern, Episode(
            asked_at=now, at_zero=resting, waiting=waiting, most_waiting=waiting, last_came_at=now
        )
    seconds = (now - before.looked_at).total_seconds() if before.looked_at else 0.0
    waited = before.waited_seconds + (before.waiting + waiting) / 2 * seconds
    most = max(before.most_waiting, waiting)
    if waiting or resting:
        came = now if waiting > before.waiting else before.last_came_at
        going_on = replace(
            before, waiting=waiting, most_waiting=most, waited_seconds=waited, last_came_at=came
        )
        return pattern, going_on
    minded = max(0.0, waited - most * FREE_WAIT.total_seconds())
    if before.at_zero:
        useful = (before.last_came_at or before.asked_at) - before.asked_at
        return pattern.with_wake(before.asked_at, minded, useful.total_seconds()), Episode()
    return pattern.with_shortage(minded), Episode()
