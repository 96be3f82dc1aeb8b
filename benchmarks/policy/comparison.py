"""All policies on all traces, in the world of the issue, with the default spec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autoscaler.replay.results import Outcome
from tools.simulator.policies import ALL, FIXED, OURS, REAL

from .asked import Asked, at_most
from .reckoning import MOST_MEDIAN, WITHIN, Row, medians
from .runs import DEFAULT, Bench, Bounds, Job, Terms
from .sources import Source
from .tables import dollars, mark, seconds, table


@dataclass(frozen=True)
class Compared:
    """One trace: its bounds and what every policy did."""

    source: Source
    bounds: Bounds
    outcomes: dict[str, Outcome]

    @property
    def row(self) -> Row:
        totals = {name: outcome.total_usd for name, outcome in self.outcomes.items()}
        return Row(self.source.name, self.bounds.zero_wait_usd, totals)


def compared(
    bench: Bench,
    sources: Sequence[Source],
    policies: Sequence[str] = ALL,
    terms: Terms = DEFAULT,
    *,
    lowest: bool = False,
) -> list[Compared]:
    """Runs the policies on the sources."""
    bench.run(Job(source, policy, terms) for source in sources for policy in policies)
    bounds = bench.bounds(sources, terms, lowest=lowest)
    return [
        Compared(source, bound, {p: bench.outcome(Job(source, p, terms)) for p in policies})
        for source, bound in zip(sources, bounds, strict=True)
    ]


def report(bench: Bench, sources: Sequence[Source]) -> list[Asked]:
    """Prints the tables; returns what was asked."""
    found = compared(bench, sources, lowest=True)
    rows = [one.row for one in found]
    print("\n## Total cost against the zero-wait bound\n")
    print(ratio_table(rows))
    print("\n## Total cost, dollars and priced waiting\n")
    print(_dollar_table(found))
    print("\n## Ours against the best\n")
    print(_best_table(found))
    print("\n## What ours did\n")
    print(_ours_table(found))
    return judged(rows, sum(one.outcomes[OURS].lost for one in found))


def judged(rows: Sequence[Row], lost: int) -> list[Asked]:
    """The three demands on the comparison; fixed keep-alives are counted as baselines too."""
    return [
        at_most("median of ours over the traces", medians(rows, [OURS])[OURS], MOST_MEDIAN),
        _at_or_below("every real baseline", rows, REAL),
        _at_or_below("every fixed keep-alive, the best by hindsight", rows, FIXED),
        at_most("lost requests of ours", lost, 0, "{:.0f}"),
    ]


def _at_or_below(who: str, rows: Sequence[Row], others: Sequence[str]) -> Asked:
    above = [row.trace for row in rows if row.against(OURS, others) > WITHIN]
    measured = f"not on {', '.join(above)}" if above else "on every trace"
    return Asked(f"at or below {who}, within 2 %", measured, "on every trace", not above)


def ratio_table(rows: Sequence[Row]) -> str:
    """Policies down, traces across."""
    middle = medians(rows, ALL)
    lines = [
        [policy, *(_ratio(row.ratio(policy)) for row in rows), _ratio(middle[policy])]
        for policy in ALL
    ]
    return table(["policy", *(row.trace for row in rows), "median"], lines)


def _dollar_table(found: Sequence[Compared]) -> str:
    lines = [
        [policy, *(dollars(one.outcomes[policy].total_usd) for one in found)] for policy in ALL
    ]
    lines.append(["zero-wait bound", *(dollars(one.bounds.zero_wait_usd) for one in found)])
    lines.append(
        ["lowest-total bound", *(dollars(one.bounds.lowest_total_usd or 0.0) for one in found)]
    )
    return table(["policy", *(one.source.name for one in found)], lines)


def _best_table(found: Sequence[Compared]) -> str:
    lines = []
    for one in found:
        row = one.row
        real, fixed = row.against(OURS, REAL), row.against(OURS, FIXED)
        lines.append(
            (
                row.trace,
                f"{row.ratio(OURS):.2f}",
                f"{(one.bounds.lowest_total_usd or 0.0) / row.zero_wait_usd:.2f}",
                row.best(REAL),
                f"{real:.2f}",
                mark(real <= WITHIN),
                row.best(FIXED),
                f"{fixed:.2f}",
                mark(fixed <= WITHIN),
            )
        )
    heads = ("trace", "ours", "lowest total", "best real", "ours / it", "", "best fixed")
    return table((*heads, "ours / it", ""), lines)


def _ours_table(found: Sequence[Compared]) -> str:
    lines = []
    for one in found:
        ours, bounds = one.outcomes[OURS], one.bounds
        lines.append(
            (
                one.source.name,
                f"{bounds.requests:,}",
                f"{bounds.days:.1f}",
                str(bounds.fleet),
                dollars(ours.usd),
                dollars(ours.waiting_usd),
                seconds(ours.p50_seconds),
                seconds(ours.p95_seconds),
                seconds(ours.p99_seconds),
                f"{ours.over_10s:.1%}",
                f"{ours.over_60s:.1%}",
                f"{ours.wakes:,}",
                f"{ours.idle_hours:,.1f}",
                f"{ours.lost}{mark(not ours.lost)}",
            )
        )
    heads = ("trace", "requests", "days", "fleet", "dollars", "waiting", "p50", "p95", "p99")
    return table((*heads, "> 10 s", "> 60 s", "wakes", "idle h", "lost"), lines)


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value < 100 else f"{value:,.0f}"
