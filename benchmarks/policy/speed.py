"""How long our policy takes on one core, and whether that grows with the requests alone."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tools.simulator.engine import simulate
from tools.simulator.policies import OURS, Setting, make
from tools.simulator.trace import Trace

from .asked import Asked, at_most
from .runs import DEFAULT, the_spec, the_world
from .sources import Source, prepared
from .tables import table

MOST_SECONDS = 5.0
DAYS = (1, 2, 7, 14)
MOST_GROWTH = 1.3  # of the time per request, from the first day to the whole
_ROUNDS = 3


def report(sources: Sequence[Source]) -> list[Asked]:
    """Prints seconds of one core, and microseconds a request, of the trace with most requests."""
    largest = max(sources, key=lambda source: len(prepared(source)[0]))
    trace, fleet = prepared(largest)
    print(f"\n## Seconds of one core, {largest.name} under our policy (best of {_ROUNDS})\n")
    days = [day for day in DAYS if day <= max(1.0, trace.seconds / 86400 + 0.5)]
    parts = [trace.until(day * 86400.0) for day in days]
    taken = [min(core_seconds(part, fleet) for _ in range(_ROUNDS)) for part in parts]
    each = [seconds / len(part) for seconds, part in zip(taken, parts, strict=True)]
    lines = [
        (f"{day}", f"{len(part):,}", f"{t:.2f} s", f"{e * 1e6:.1f} us", f"{e / each[0]:.2f}")
        for day, part, t, e in zip(days, parts, taken, each, strict=True)
    ]
    print(table(("days", "requests", "core", "a request", "of the first day's"), lines))
    growth = max(each) / each[0]
    return [
        at_most(
            f"{largest.name}, {days[-1]} days, on one core", taken[-1], MOST_SECONDS, "{:.1f} s"
        ),
        at_most("time a request, longest against one day", growth, MOST_GROWTH),
    ]


def core_seconds(trace: Trace, fleet: int) -> float:
    """Processor seconds of one run, so that others on the machine count as little as may be."""
    setting = Setting(the_spec(fleet, DEFAULT), fleet)
    world = the_world(fleet, DEFAULT)
    began = time.process_time()
    simulate(trace, world, make(OURS, setting))
    return time.process_time() - began
