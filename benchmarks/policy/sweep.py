"""Other delays, other prices of waiting, another billing of starts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from tools.simulator.policies import ALL, FIXED, OURS, REAL

from .asked import Asked
from .comparison import compared
from .reckoning import WITHIN, medians
from .runs import Bench, Job, Terms
from .sources import Source
from .tables import mark, table

LEADS = (60.0, 120.0, 245.0, 525.0)
PRICES = (0.001, 0.003, 0.01, 0.03, 0.1)
BILLED = (1.0, 0.0)


def report(bench: Bench, sources: Sequence[Source]) -> list[Asked]:
    """Prints the median ratios for every combination."""
    print("\n## The sweep: medians of total cost against the zero-wait bound\n")
    print(f"Over {', '.join(one.name for one in sources)}.")
    print(
        "Of traces longer than a day only these, for the time that it takes. The price of waiting"
    )
    print("changes in the world and in the spec; a delay is the median cold start.\n")
    combinations = [Terms(*one) for one in product(LEADS, PRICES, BILLED)]
    bench.run(Job(s, OURS, terms) for s in reversed(sources) for terms in combinations)
    lines, above = [], 0
    for terms in combinations:
        middle = medians([one.row for one in compared(bench, sources, ALL, terms)], ALL)
        met = middle[OURS] <= WITHIN * min(middle[name] for name in REAL)
        above += not met
        fixed = min(FIXED, key=lambda name: middle[name])
        names = ("always-on", "native", "native-no-retries", "keda", "keda-cron", "knative")
        lines.append(
            (
                f"{terms.lead_seconds:.0f} s",
                f"${terms.waiting_usd:g}",
                f"{terms.startup_billed:.0%}",
                f"{middle[OURS]:.2f}",
                *(f"{middle[name]:.2f}" for name in names),
                f"{middle[fixed]:.2f} ({fixed.removeprefix('keep-alive-')} min)",
                mark(met),
            )
        )
    print(table(("delay", "a minute", "billed", OURS, *names, "best fixed", ""), lines))
    what = "the sweep: median at or below every real baseline's, within 2 %"
    measured = f"in {len(lines) - above} of {len(lines)}"
    return [Asked(what, measured, "in all", not above)]
