"""Step scaling: which step a breach takes, and what it makes of the capacity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from tools.embedded.sagemaker.things import Members
from tools.embedded.shapes import invalid

_COOLDOWN = 300


@dataclass(eq=False)
class StepState:
    """A step scaling policy; `moved` is when it last acted, in simulated epoch seconds."""

    adjustment: str
    steps: list[tuple[float, float, int]]  # lower and upper bound of the breach, adjustment
    least_change: int
    cooldown: float
    moved: float = -math.inf

    @classmethod
    def of(cls, configuration: Members) -> StepState:
        """Raises ServiceError for steps that overlap or are missing."""
        if "AdjustmentType" not in configuration or not configuration.get("StepAdjustments"):
            raise invalid("A step scaling policy needs AdjustmentType and StepAdjustments")
        steps = sorted(
            (
                step.get("MetricIntervalLowerBound", -math.inf),
                step.get("MetricIntervalUpperBound", math.inf),
                step["ScalingAdjustment"],
            )
            for step in configuration["StepAdjustments"]
        )
        for lower, upper, _ in steps:
            if lower >= upper:
                raise invalid("MetricIntervalLowerBound must be below MetricIntervalUpperBound")
        for before, after in pairwise(steps):
            if before[1] > after[0]:
                raise invalid("StepAdjustment intervals must not overlap")
        return cls(
            configuration["AdjustmentType"],
            steps,
            configuration.get("MinAdjustmentMagnitude", 1),
            configuration.get("Cooldown", _COOLDOWN),
        )

    def wanted(self, desired: int, breach: float) -> int:
        """`breach` is the metric less the alarm's threshold."""
        for lower, upper, adjustment in self.steps:
            inside = lower <= breach < upper if breach >= 0 else lower < breach <= upper
            if inside:
                return max(0, self._apply(desired, adjustment))
        return desired

    def _apply(self, desired: int, adjustment: int) -> int:
        if self.adjustment == "ExactCapacity":
            return adjustment
        if self.adjustment == "ChangeInCapacity":
            return desired + adjustment
        change = desired * adjustment / 100
        whole = math.floor(change) if change > 1 else math.ceil(change) if change < -1 else 0
        if abs(whole) < max(1, self.least_change) and adjustment:
            whole = int(math.copysign(max(1, self.least_change), adjustment))
        return desired + whole
