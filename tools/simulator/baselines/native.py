"""SageMaker's own scaling of an inference component, as AWS documents it.

Target tracking on the high-resolution ConcurrentRequestsPerCopy: scale-out when the metric is above
the target in three 10 s periods, scale-in when it is below 90 % of it in ninety (15 minutes), both
to `copies × metric / target`. Out of zero only by a step policy, +1 copy, on an alarm of one minute
over NoCapacityInvocationFailures, which needs a request that failed. There is no queue: at zero a
request is refused, and its caller tries again or does not.
https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-zero-instances.html
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import ceil

from autoscaler.replay.cluster import Cluster
from autoscaler.replay.engine import Habits
from autoscaler.replay.world import World

PERIOD_SECONDS = 10.0
_OUT_PERIODS = 3
_IN_PERIODS = 90
_IN_SHARE = 0.9
_COOLDOWN_SECONDS = 300.0
_ALARM_SECONDS = 60.0
# Copies go when told; their instances 10 to 12 minutes later (FACTS.md).
_RELEASE_SECONDS = 660.0


@dataclass
class Native:
    """`retry_seconds` None: callers whose request fails give up."""

    retry_seconds: float | None = 30.0
    target_share: float = 0.7  # of a copy's concurrency
    _samples: deque[float] = field(default_factory=lambda: deque(maxlen=_IN_PERIODS))
    _scaled_in_at: float = -_COOLDOWN_SECONDS
    _failures: int = 0
    _alarm_at: float = 0.0

    @property
    def name(self) -> str:
        return "native" if self.retry_seconds else "native-no-retries"

    def habits(self, world: World) -> Habits:
        return Habits(
            PERIOD_SECONDS,
            _RELEASE_SECONDS,
            refuses_at_zero=True,
            retry_seconds=self.retry_seconds,
        )

    def look(self, cluster: Cluster, now: float) -> int:
        desired = cluster.desired_copies
        if not cluster.serving_copies:
            self._samples.clear()
            return max(desired, self._out_of_zero(cluster, now))
        here = cluster.in_flight + cluster.waiting
        self._samples.append(here / cluster.serving_copies)
        return self._track(cluster, now, desired)

    def _out_of_zero(self, cluster: Cluster, now: float) -> int:
        if now < self._alarm_at:
            return 0
        self._alarm_at = now + _ALARM_SECONDS
        failed, self._failures = cluster.failures > self._failures, cluster.failures
        return 1 if failed else 0

    def _track(self, cluster: Cluster, now: float, desired: int) -> int:
        target = self.target_share * cluster.world.concurrency_per_copy
        metric = self._samples[-1]
        recent = list(self._samples)[-_OUT_PERIODS:]
        if len(recent) == _OUT_PERIODS and min(recent) > target:
            return max(desired, ceil(cluster.serving_copies * metric / target))
        full = len(self._samples) == _IN_PERIODS
        if full and max(self._samples) < _IN_SHARE * target:
            if now - self._scaled_in_at < _COOLDOWN_SECONDS:
                return desired
            wanted = ceil(cluster.serving_copies * max(self._samples) / target)
            if wanted < desired:
                self._scaled_in_at = now
            return min(desired, wanted)
        return desired
