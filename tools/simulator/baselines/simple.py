"""Always on, a fixed keep-alive, office hours."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

from autoscaler.replay.cluster import Cluster
from autoscaler.replay.engine import Habits
from autoscaler.replay.world import World

_WEEKEND = 5  # Saturday, as datetime counts
_FIRST_HOUR, _LAST_HOUR = 8, 18


def needed(cluster: Cluster) -> int:
    """Copies that work on everything at once that is here now."""
    here = cluster.waiting + cluster.in_flight
    return ceil(here / cluster.world.concurrency_per_copy)


@dataclass(frozen=True)
class AlwaysOn:
    """So many copies, all the time."""

    copies: int
    name: str = "always-on"

    def habits(self, world: World) -> Habits:
        return Habits(tick_seconds=3600.0, release_seconds=world.release_seconds)

    def look(self, cluster: Cluster, now: float) -> int:
        return self.copies


@dataclass
class KeepAlive:
    """Copies follow demand at once and stay for so many minutes after it fell; wakes for the
    first request."""

    minutes: float
    _wanted: deque[tuple[float, int]] = field(default_factory=deque)

    @property
    def name(self) -> str:
        return f"keep-alive-{self.minutes:g}"

    def habits(self, world: World) -> Habits:
        return Habits(15.0, world.release_seconds, wakes_on_arrival=True, looks_when_ready=True)

    def look(self, cluster: Cluster, now: float) -> int:
        if not self._wanted:  # it begins as if its fleet had been needed until now
            self._wanted.append((0.0, cluster.desired_copies))
        wanted = needed(cluster)
        return highest(self._wanted, now, min(wanted, cluster.world.max_copies), self.minutes * 60)


@dataclass(frozen=True)
class OfficeHours:
    """AWS's Instance Scheduler: the fleet runs from 8 to 18 UTC on weekdays, nothing else; requests
    wait in the queue until then."""

    copies: int
    origin: datetime
    name: str = "office-hours"

    def habits(self, world: World) -> Habits:
        return Habits(60.0, world.release_seconds)

    def look(self, cluster: Cluster, now: float) -> int:
        return self.copies if in_office_hours(self.origin + timedelta(seconds=now)) else 0


def in_office_hours(moment: datetime) -> bool:
    """From 8 to 18, Monday to Friday."""
    return moment.weekday() < _WEEKEND and _FIRST_HOUR <= moment.hour < _LAST_HOUR


def highest(
    remembered: deque[tuple[float, int]], now: float, wanted: int, window_seconds: float
) -> int:
    """The most that was wanted within the window: a decreasing queue, amortised O(1)."""
    while remembered and remembered[0][0] < now - window_seconds:
        remembered.popleft()
    while remembered and remembered[-1][1] <= wanted:
        remembered.pop()
    remembered.append((now, wanted))
    return remembered[0][1]
