"""What an observation teaches: idle times that ended, the bursts that ended them, and shortages.

Called with every observation, in any order and any number of times: one that is not newer than the
last changes nothing, and what was not seen is not learned.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil
from zoneinfo import ZoneInfo

from ..spec import EndpointSpec
from .economy import FREE_WAIT, lead_time
from .keep_alive import idle_since
from .pattern import LAID_FROM, Pattern
from .schedule import zone_of
from .types import Burst, Episode, History, Observation, Phase

# Looks further apart than this have missed something between them.
_BLIND_AFTER = timedelta(minutes=10)
_RESTING = {Phase.ASLEEP, Phase.SLEEPING, Phase.WAKING}
# Idle times are kept of so many copies beyond the first.
UPPER_COPIES = 8
_FREE_SECONDS = FREE_WAIT.total_seconds()
_SEEN = {Phase.AWAKE, *_RESTING}


def learn(history: History, spec: EndpointSpec, observation: Observation, now: datetime) -> History:
    """Returns the history with what this observation adds."""
    before = history.episode
    if before.looked_at is not None and now <= before.looked_at:
        return history
    known = _learned(history, spec, observation, now)
    # Also where nothing is learned: what waited through an update would else be taken for arrivals
    # at the look after it.
    queued = observation.queued or before.queued
    return replace(known, episode=replace(known.episode, queued=queued))


def _learned(
    history: History, spec: EndpointSpec, observation: Observation, now: datetime
) -> History:
    before = history.episode
    if observation.phase not in _SEEN or _is_blind(observation):
        return replace(history, episode=Episode(looked_at=now))
    if before.looked_at is None or _was_away(before, observation, now):
        return replace(history, episode=_begun(observation, now))
    zone = ZoneInfo(zone_of(spec))
    pattern, idle_from = _idle(history.pattern, before, observation, now, zone)
    ended = before.idle_from is not None and idle_from != before.idle_from
    burst = before.burst
    if ended and before.idle_from and now - before.idle_from >= LAID_FROM:
        burst = _begun_burst(before, observation, now)
    if burst is not None:
        pattern, burst = _burst(pattern, before, burst, spec, observation, history, now, zone)
    pattern, upper = _upper(pattern, before, spec, observation, now)
    pattern, waited = _waiting(pattern, before, spec, observation, now)
    episode = replace(
        waited, looked_at=now, idle_from=idle_from, upper_idle_from=upper, burst=burst
    )
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
    pattern: Pattern, before: Episode, observation: Observation, now: datetime, zone: ZoneInfo
) -> tuple[Pattern, datetime | None]:
    """Closes an idle time that has ended, by work that is seen or was there between two looks."""
    begun = before.idle_from
    if _is_busy(observation):
        return (_closed(pattern, begun, now, zone) if begun else pattern), None
    active = observation.last_active_at or idle_since(observation)
    if begun is None:
        return pattern, min(active, now)
    if active > begun:
        return _closed(pattern, begun, active, zone), active
    return pattern, begun


def _closed(pattern: Pattern, begun: datetime, ended: datetime, zone: ZoneInfo) -> Pattern:
    return pattern.with_gap(begun.astimezone(zone), ended.astimezone(zone))


def _begun_burst(before: Episode, observation: Observation, now: datetime) -> Burst:
    """What came with the end of an idle time; as much as a look can tell."""
    since = (now - before.looked_at).total_seconds() if before.looked_at else 0.0
    came = (observation.arrivals_per_second or 0.0) * min(since, 60.0)
    here = max(float(observation.backlog or 0), observation.in_flight or 0.0)
    idle = (now - before.idle_from).total_seconds() if before.idle_from else 0.0
    return Burst(began_at=now, came=max(came, here, 1.0), last_came_at=now, idle_seconds=idle)


def _burst(
    pattern: Pattern,
    before: Episode,
    burst: Burst,
    spec: EndpointSpec,
    observation: Observation,
    history: History,
    now: datetime,
    zone: ZoneInfo,
) -> tuple[Pattern, Burst | None]:
    """Adds up what its requests wait, or would wait, for a start at its first one."""
    lead = lead_time(history)
    if burst.began_at == now:
        return pattern, burst
    until = min(now, burst.began_at + lead)
    since = (until - (before.looked_at or burst.began_at)).total_seconds()
    rate = observation.arrivals_per_second or 0.0
    came = burst.came + rate * max(0.0, since)
    if observation.phase in _RESTING:
        came = max(came, float(observation.backlog or 0))
    burst = replace(
        burst,
        came=came,
        waited_seconds=burst.waited_seconds + (burst.came + came) / 2 * max(0.0, since),
        last_came_at=until if came > burst.came + 0.5 else burst.last_came_at,
    )
    if until < burst.began_at + lead:
        return pattern, burst
    minded = burst.waited_seconds + _drains(burst, spec, observation) - came * _FREE_SECONDS
    useful = (burst.last_came_at - burst.began_at).total_seconds()
    return pattern.with_burst(
        burst.began_at.astimezone(zone), burst.idle_seconds, max(0.0, minded), useful
    ), None


def _drains(burst: Burst, spec: EndpointSpec, observation: Observation) -> float:
    """Request-seconds until one copy has worked off what waited for it."""
    seconds = observation.seconds_per_request
    rate = observation.arrivals_per_second or 0.0
    if not seconds:
        return 0.0
    spare = spec.serving.concurrency_per_copy / seconds - rate
    longest = lead_time(History()).total_seconds()
    return burst.came / 2 * (min(longest, burst.came / spare) if spare > 0 else longest)


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
    pattern: Pattern,
    before: Episode,
    spec: EndpointSpec,
    observation: Observation,
    now: datetime,
) -> tuple[Pattern, Episode]:
    """Adds up request-seconds from the first request that waits until none does any more."""
    here = max(float(observation.backlog or 0), observation.in_flight or 0.0)
    waiting = max(0.0, here - (observation.in_flight or 0.0))
    resting = observation.phase in _RESTING
    if before.asked_at is None:
        if not waiting:
            return pattern, Episode()
        return pattern, Episode(asked_at=now, at_zero=resting, waiting=waiting, missing=1)
    seconds = (now - before.looked_at).total_seconds() if before.looked_at else 0.0
    # What waits although every copy that is allowed serves would have waited anyway.
    full = observation.observed_copies >= spec.highest_max_copies
    waited = before.waited_seconds + (0.0 if full else (before.waiting + waiting) / 2 * seconds)
    if waiting or resting:
        most = max(before.missing, observation.desired_copies - observation.observed_copies)
        return pattern, replace(before, waiting=waiting, missing=most, waited_seconds=waited)
    if before.at_zero:
        return pattern, Episode()
    return pattern.with_shortage(waited / before.missing), Episode()
