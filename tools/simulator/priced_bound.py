"""The second clairvoyant: lowest total cost when waiting is priced.

Somebody who knows every request beforehand may let requests wait where that is cheaper than a copy.
**Lowest total cost** is the least sum of dollars and priced waiting that any plan of copies could
have had, in a fluid picture of the trace: time in slots of 10 s; in each slot the running copies
work off up to copies × concurrency × 10 s of service, first come, first served. Of what is left
copies × concurrency are being answered and the others wait; a request is charged from its third
slot on, so that nobody pays for the first 10 s. Whole instances are billed. The start of one
bills its share of the cold start and the release, and is timed so that the copy serves from the
slot in which it is wanted. The fleet is up when the trace begins.

The plan is found by dynamic programming, backwards over (copies, requests waiting); between the
points of the grid of waiting requests the value is interpolated. It is below what can really be
had: a copy works off a fluid faster than whole requests one by one, and nothing has to be known in
time.
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from autoscaler.replay.trace import Trace
from autoscaler.replay.world import LOST_MINUTES, World

SLOT_SECONDS = 10.0
# After the last arrival there is still so much time to work off what waits.
_TAIL_SLOTS = 360
# Service times are averaged over so many requests around a slot.
_NEIGHBOURS = 100
_FINEST = 0.1  # requests

_Values = NDArray[np.float64]


def lowest_total_usd(trace: Trace, world: World) -> float:
    """Returns dollars and priced waiting of the best plan in hindsight."""
    arrivals, rates = _slots(trace, world)
    grid = _grid(arrivals, rates, world.max_copies)
    copies = np.arange(world.max_copies + 1)
    fits = world.copies_per_instance
    billed = np.ceil(copies / fits) * fits
    running_usd = billed * (world.usd_per_copy_hour / 3600 * SLOT_SECONDS)
    restart_usd = billed * (world.usd_per_copy_hour / 3600 * _restart_seconds(world))
    in_service = copies[:, None] * world.concurrency_per_copy
    waiting_usd = world.waiting_usd_per_request_minute / 60 * SLOT_SECONDS
    value = np.tile(grid * world.waiting_usd_per_request_minute * LOST_MINUTES, (len(copies), 1))
    settled = 0.0  # nothing arrived, and a slot more of that changed nothing: at these rates
    for slot in range(len(arrivals) - 1, -1, -1):
        came = arrivals[slot]
        free = came + (arrivals[slot - 1] if slot else 0.0)
        if not free and settled == rates[slot]:
            continue
        left = np.maximum(grid + came - copies[:, None] * rates[slot], 0.0)
        charged = np.maximum(left - free - in_service, 0.0) * waiting_usd
        after = _interpolated(value, grid, left)
        before, value = value, _best_move(running_usd[:, None] + charged + after, restart_usd)
        settled = rates[slot] if not free and np.array_equal(before, value) else 0.0
    return float(value[world.initial_copies, 0])


def _restart_seconds(world: World) -> float:
    return world.release_seconds + world.startup_billed * world.lead_seconds


def _best_move(value: _Values, restart_usd: _Values) -> _Values:
    """The least value that can be had from each number of copies by stopping or starting some."""
    fewer = np.minimum.accumulate(value, axis=0)
    rising = (value + restart_usd[:, None])[::-1]
    more = np.minimum.accumulate(rising, axis=0)[::-1] - restart_usd[:, None]
    return np.minimum(fewer, more)


def _interpolated(value: _Values, grid: _Values, at: _Values) -> _Values:
    return np.stack([np.interp(at[n], grid, value[n]) for n in range(len(value))])


def _slots(trace: Trace, world: World) -> tuple[_Values, _Values]:
    """Requests that arrive in each slot, and how many one copy works off in it."""
    last = trace.arrivals[-1] if trace.arrivals else 0.0
    count = int(last // SLOT_SECONDS) + 1 + _TAIL_SLOTS
    where = (np.asarray(trace.arrivals) // SLOT_SECONDS).astype(int)
    arrivals = np.bincount(where, minlength=count).astype(float)
    sums = np.concatenate(([0.0], np.cumsum(trace.services)))
    means = np.empty(count)
    for slot in range(count):
        middle = bisect_left(trace.arrivals, slot * SLOT_SECONDS)
        first, end = max(0, middle - _NEIGHBOURS), min(len(trace), middle + _NEIGHBOURS)
        means[slot] = (sums[end] - sums[first]) / (end - first)
    return arrivals, world.concurrency_per_copy * SLOT_SECONDS / np.maximum(means, 1e-6)


def _grid(arrivals: _Values, rates: _Values, most_copies: int) -> _Values:
    """Numbers of waiting requests: in steps of a tenth of a request at first, then of a tenth of
    the number; up to what the whole fleet would leave and what comes in ten minutes, beyond which
    waiting never pays.

    A copy may work off less than half a request in a slot. Steps of one request smear what is left
    over both neighbours each time, and charge for waiting that nobody did.
    """
    left, highest = 0.0, 0.0
    for came, rate in zip(arrivals, rates, strict=True):
        left = max(0.0, left + came - most_copies * rate)
        highest = max(highest, left)
    in_ten_minutes = np.convolve(arrivals, np.ones(60)).max()
    top = highest + in_ten_minutes + 1.0
    points = [0.0]
    while points[-1] < top:
        points.append(points[-1] + max(_FINEST, points[-1] * 0.1))
    return np.asarray(points)
