"""Traces and worlds that the simulator's tests begin with."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

from autoscaler.replay.trace import Trace
from autoscaler.replay.world import Stage, World

LEAD = 200.0
RELEASE = 60.0
# One dollar an hour and a start of 200 s, so that results can be reckoned by hand.
SMALL = World(
    usd_per_copy_hour=1.0,
    concurrency_per_copy=2,
    cold_start=(Stage("all", LEAD),),
    release_seconds=RELEASE,
    max_copies=4,
    initial_copies=0,
)


def a_trace(*arrivals: float, service: float = 10.0) -> Trace:
    """Requests of one length."""
    return Trace("test", list(arrivals), [service] * len(arrivals))


def poisson(
    count: int, per_second: float, mean_service: float, seed: int = 1, spread: bool = True
) -> Trace:
    """Poisson arrivals with exponential (or constant) service."""
    dice = random.Random(seed)
    arrivals, services, now = [], [], 0.0
    for _ in range(count):
        now += dice.expovariate(per_second)
        arrivals.append(now)
        services.append(dice.expovariate(1 / mean_service) if spread else mean_service)
    return Trace("poisson", arrivals, services)


def bursts(starts: Iterable[float], requests: int, every: float, service: float = 5.0) -> Trace:
    """So many requests from each start on, evenly spaced."""
    arrivals = sorted(start + n * every for start in starts for n in range(requests))
    return Trace("bursts", arrivals, [service] * len(arrivals))


HEADER = "arrival_s,input_tokens,output_tokens\n"


def a_night(folder: Path) -> Path:
    """A trace file: ten minutes of requests at two and at five o'clock."""
    rows = [f"{hour * 3600 + 10 * n},300,200" for hour in (2, 5) for n in range(60)]
    path = folder / "night.csv"
    path.write_text(HEADER + "\n".join(rows) + "\n")
    return path
