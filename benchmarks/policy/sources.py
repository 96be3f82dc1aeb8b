"""The traces of the benchmark, as recorded and changed, so that nothing is fitted to the files."""

from __future__ import annotations

import glob
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from autoscaler.replay.fleet import always_on_copies
from autoscaler.replay.trace import Trace
from autoscaler.replay.world import World
from tools.simulator.trace_file import load_trace

THINNED_SHARE = 0.4
SLOWER = 3.0
_SEED = 1
_PATTERN = "*.csv*"


@dataclass(frozen=True)
class Source:
    """One trace file, and what is done to it: a change of CHANGES, and a shift of all arrivals
    in seconds, against the clock of the ticks."""

    path: Path
    change: str = ""
    shift_seconds: float = 0.0

    @property
    def name(self) -> str:
        return self.path.name.removesuffix(".gz").removesuffix(".csv")


class NoTracesError(ValueError):
    """Nothing is where the traces should be; the message says how to name them."""


def sources_of(places: Sequence[str]) -> list[Source]:
    """Files, folders of CSV files, or globs, in the order of their names; raises NoTracesError."""
    found: set[Path] = set()
    for place in places:
        for name in glob.glob(str(Path(place).expanduser())):  # noqa: PTH207 - may be absolute
            path = Path(name)
            found.update(path.glob(_PATTERN) if path.is_dir() else [path])
    if not found:
        raise NoTracesError(
            f"no trace in {', '.join(places)}: name a file, a folder or a glob, as in "
            "make bench-policy TRACES='folder/*.csv.gz'"
        )
    return [Source(path) for path in sorted(found)]


@lru_cache(maxsize=4)
def prepared(source: Source) -> tuple[Trace, int]:
    """The trace and the copies of an always-on fleet for it; raises TraceError."""
    trace = load_trace(source.path)
    if source.change:
        trace = CHANGES[source.change](trace)
    if source.shift_seconds:
        trace = shifted(trace, source.shift_seconds)
    return trace, always_on_copies(trace, World().concurrency_per_copy)


def thinned(trace: Trace, share: float = THINNED_SHARE) -> Trace:
    """Each request stays with this probability; always the same ones."""
    dice = random.Random(_SEED)
    kept = [
        pair for pair in zip(trace.arrivals, trace.services, strict=True) if dice.random() < share
    ]
    return Trace(trace.name, [a for a, _ in kept], [s for _, s in kept])


def rotated(trace: Trace) -> Trace:
    """The second half of the time first."""
    half = trace.arrivals[-1] / 2
    first = sum(arrival < half for arrival in trace.arrivals)
    arrivals = [a - half for a in trace.arrivals[first:]] + [
        a + half for a in trace.arrivals[:first]
    ]
    return Trace(trace.name, arrivals, [*trace.services[first:], *trace.services[:first]])


def slower(trace: Trace, factor: float = SLOWER) -> Trace:
    """Each request takes a copy so many times longer."""
    return replace(trace, services=[service * factor for service in trace.services])


def shifted(trace: Trace, seconds: float) -> Trace:
    """All of it later."""
    return replace(trace, arrivals=[arrival + seconds for arrival in trace.arrivals])


CHANGES: dict[str, Callable[[Trace], Trace]] = {
    "thinned to 40 %": thinned,
    "rotated by half": rotated,
    "service x 3": slower,
}
