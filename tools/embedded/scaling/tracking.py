"""Target tracking: two alarms over one metric, and what they make of the capacity.

Out: three periods above the target; the new capacity is in proportion, and no cooldown holds back
what is more than the capacity already asked for. In: fifteen minutes below 90 % of the target (90
periods of 10 s, 15 of 60 s; not tunable on AWS either), one copy at a time, a cooldown between. At
zero nothing is published, so it never leaves zero; it may go there.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from tools.embedded.sagemaker.publish import (
    INVOCATIONS_PER_COPY,
    INVOCATIONS_PER_INSTANCE,
    PER_COPY,
    PER_MODEL,
)
from tools.embedded.sagemaker.things import Members

_METRICS = {
    "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution": (PER_COPY, 10),
    "SageMakerInferenceComponentInvocationsPerCopy": (INVOCATIONS_PER_COPY, 60),
    "SageMakerVariantConcurrentRequestsPerModelHighResolution": (PER_MODEL, 10),
    "SageMakerVariantInvocationsPerInstance": (INVOCATIONS_PER_INSTANCE, 60),
}
_OUT_PERIODS = 3
_IN_SECONDS = 900
_IN_SHARE = 0.9
_COOLDOWN = 300
_CUSTOM_PERIOD = 60


@dataclass(eq=False)
class Tracker:
    """A target tracking policy with what it saw lately; times are simulated epoch seconds."""

    target: float
    metric: str | None  # None: a customized one, read from CloudWatch
    period: int
    in_cooldown: float
    scales_in: bool
    customized: Members = field(default_factory=dict)
    seen: deque[float] = field(default_factory=deque)
    last_seen: float = -math.inf
    moved_in: float = -math.inf
    _sum: float = 0.0
    _since: float | None = None

    @classmethod
    def of(cls, configuration: Members) -> Tracker:
        predefined = configuration.get("PredefinedMetricSpecification", {})
        metric, period = _METRICS.get(
            predefined.get("PredefinedMetricType", ""), (None, _CUSTOM_PERIOD)
        )
        return cls(
            target=configuration["TargetValue"],
            metric=metric,
            period=period,
            in_cooldown=configuration.get("ScaleInCooldown", _COOLDOWN),
            scales_in=not configuration.get("DisableScaleIn", False),
            customized=configuration.get("CustomizedMetricSpecification", {}),
        )

    def observe(self, value: float, now: float, sample_seconds: float) -> bool:
        """Takes a sample; True when a period is full. Sums up what is counted by the minute."""
        if now - self.last_seen > 2.5 * max(self.period, sample_seconds):
            self.seen.clear()  # nothing was published: the alarms have insufficient data
            self._sum, self._since = 0.0, None
        self.last_seen = now
        if sample_seconds >= self.period:
            self._append(value)
            return True
        self._since = now - sample_seconds if self._since is None else self._since
        self._sum += value
        if now - self._since < self.period - sample_seconds / 2:
            return False
        self._append(self._sum)
        self._sum, self._since = 0.0, None
        return True

    @property
    def high(self) -> bool:
        """Whether the alarm for scaling out is in ALARM."""
        lately = list(self.seen)[-_OUT_PERIODS:]
        return len(lately) == _OUT_PERIODS and min(lately) > self.target

    @property
    def low(self) -> bool:
        """Whether the alarm for scaling in is in ALARM."""
        full = len(self.seen) == _IN_SECONDS // self.period
        return full and max(self.seen) < _IN_SHARE * self.target

    def wanted(self, live: int, desired: int, now: float) -> int:
        """The capacity that this policy asks for; `live` is what the metric was divided by."""
        if self.high:
            lately = list(self.seen)[-_OUT_PERIODS:]
            needed = math.ceil(live * sum(lately) / len(lately) / self.target)
            return max(desired, needed)
        if self.low and self.scales_in and now - self.moved_in >= self.in_cooldown:
            return max(0, desired - 1)
        return desired

    def _append(self, value: float) -> None:
        self.seen.append(value)
        while len(self.seen) > _IN_SECONDS // self.period:
            self.seen.popleft()
