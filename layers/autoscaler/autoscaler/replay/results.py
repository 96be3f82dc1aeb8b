"""What a run cost and how long its requests waited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from .cluster import Cluster
from .world import FREE_WAIT_SECONDS, LOST_MINUTES, World


@dataclass(frozen=True)
class Point:
    """From this second on so many copies were asked for, and so many served."""

    at: float
    desired: int
    serving: int


@dataclass(frozen=True)
class Outcome:
    """One policy on one trace. Waits in seconds, from arrival until a copy works on it."""

    policy: str
    requests: int
    answered: int
    lost: int
    failures: int
    usd: float
    waiting_usd: float
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float
    over_10s: float  # share of the requests
    over_60s: float
    wakes: int
    idle_hours: float  # billed copy-hours in which no request could have used them
    end_seconds: float
    points: tuple[Point, ...]

    @property
    def total_usd(self) -> float:
        """Dollars and what waiting is worth: what policies are compared by."""
        return self.usd + self.waiting_usd

    @classmethod
    def of(cls, policy: str, cluster: Cluster, end: float, points: list[Point]) -> Outcome:
        """Reads a run that is over."""
        world, waits = cluster.world, sorted(cluster.waits)
        hours = cluster.billed_seconds(end) / 3600
        worked = sum(cluster.trace.services) / world.concurrency_per_copy / 3600
        unanswered = cluster.waiting
        return cls(
            policy=policy,
            requests=len(cluster.trace),
            answered=len(waits),
            lost=cluster.lost + unanswered,
            failures=cluster.failures,
            usd=hours * world.usd_per_copy_hour,
            waiting_usd=waiting_usd(waits, cluster.lost + unanswered, world),
            p50_seconds=quantile(waits, 0.50),
            p95_seconds=quantile(waits, 0.95),
            p99_seconds=quantile(waits, 0.99),
            over_10s=_share_over(waits, 10.0),
            over_60s=_share_over(waits, 60.0),
            wakes=_wakes(points),
            idle_hours=max(0.0, hours - worked),
            end_seconds=end,
            points=tuple(points),
        )


def waiting_usd(waits: Sequence[float], lost: int, world: World) -> float:
    """Dollars: price × minutes beyond the first 10 s, and an hour for each that was lost."""
    seconds = sum(wait - FREE_WAIT_SECONDS for wait in waits if wait > FREE_WAIT_SECONDS)
    return world.waiting_usd_per_request_minute * (seconds / 60 + lost * LOST_MINUTES)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The nearest rank; 0 of nothing."""
    if not ordered:
        return 0.0
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def _share_over(ordered: Sequence[float], seconds: float) -> float:
    return sum(wait > seconds for wait in ordered) / len(ordered) if ordered else 0.0


def _wakes(points: Sequence[Point]) -> int:
    return sum(after.desired > 0 and before.desired == 0 for before, after in pairwise(points))
