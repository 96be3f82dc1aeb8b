"""A comparison in the words and columns of a table."""

from __future__ import annotations

import math

from autoscaler.policy.wording import counted
from autoscaler.replay.results import Outcome
from autoscaler.replay.world import World

from .compare import Comparison

_HOUR = 3600.0

MONEY = (
    "policy", "total", "of bound", "dollars", "of fleet", "waiting", "wakes", "idle h",
)  # fmt: skip
WAITING = ("policy", "p50", "p95", "p99", "over 10 s", "over 60 s", "lost")
HEADINGS = (*MONEY, *WAITING[1:])


def cells(comparison: Comparison, outcome: Outcome) -> dict[str, str]:
    """One policy's line: a text for each heading."""
    always = always_on_usd(comparison)
    return {
        "policy": outcome.policy,
        "total": usd(outcome.total_usd),
        "of bound": "–" if (share := comparison.of_bound(outcome)) is None else f"{share:.2f}",
        "dollars": usd(outcome.usd),
        "of fleet": f"{outcome.usd / always:.0%}" if always else "–",
        "waiting": usd(outcome.waiting_usd),
        "wakes": f"{outcome.wakes:,}",
        "idle h": f"{outcome.idle_hours:,.1f}",
        "p50": _seconds(outcome.p50_seconds),
        "p95": _seconds(outcome.p95_seconds),
        "p99": _seconds(outcome.p99_seconds),
        "over 10 s": f"{outcome.over_10s:.1%}",
        "over 60 s": f"{outcome.over_60s:.1%}",
        "lost": f"{outcome.lost:,}",
    }


def usd(amount: float) -> str:
    """Cents, as long as they are worth a column."""
    return f"${amount:,.2f}" if amount < 1000 else f"${amount:,.0f}"


def bounds_sentence(comparison: Comparison) -> str:
    """What the clairvoyants would have paid, and what the columns are shares of."""
    fleet = counted(comparison.world.initial_copies, "copy")
    return (
        f"A fleet that never scales has {fleet}. "
        f"In hindsight: ${comparison.zero_wait_usd:,.2f} if nobody waits (the bound of the "
        f"table), ${comparison.lowest_total_usd:,.2f} at the lowest total."
    )


def always_on_usd(comparison: Comparison) -> float:
    """Dollars of the fleet that never scales, over the whole trace; whole instances are billed."""
    world, fits = comparison.world, comparison.world.copies_per_instance
    billed = math.ceil(world.initial_copies / fits) * fits
    return billed * comparison.trace.seconds / 3600 * world.usd_per_copy_hour


def world_sentence(world: World) -> str:
    """What the comparison takes for granted."""
    billed = f"{world.startup_billed:.0%} of it billed"
    return (
        f"A copy costs ${world.usd_per_copy_hour:.3f} an hour and works on "
        f"{world.concurrency_per_copy} requests at a time; from a request to serving "
        f"{world.lead_seconds:.0f} s ({billed}), release {world.release_seconds:.0f} s; at most "
        f"{world.max_copies} copies; a minute of waiting beyond 10 s is worth "
        f"${world.waiting_usd_per_request_minute:g}."
    )


def _seconds(value: float) -> str:
    if value >= _HOUR:
        return f"{value / _HOUR:,.1f} h"
    return f"{value:,.0f} s" if value >= 10 or value == 0 else f"{value:.1f} s"
