"""Whose request comes next: the higher priority, then the tenant furthest behind its share. Pure.

Within a priority this is weighted fair queueing by eligible virtual times: no tenant may be ahead
of its share by a whole request, and of those that may go the one goes whose next would be over
first. While all have work, each has its share of any number of requests to within one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..spec import Tenant


@dataclass(frozen=True)
class Claim:
    """One request of a tenant; `place`: its number with the caller."""

    tenant: str
    priority: int
    place: int


def fair_order(
    claims: Sequence[Claim],
    shares: Mapping[str, float],
    in_flight: Mapping[str, int] | None = None,
) -> list[Claim]:
    """Returns all claims in the order in which they go. `in_flight`: what each tenant has already,
    for which it waits until the others have caught up. Of one tenant, first come first."""
    weights = {claim.tenant: Fraction(shares.get(claim.tenant, 1.0)) for claim in claims}
    turns = _Turns(weights, in_flight or {})
    order: list[Claim] = []
    for priority in sorted({claim.priority for claim in claims}, reverse=True):
        order += turns.taken([claim for claim in claims if claim.priority == priority])
    return order


def within(
    limits: Tenant | None, wanted: Sequence[str], at_work: Collection[str], begun: int
) -> list[str]:
    """The first of `wanted` that a tenant's limits leave room for, with these at work and so many
    begun in this minute."""
    new = [one for one in wanted if one not in at_work]
    room = len(new)
    if limits and limits.in_flight is not None:
        room = min(room, limits.in_flight - len(at_work))
    if limits and limits.requests_per_minute is not None:
        room = min(room, limits.requests_per_minute - begun)
    return new[: max(0, room)]


class _Turns:
    """Virtual times: each request of a tenant takes the inverse of its weight."""

    def __init__(self, weights: Mapping[str, Fraction], in_flight: Mapping[str, int]) -> None:
        self._weights = weights
        self._start = {t: Fraction(in_flight.get(t, 0)) / w for t, w in weights.items()}
        running = sum(in_flight.get(tenant, 0) for tenant in weights)
        self._now = Fraction(running) / _sum(weights.values()) if weights else Fraction(0)

    def taken(self, claims: Sequence[Claim]) -> list[Claim]:
        waiting: dict[str, deque[Claim]] = {}
        for claim in claims:
            waiting.setdefault(claim.tenant, deque()).append(claim)
        order: list[Claim] = []
        while waiting:
            tenant = self._next(waiting)
            order.append(waiting[tenant].popleft())
            self._now += 1 / _sum(self._weights[one] for one in waiting)
            self._start[tenant] += 1 / self._weights[tenant]
            if not waiting[tenant]:
                del waiting[tenant]
        return order

    def _next(self, waiting: Mapping[str, deque[Claim]]) -> str:
        """Nobody eligible: those ahead have waited for others, who have no work now."""
        first = min(self._start[tenant] for tenant in waiting)
        self._now = max(self._now, first)
        eligible = [tenant for tenant in waiting if self._start[tenant] <= self._now]
        return min(eligible, key=lambda t: (self._start[t] + 1 / self._weights[t], t))


def _sum(weights: Iterable[Fraction]) -> Fraction:
    return sum(weights, Fraction(0))
