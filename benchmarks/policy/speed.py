"""How long our policy takes on one core, and whether that grows with the requests alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from autoscaler.replay.engine import simulate
from autoscaler.replay.trace import Trace
from tools.simulator.policies import OURS, Setting, make

from .asked import Asked, at_most
from .runs import DEFAULT, the_spec, the_world
from .sources import Source, prepared
from .tables import table

MOST_SECONDS = 5.0
DAYS = (1, 2, 7, 14)
MOST_GROWTH = 1.15  # of the time per request, from pieces of a day to the whole
_DAY_SECONDS = 86400.0
_ROUNDS = 2


def report(sources: Sequence[Source]) -> list[Asked]:
    """Prints seconds of one core, and microseconds a request, of the trace with most requests."""
    largest = max(sources, key=lambda source: len(prepared(source)[0]))
    trace, fleet = prepared(largest)
    print(f"\n## Seconds of one core, {largest.name} under our policy (best of {_ROUNDS})\n")
    print("Cut into pieces of so many days, each replayed by itself: the same requests in all.\n")
    whole = trace.arrivals[-1] / _DAY_SECONDS
    days = [day for day in DAYS if day < whole] + ([DAYS[-1]] if whole <= DAYS[-1] else [])
    taken = [
        sum(_best_seconds(piece, fleet) for piece in pieces(trace, day * _DAY_SECONDS))
        for day in days
    ]
    each = [seconds / len(trace) for seconds in taken]
    lines = [
        (f"{day}", f"{len(trace):,}", f"{t:.2f} s", f"{e * 1e6:.1f} us", f"{e / each[0]:.2f}")
        for day, t, e in zip(days, taken, each, strict=True)
    ]
    print(table(("days", "requests", "core", "a request", "of that in single days"), lines))
    what = f"{largest.name} under our policy on one core"
    return [
        at_most(what, taken[-1], MOST_SECONDS, "{:.1f} s"),
        at_most(
            "time a request, the longest piece against single days", each[-1] / each[0], MOST_GROWTH
        ),
    ]


def pieces(trace: Trace, seconds: float) -> Iterator[Trace]:
    """The trace cut into parts of this length, each with its own start; empty ones are left out."""
    start, first = 0.0, 0
    while first < len(trace):
        end = len(trace.until(start + seconds))
        if end > first:
            arrivals = [arrival - start for arrival in trace.arrivals[first:end]]
            yield Trace(trace.name, arrivals, trace.services[first:end])
        start, first = start + seconds, end


def _best_seconds(trace: Trace, fleet: int) -> float:
    return min(core_seconds(trace, fleet) for _ in range(_ROUNDS))


def core_seconds(trace: Trace, fleet: int) -> float:
    """Processor seconds of one run, so that others on the machine count as little as may be."""
    setting = Setting(the_spec(fleet, DEFAULT), fleet)
    world = the_world(fleet, DEFAULT)
    began = time.process_time()
    simulate(trace, world, make(OURS, setting))
    return time.process_time() - began
