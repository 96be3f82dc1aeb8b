"""`make bench-policy`: prints what one run measured; ends with 1 if something asked misses."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from tools.simulator.trace_file import TraceError
from tools.simulator.wording import world_sentence

from . import comparison, frontier, generalisation, shifts, speed, sweep
from .asked import Asked, summary
from .runs import DEFAULT, Bench, the_world
from .sources import NoTracesError, Source, prepared, sources_of

PARTS = ("comparison", "shifts", "sweep", "frontier", "generalisation", "speed")
TRACES = "../shared/data/traces"
_A_DAY = 1.01  # days, with the last requests' work
_LONG_ONES_SWEPT = 2


def main() -> None:
    """Reads the traces, runs the parts that are asked for, says what misses."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("traces", nargs="*", default=[TRACES], help="files, folders or globs")
    arguments.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts to run")
    arguments.add_argument("--page", type=Path, help="where to write a picture of the frontier")
    given = arguments.parse_args()
    began = time.monotonic()
    try:
        asked = _measured(sources_of(given.traces), given.only, given.page)
    except (NoTracesError, TraceError) as wrong:
        raise SystemExit(str(wrong)) from None
    print(f"\n## Asked for\n\n{summary(asked)}\n\n{(time.monotonic() - began) / 60:.1f} minutes.")
    if not all(one.is_met for one in asked):
        raise SystemExit(1)


def _measured(sources: Sequence[Source], parts: Sequence[str], page: Path | None) -> list[Asked]:
    days = [source for source in sources if _days(source) <= _A_DAY]
    longer = [source for source in sources if source not in days]
    one = world_sentence(the_world(1, DEFAULT))
    print(
        one.replace("at most 1 copies", "at most the copies of an always-on fleet, p99 under 30 s")
    )
    asked: list[Asked] = []
    # Alone on the machine, before the pool is there.
    if "speed" in parts:
        asked += speed.report(sources)
    with Bench() as bench:
        if "comparison" in parts:
            asked += comparison.report(bench, sources)
        if "shifts" in parts and days:
            asked += shifts.report(bench, days)
        if "frontier" in parts:
            asked += frontier.report(bench, sources, page)
        if "generalisation" in parts:
            asked += generalisation.report(bench, sources)
        if "sweep" in parts:
            asked += sweep.report(bench, [*days, *longer[:_LONG_ONES_SWEPT]])
    return asked


def _days(source: Source) -> float:
    return prepared(source)[0].seconds / 86400


if __name__ == "__main__":
    main()
