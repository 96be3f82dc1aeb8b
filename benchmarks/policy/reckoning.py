"""What follows from the runs: ratios to the bound, medians, and who lies below whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

# "At or below": a throw of the dice is worth so much.
WITHIN = 1.02
MOST_MEDIAN = 1.20


@dataclass(frozen=True)
class Row:
    """The total of each policy on one trace, in dollars, and the zero-wait bound."""

    trace: str
    zero_wait_usd: float
    totals: Mapping[str, float]

    def ratio(self, policy: str) -> float:
        """Its total against the bound."""
        return self.totals[policy] / self.zero_wait_usd

    def best(self, policies: Iterable[str]) -> str:
        """Who of these pays least."""
        return min(policies, key=lambda policy: self.totals[policy])

    def against(self, policy: str, others: Iterable[str]) -> float:
        """Its total against the least of the others."""
        return self.totals[policy] / self.totals[self.best(others)]


def medians(rows: Sequence[Row], policies: Iterable[str]) -> dict[str, float]:
    """The median ratio of each policy over the traces."""
    return {policy: median(row.ratio(policy) for row in rows) for policy in policies}


@dataclass(frozen=True)
class Place:
    """Where a policy lies: request-minutes waited beyond 10 s, and dollars of instances."""

    minutes: float
    usd: float


@dataclass(frozen=True)
class Line:
    """What can be had by choosing between some places: straight lines from one to the next."""

    places: tuple[Place, ...]

    @classmethod
    def through(cls, places: Iterable[Place]) -> Line:
        """Through those that no other place of them beats in both; from few minutes to many."""
        kept: list[Place] = []
        for place in sorted(places, key=lambda one: (one.minutes, one.usd)):
            if not kept or place.usd < kept[-1].usd:
                kept.append(place)
        return cls(tuple(kept))

    def usd_at(self, minutes: float) -> float | None:
        """Dollars at so much waiting: interpolated; with more than the last place, the last; None
        where nobody waits as little."""
        if minutes < self.places[0].minutes:
            return None
        for before, after in pairwise(self.places):
            if minutes <= after.minutes:
                share = (minutes - before.minutes) / (after.minutes - before.minutes)
                return before.usd + share * (after.usd - before.usd)
        return self.places[-1].usd


def share_of(line: Line, place: Place) -> float | None:
    """Dollars of the line at as much waiting, against those of the place: below 1 is cheaper. None
    where the line does not reach."""
    usd = line.usd_at(place.minutes)
    return None if usd is None else usd / place.usd


def lies_below(line: Line, other: Line) -> bool:
    """True when the other is nowhere cheaper at as much waiting, where both reach.

    Both are straight between their places, so that looking at the places is enough.
    """
    theirs = [share_of(line, place) for place in other.places]
    ours = [share_of(other, place) for place in line.places]
    return all(share is None or share <= 1 for share in theirs) and all(
        share is None or share >= 1 for share in ours
    )
