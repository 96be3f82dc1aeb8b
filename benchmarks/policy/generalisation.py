"""The same medians on changed traces: what was fitted to the files would show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tools.simulator.policies import ALL, FIXED, OURS, REAL

from .asked import Asked
from .comparison import compared
from .reckoning import MOST_MEDIAN, WITHIN, medians
from .runs import Bench
from .sources import CHANGES, Source
from .tables import mark, table


def report(bench: Bench, sources: Sequence[Source]) -> list[Asked]:
    """Prints, for each change, every policy's median, and where ours is above the others."""
    print("\n## Changed traces: medians of total cost against the zero-wait bound\n")
    lines, asked, columns = [], [], []
    for change in CHANGES:
        changed = [replace(source, change=change) for source in sources]
        found = compared(bench, changed)
        rows = [one.row for one in found]
        columns.append(medians(rows, ALL))
        median, above = columns[-1][OURS], [r.trace for r in rows if r.against(OURS, REAL) > WITHIN]
        lost = sum(one.outcomes[OURS].lost for one in found)
        met = median <= MOST_MEDIAN and not above and not lost
        where = f"above the best real baseline on {', '.join(above) or 'none'}"
        measured = f"{median:.2f}, {lost} lost, {where}"
        demand = f"at most {MOST_MEDIAN:.2f}, none, on none"
        asked.append(Asked(f"traces {change}", measured, demand, met))
    for policy in ALL:
        lines.append((policy, *(f"{column[policy]:,.2f}" for column in columns)))
    print(table(("policy", *CHANGES), lines))
    best = [min(FIXED, key=lambda name: column[name]) for column in columns]
    print(f"\nBest fixed keep-alive, by hindsight: {', '.join(best)}.")
    print(*(f"{one.what}: {one.measured}. {mark(one.is_met)}" for one in asked), sep="\n")
    return asked
