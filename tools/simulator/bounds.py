"""What somebody could do who knew every request beforehand: bounds that policies are held against.

**Zero added wait.** Let every request be served the moment it arrives. The k-th instance is needed
while more requests are in service than k − 1 instances, with as many copies as fit, work on; all of
it is paid for while it is needed, and in each gap for the cheaper of staying and a restart that is
timed to be ready when the gap ends (release, and the billed share of a cold start). Copies beyond
the fleet's size are left out: nobody may have them. It is no lower bound of the *total* cost: who
lets requests wait may pay less.
"""

from __future__ import annotations

from heapq import heappop, heappush

from autoscaler.replay.trace import Trace
from autoscaler.replay.world import World


def zero_wait_usd(trace: Trace, world: World) -> float:
    """Dollars of the clairvoyant that lets nobody wait; the fleet is up when the trace begins."""
    restart = world.release_seconds + world.startup_billed * world.lead_seconds
    seconds = 0.0
    steps, end = in_service(trace), trace.seconds
    fits = world.copies_per_instance
    for copies in range(0, world.max_copies, fits):
        below = copies * world.concurrency_per_copy
        seconds += fits * _layer(steps, below, restart, world.release_seconds, end)
    return seconds / 3600 * world.usd_per_copy_hour


def _layer(
    steps: list[tuple[float, int]], below: int, restart: float, release: float, end: float
) -> float:
    """Billed seconds of the instance that is needed while more than `below` are in service; after
    the last time it stays until the end, or is released."""
    billed, free_since, busy_since = 0.0, 0.0, None
    for at, count in steps:
        if busy_since is None and count > below:
            billed += min(at - free_since, restart)
            busy_since = at
        elif busy_since is not None and count <= below:
            billed += at - busy_since
            free_since, busy_since = at, None
    return billed + min(end - free_since, release)


def in_service(trace: Trace) -> list[tuple[float, int]]:
    """(moment, requests in service from then on) if nobody ever waits."""
    ends: list[float] = []
    found: list[tuple[float, int]] = []
    for arrival, service in zip(trace.arrivals, trace.services, strict=True):
        while ends and ends[0] <= arrival:
            end = heappop(ends)
            found.append((end, len(ends)))
        heappush(ends, arrival + service)
        found.append((arrival, len(ends)))
    while ends:
        end = heappop(ends)
        found.append((end, len(ends)))
    return found
