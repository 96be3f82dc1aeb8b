"""The world that policies are compared in: delays, prices, and what waiting is worth."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime

# Dollars of a request that was never answered, in minutes of waiting: its sender has to notice
# and do it again by hand.
LOST_MINUTES = 60.0
# A wait that nobody minds.
FREE_WAIT_SECONDS = 10.0
# When a trace begins if nobody says: a Monday, at midnight.
ORIGIN = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Stage:
    """One stage of a cold start: log-normal around its median; spread 0 is always the median.

    `spread` is the standard deviation of the logarithm; 0.15 gives p90 = 1.21 × the median.
    """

    name: str
    median_seconds: float
    spread: float = 0.0

    def draw(self, dice: random.Random) -> float:
        """Returns seconds."""
        if not self.spread:
            return self.median_seconds
        return self.median_seconds * math.exp(dice.gauss(0.0, self.spread))


# Llama-3.1-8B from zero by a direct wake (no alarm to wait for): instance 105 s, container and
# weights 138 s, and a probe; FACTS.md, "How long, how much".
COLD_START = (Stage("capacity", 105.0), Stage("container and weights", 138.0), Stage("ready", 2.0))


@dataclass(frozen=True)
class World:
    """What costs how much and takes how long. The defaults are the comparison of docs/policy.md."""

    usd_per_copy_hour: float = 2.61  # ml.g6e.xlarge, us-east-1
    copies_per_instance: int = 1  # what is billed are whole instances of so many
    concurrency_per_copy: int = 16
    cold_start: tuple[Stage, ...] = COLD_START
    startup_billed: float = 1.0  # share of a cold start that is billed
    release_seconds: float = 60.0  # from scaling in until the instance is gone and not billed
    waiting_usd_per_request_minute: float = 0.01
    max_copies: int = 1
    initial_copies: int = 1
    no_capacity_share: float = 0.0  # of all starts that find no instance at first
    no_capacity_seconds: float = 900.0  # for how long, exponentially distributed
    seed: int = 1

    @property
    def lead_seconds(self) -> float:
        """The median cold start."""
        return sum(stage.median_seconds for stage in self.cold_start)

    def dice(self) -> random.Random:
        """A generator of its own for one run, so that runs do not disturb each other."""
        return random.Random(self.seed)

    def draw_lead(self, dice: random.Random) -> float:
        """Seconds of one cold start."""
        lead = sum(stage.draw(dice) for stage in self.cold_start)
        if self.no_capacity_share and dice.random() < self.no_capacity_share:
            lead += dice.expovariate(1 / self.no_capacity_seconds)
        return lead

    def with_lead(self, seconds: float) -> tuple[Stage, ...]:
        """The stages stretched to this median."""
        factor = seconds / self.lead_seconds
        return tuple(Stage(s.name, s.median_seconds * factor, s.spread) for s in self.cold_start)
