"""Knative's pod autoscaler (KPA) with its defaults, the activator holding requests at zero.

Every 2 s: the average concurrency over a stable window of 60 s and a panic window of 6 s, each over
70 % of a copy's concurrency. Panic when the short one asks for twice what is ready: then copies
only grow, until it did not for a stable window. Scaling in at most halves; to zero when the stable
window saw nothing, after the grace period of 30 s.
https://knative.dev/docs/serving/autoscaling/kpa-specific/
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import ceil

from autoscaler.replay.cluster import Cluster
from autoscaler.replay.engine import Habits
from autoscaler.replay.world import World

_TICK_SECONDS = 2.0
_STABLE = 30  # ticks in 60 s
_PANIC = 3  # ticks in 6 s
_PANIC_THRESHOLD = 2.0
_UTILISATION = 0.7
_GRACE_SECONDS = 30.0


@dataclass
class Knative:
    """The averages are kept as running sums, since a tick costs as much as it looks at."""

    name: str = "knative"
    _stable: deque[int] = field(default_factory=deque)
    _panic: deque[int] = field(default_factory=deque)
    _sums: list[int] = field(default_factory=lambda: [0, 0])
    _panicked_at: float | None = None
    _most: int = 0
    _zero_since: float | None = None

    def habits(self, world: World) -> Habits:
        return Habits(_TICK_SECONDS, world.release_seconds, wakes_on_arrival=True)

    def look(self, cluster: Cluster, now: float) -> int:
        here = cluster.waiting + cluster.in_flight
        stable = self._average(0, self._stable, _STABLE, here)
        panic = self._average(1, self._panic, _PANIC, here)
        target = _UTILISATION * cluster.world.concurrency_per_copy
        ready, desired = max(1, cluster.serving_copies), cluster.desired_copies
        wanted, urgent = ceil(stable / target), ceil(panic / target)
        if urgent / ready >= _PANIC_THRESHOLD:
            self._panicked_at = now
        elif self._panicked_at is not None and now - self._panicked_at > 60.0:
            self._panicked_at, self._most = None, 0
        if self._panicked_at is not None:
            self._most = max(self._most, urgent, desired)
            return self._most
        return self._settle(max(wanted, ready // 2 if wanted else 0), desired, here, now)

    def _settle(self, wanted: int, desired: int, here: int, now: float) -> int:
        if wanted or here:
            self._zero_since = None
            return max(1, wanted)
        if self._zero_since is None:
            self._zero_since = now
        return 0 if now - self._zero_since >= _GRACE_SECONDS else min(desired, 1)

    def _average(self, which: int, window: deque[int], size: int, here: int) -> float:
        window.append(here)
        self._sums[which] += here
        if len(window) > size:
            self._sums[which] -= window.popleft()
        return self._sums[which] / len(window)
