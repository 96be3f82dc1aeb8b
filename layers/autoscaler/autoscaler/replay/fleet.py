"""The fleet of somebody who never scales: as few copies as make nobody wait long."""

from __future__ import annotations

from heapq import heapreplace

from .results import quantile
from .trace import Trace

P99_SECONDS = 30.0
_MOST = 256


def always_on_copies(trace: Trace, concurrency_per_copy: int, most: int | None = None) -> int:
    """Returns the fewest copies, all the time, with a p99 wait under 30 s; at most `most`.

    First come, first served on copies × concurrency slots (Kiefer and Wolfowitz).
    """
    limit = most or _MOST
    for copies in range(1, limit):
        if _p99(trace, copies * concurrency_per_copy) < P99_SECONDS:
            return copies
    return limit


def _p99(trace: Trace, slots: int) -> float:
    free, waits = [0.0] * slots, []
    for arrival, service in zip(trace.arrivals, trace.services, strict=True):
        start = max(arrival, free[0])
        heapreplace(free, start + service)
        waits.append(start - arrival)
    return quantile(sorted(waits), 0.99)
