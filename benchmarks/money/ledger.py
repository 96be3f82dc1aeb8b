"""The ledger against the simulator's exact billing: 14 days of real traces, 5 % of all ticks lost
and 5 % doubled; and once with three hours of every week without any tick, in which another hand
takes a copy away."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from benchmarks.money.replayed import Plan, Replayed, replay
from benchmarks.staging.figures import Figure, at_most

TRACES = Path(__file__).parents[3] / "shared" / "data" / "traces"
ENDPOINTS = {
    "chat-2w-nights-off": 1,
    "chat-2w-weekday": 2,
    "chat-2w-trickle": 1,
    "chat-2w-busy": 4,
}
_ASKED = 0.005
_PROCESSES = 2


def plans(days: float = 14) -> list[Plan]:
    """One for each endpoint; most copies as its traffic can use them."""
    return [Plan(TRACES / f"{name}.csv.gz", most, days=days) for name, most in ENDPOINTS.items()]


def figures(days: float = 14) -> list[Figure]:
    """Replays all endpoints; some minutes."""
    wanted = plans(days)
    gaps = [replace(plan, dead_hours=3.0) for plan in wanted]
    with ProcessPoolExecutor(_PROCESSES) as pool:
        found = list(pool.map(replay, [*wanted, *gaps]))
    usual, dead = found[: len(wanted)], found[len(wanted) :]
    return [
        *_faults(usual),
        *(figure for one in usual for figure in _of(one)),
        _all("all endpoints", usual, asked=True),
        _all("all, with three hours of each week without a tick", dead, asked=False),
        *(_closed(one) for one in dead),
        _some("unseen changes", sum(one.unseen for one in dead)),
    ]


def _faults(found: Sequence[Replayed]) -> list[Figure]:
    ticks = [one.ticks for one in found]
    due = sum(one.due for one in ticks)
    lost, doubled = sum(one.lost for one in ticks), sum(one.doubled for one in ticks)
    longest = max(one.longest for one in ticks)
    return [
        Figure("ticks lost", f"{lost:,} of {due:,}", "5 %", 0.04 < lost / due < 0.06),
        Figure("ticks doubled", f"{doubled:,} of {due:,}", "5 %", 0.04 < doubled / due < 0.06),
        Figure("longest time between two ticks", f"{longest:,.0f} s"),
    ]


def _of(one: Replayed) -> list[Figure]:
    worst = one.worst
    off = worst.counted - worst.billed
    return [
        _error(one.plan.name, one.counted_usd, one.billed_usd, asked=True),
        Figure(
            f"  {one.wakes} wakes; worst day {worst.label}",
            f"{off:+,.0f} s of {worst.billed:,.0f} s",
        ),
    ]


def _all(what: str, found: Sequence[Replayed], *, asked: bool) -> Figure:
    counted = sum(one.counted_usd for one in found)
    return _error(what, counted, sum(one.billed_usd for one in found), asked=asked)


def _error(what: str, counted: float, billed: float, *, asked: bool) -> Figure:
    error = counted / billed - 1
    label = f"{what}: ${counted:,.2f} of ${billed:,.2f}"
    if not asked:
        return Figure(label, f"{error:+.3%}")
    return replace(at_most(label, abs(error), _ASKED, "{:.3%}"), measured=f"{error:+.3%}")


def _some(what: str, fired: int) -> Figure:
    return Figure(what, f"{fired}", "some", fired > 0)


def _closed(one: Replayed) -> Figure:
    """What of the report's sum rests on gaps."""
    gaps = one.report.total.gaps
    return Figure(
        f"  {one.plan.name}: {one.unseen} unseen changes; off by {one.error:+.3%}",
        f"{gaps.instance_seconds:,.0f} s, ${gaps.usd:,.2f} over gaps",
    )
