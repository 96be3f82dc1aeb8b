"""How many copies are worth their price: what is paid for them against what waiting would cost.

A fluid model of the next minutes. Requests come as they came lately, copies that are there work
them off now and new ones after the lead time; what is left waits. Of all sizes the one with the
lowest sum of both prices is taken, so that a short queue is let drain and a long one is met, and
the price of waiting alone says where the line is.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..spec import EndpointSpec
from .economy import FREE_WAIT, Economy
from .types import Observation

# For so long a rate of arrivals is believed to last, after the lead time of a copy.
BELIEVED_SECONDS = 300.0
# What makes requests wait seldom stops growing at that moment.
EXPECTED_GROWTH = 1.1


@dataclass(frozen=True)
class Flow:
    """Requests, now and to come. Rates in requests a second."""

    waiting: float
    arriving: float
    rate_per_copy: float


def flow_of(spec: EndpointSpec, observation: Observation, seconds_per_request: float) -> Flow:
    """What is seen of the requests; without a rate of arrivals the backlog alone counts."""
    backlog = observation.backlog or 0
    slots = spec.serving.concurrency_per_copy * observation.observed_copies
    return Flow(
        waiting=max(0.0, backlog - max(observation.in_flight or 0.0, min(slots, backlog))),
        arriving=EXPECTED_GROWTH * (observation.arrivals_per_second or 0.0),
        rate_per_copy=spec.serving.concurrency_per_copy / seconds_per_request,
    )


def worthwhile(
    flow: Flow,
    prices: Economy,
    *,
    serving: int,
    desired: int,
    most: int,
    stabilization_seconds: float,
) -> int:
    """Returns the copies of least expected cost, between max(1, desired) and `most`."""
    least = max(1, desired)
    best, best_usd = least, float("inf")
    for copies in range(least, max(most, least) + 1):
        usd = _cost(flow, prices, serving, desired, copies, stabilization_seconds)
        if usd < best_usd * (1 - 1e-9):
            best, best_usd = copies, usd
        elif copies > best + 3:
            break
    return best


def _cost(
    flow: Flow, prices: Economy, serving: int, desired: int, copies: int, stay_seconds: float
) -> float:
    """Dollars of waiting until the horizon, and of the copies beyond `desired`."""
    waited, drained_at = waited_until_drained(flow, prices.lead_seconds, serving, copies)
    added = copies - desired
    runs = max(0.0, drained_at - prices.lead_seconds) + stay_seconds
    return prices.waiting_usd * waited + added * (prices.start_usd + prices.copy_usd * runs)


def waited_until_drained(flow: Flow, lead: float, serving: int, copies: int) -> tuple[float, float]:
    """Returns the request-seconds waited beyond the free ones, and when nothing waits any more.

    `serving` copies until `lead` seconds from now, then `copies`.
    """
    queue, waited, now = flow.waiting, 0.0, 0.0
    phases = (
        (lead, flow.arriving, serving * flow.rate_per_copy),
        (lead + BELIEVED_SECONDS, flow.arriving, copies * flow.rate_per_copy),
        (float("inf"), 0.0, copies * flow.rate_per_copy),
    )
    drained_at = 0.0
    for end, arriving, capacity in phases:
        growth = arriving - capacity
        free = FREE_WAIT.total_seconds() * capacity
        if growth >= 0:
            span = end - now
            waited += _above(queue, growth, span, free)
            queue += growth * span
            drained_at = end if queue > 0 else drained_at
        elif queue > 0:
            drains_in = queue / -growth
            span = min(end - now, drains_in)
            waited += _above(queue, growth, span, free)
            queue = queue + growth * span if span < drains_in else 0.0
            drained_at = now + span
        now = end
    return waited, drained_at


def _above(queue: float, growth: float, span: float, free: float) -> float:
    """The integral of what of a queue, growing linearly, is above `free`: those who wait longer
    than the free wait (Little's law)."""
    first, last = queue - free, queue + growth * span - free
    if first >= 0 and last >= 0:
        return (first + last) / 2 * span
    if first <= 0 and last <= 0:
        return 0.0
    share = max(first, last) / abs(last - first)
    return max(first, last) / 2 * span * share
