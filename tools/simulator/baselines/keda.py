"""KEDA's SQS scaler over a Kubernetes HPA, with their default timings.

The scaler is polled every 30 s: from zero to one copy when a message is there, back to zero when
none was for the cooldown of 300 s. Between, the HPA every 15 s: `ceil(messages / messages per
copy)` within a tolerance of 10 %, scaling out by at most 4 copies or double, scaling in to the
highest of the last 300 s. Messages in flight count, as by default.
https://keda.sh/docs/latest/scalers/aws-sqs/ and
https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

from autoscaler.replay.cluster import Cluster
from autoscaler.replay.engine import Habits
from autoscaler.replay.world import ORIGIN, World

from .simple import highest, in_office_hours

_SYNC_SECONDS = 15.0
_POLL_SECONDS = 30.0
_COOLDOWN_SECONDS = 300.0
_STABILIZATION_SECONDS = 300.0
_TOLERANCE = 0.1


@dataclass
class Keda:
    """`cron`: a second trigger keeps one copy in office hours."""

    cron: bool = False
    origin: datetime = ORIGIN
    _wanted: deque[tuple[float, int]] = field(default_factory=deque)
    _active_at: float = -1.0  # it begins as if it had just been active

    @property
    def name(self) -> str:
        return "keda-cron" if self.cron else "keda"

    def habits(self, world: World) -> Habits:
        return Habits(_SYNC_SECONDS, world.release_seconds)

    def look(self, cluster: Cluster, now: float) -> int:
        messages = cluster.waiting + cluster.in_flight
        desired = cluster.desired_copies
        polled = now % _POLL_SECONDS < _SYNC_SECONDS
        if messages or (self.cron and in_office_hours(self.origin + timedelta(seconds=now))):
            self._active_at = now
        if not desired:
            return 1 if polled and self._active_at == now else 0
        if now - self._active_at >= _COOLDOWN_SECONDS and polled:
            self._wanted.clear()
            return 0
        return self._hpa(messages, desired, cluster.world.concurrency_per_copy, now)

    def _hpa(self, messages: int, desired: int, per_copy: int, now: float) -> int:
        if not self._wanted:
            self._wanted.append((now, desired))
        ratio = messages / (desired * per_copy)
        wanted = desired if abs(ratio - 1) <= _TOLERANCE else max(1, ceil(messages / per_copy))
        stable = highest(self._wanted, now, wanted, _STABILIZATION_SECONDS)
        return min(stable, max(2 * desired, desired + 4)) if stable > desired else stable
