"""Dollars against waiting, summed over the traces: ours over prices of waiting, and the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.simulator.policies import ALL, FIXED, OURS

from .asked import Asked
from .frontier_page import render
from .reckoning import Line, Place, lies_below, share_of
from .runs import DEFAULT, Bench, Job, Terms
from .sources import Source
from .tables import mark, table

PRICES = (0.001, 0.003, 0.01, 0.03, 0.1)


def report(bench: Bench, sources: Sequence[Source], page: Path | None) -> list[Asked]:
    """Prints the places and whether ours lies below; writes a picture if that is wanted."""
    print("\n## The frontier: dollars against request-minutes waited beyond 10 s, all traces\n")
    terms = [Terms(waiting_usd=price) for price in PRICES]
    bench.run(Job(s, OURS, one) for s in reversed(sources) for one in terms)
    ours = {one.waiting_usd: place_of(bench, sources, OURS, one) for one in terms}
    others = {name: place_of(bench, sources, name, DEFAULT) for name in ALL if name != OURS}
    line = Line.through(ours.values())
    fixed = Line.through(others[name] for name in FIXED)
    lines = [(f"ours at ${price:g}", *_cells(place), "", "") for price, place in ours.items()]
    shares = {name: share_of(line, place) for name, place in others.items()}
    for name, place in sorted(others.items(), key=lambda pair: pair[1].minutes):
        share = shares[name]
        told = "ours waits longer" if share is None else f"{share:.2f}"
        lines.append((name, *_cells(place), told, mark(share is None or share <= 1)))
    print(table(("policy", "minutes", "dollars", "ours at as much waiting", ""), lines))
    print("\nOurs at as much waiting: straight between its points, against the policy's dollars.")
    if page:
        page.write_text(render(ours, others), encoding="utf-8")
        print(f"A picture is in {page}.")
    return [_below_each(shares), _below_line(line, fixed)]


def place_of(bench: Bench, sources: Sequence[Source], policy: str, terms: Terms) -> Place:
    """Summed over the traces; a lost request counts as an hour of waiting, as everywhere."""
    found = [bench.outcome(Job(source, policy, terms)) for source in sources]
    minutes = sum(one.waiting_usd for one in found) / terms.waiting_usd
    return Place(minutes, sum(one.usd for one in found))


def _below_each(shares: Mapping[str, float | None]) -> Asked:
    """Whom ours does not reach cannot be told; they are named."""
    known = [share for share in shares.values() if share is not None]
    beyond = [name for name, share in shares.items() if share is None]
    measured = f"{sum(share <= 1 for share in known)} of {len(known)}"
    if beyond:
        measured += f", not reached: {', '.join(beyond)}"
    what = "the frontier: below every baseline that waits as much"
    return Asked(what, measured, "all", all(share <= 1 for share in known))


def _below_line(line: Line, fixed: Line) -> Asked:
    below = lies_below(line, fixed)
    what = "the frontier: below the line of fixed keep-alives"
    return Asked(what, "yes" if below else "no", "yes", below)


def _cells(place: Place) -> tuple[str, str]:
    return f"{place.minutes:,.0f}", f"${place.usd:,.0f}"
