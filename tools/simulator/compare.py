"""Several policies on one trace, beside what a clairvoyant would pay."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from autoscaler.replay.engine import simulate
from autoscaler.replay.fleet import always_on_copies
from autoscaler.replay.results import Outcome
from autoscaler.replay.trace import Trace
from autoscaler.replay.world import ORIGIN, World
from autoscaler.spec import EndpointSpec

from .bounds import zero_wait_usd
from .policies import Setting, make
from .priced_bound import lowest_total_usd


@dataclass(frozen=True)
class Comparison:
    """What each policy did with one trace. Bounds in dollars."""

    trace: Trace
    world: World
    zero_wait_usd: float
    lowest_total_usd: float
    outcomes: tuple[Outcome, ...]

    def of(self, policy: str) -> Outcome:
        """The outcome of one policy; KeyError if it did not run."""
        for outcome in self.outcomes:
            if outcome.policy == policy:
                return outcome
        raise KeyError(policy)

    def document(self) -> dict[str, Any]:
        """Everything as JSON, without the courses of copies."""
        return {
            "trace": self.trace.name,
            "requests": len(self.trace),
            "days": round(self.trace.seconds / 86400, 3),
            "fleet": self.world.max_copies,
            "zero_wait_usd": round(self.zero_wait_usd, 4),
            "lowest_total_usd": round(self.lowest_total_usd, 4),
            "policies": [self._row(outcome) for outcome in self.outcomes],
        }

    def of_bound(self, outcome: Outcome) -> float | None:
        """Its total cost against the zero-wait bound; None where copies cost nothing."""
        return outcome.total_usd / self.zero_wait_usd if self.zero_wait_usd else None

    def _row(self, outcome: Outcome) -> dict[str, Any]:
        share = self.of_bound(outcome)
        return {
            "policy": outcome.policy,
            "usd": round(outcome.usd, 4),
            "waiting_usd": round(outcome.waiting_usd, 4),
            "total_usd": round(outcome.total_usd, 4),
            "against_zero_wait": None if share is None else round(share, 4),
            "p50_seconds": round(outcome.p50_seconds, 2),
            "p95_seconds": round(outcome.p95_seconds, 2),
            "p99_seconds": round(outcome.p99_seconds, 2),
            "over_10s": round(outcome.over_10s, 6),
            "over_60s": round(outcome.over_60s, 6),
            "answered": outcome.answered,
            "lost": outcome.lost,
            "wakes": outcome.wakes,
            "idle_hours": round(outcome.idle_hours, 2),
        }


def compare(
    trace: Trace,
    world: World,
    spec: EndpointSpec,
    policies: Sequence[str],
    origin: datetime = ORIGIN,
    processes: int = 2,
) -> Comparison:
    """Runs the policies, each from the fleet of somebody who never scales; raises
    UnknownPolicyError before anything runs."""
    fleet = always_on_copies(trace, world.concurrency_per_copy, world.max_copies)
    world = replace(world, initial_copies=fleet)
    setting = Setting(spec, fleet, origin)
    for name in policies:
        make(name, setting)
    run = partial(_run, trace, world, setting)
    with ProcessPoolExecutor(max(1, min(processes, len(policies)))) as pool:
        priced = pool.submit(lowest_total_usd, trace, world)
        outcomes = tuple(pool.map(run, policies))
        return Comparison(trace, world, zero_wait_usd(trace, world), priced.result(), outcomes)


def _run(trace: Trace, world: World, setting: Setting, policy: str) -> Outcome:
    return simulate(trace, world, make(policy, setting))
