"""Inline SVG: demand and copies over time, and dollars against waiting for all policies."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise
from math import ceil

from autoscaler.ledger.charts import nice_top
from autoscaler.replay.results import Outcome, Point

from .bounds import in_service
from .compare import Comparison

_WIDTH, _STRIP = 1000, 56
_BINS = 500
_PLOT_WIDTH, _PLOT_HEIGHT, _LEFT, _BOTTOM = 940, 420, 62, 44
_LABEL_HEIGHT = 15.0


def demand(comparison: Comparison) -> list[int]:
    """The most copies that requests kept busy in each of 500 parts of the trace, if none waited."""
    length = max(comparison.trace.seconds, 1.0)
    most = [0] * _BINS
    slots = comparison.world.concurrency_per_copy
    now_in, last = 0, 0
    for at, count in in_service(comparison.trace):
        until = min(_BINS - 1, int(at / length * _BINS))
        for part in range(last, until + 1):
            most[part] = max(most[part], now_in)
        most[until] = max(most[until], count)
        now_in, last = count, until
    return [ceil(count / slots) for count in most]


def strip(comparison: Comparison, outcome: Outcome, needed: Sequence[int]) -> str:
    """Copies that served and that started, over what requests needed."""
    length = max(comparison.trace.seconds, 1.0)
    top = max(1, *needed, *(p.desired for one in comparison.outcomes for p in one.points))
    bars = "".join(
        f'<rect class="needed" x="{n * _WIDTH / _BINS:.1f}" width="{_WIDTH / _BINS:.1f}" '
        f'y="{_STRIP - min(copies, top) / top * _STRIP:.1f}" '
        f'height="{min(copies, top) / top * _STRIP:.1f}"/>'
        for n, copies in enumerate(needed)
        if copies
    )
    lines = "".join(
        f'<path class="{which}" d="{_steps(outcome.points, which, length, top)}"/>'
        for which in ("desired", "serving")
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_STRIP}" preserveAspectRatio="none" role="img" '
        f'aria-label="Copies of {escape(outcome.policy)} over time">{bars}{lines}'
        f'<path class="axis" d="M0 {_STRIP}H{_WIDTH}"/></svg>'
    )


def _steps(points: Sequence[Point], which: str, length: float, top: int) -> str:
    """The staircase, drawn to half a unit: weeks of ticks are more than a screen shows."""
    moves = [f"M0 {_height(getattr(points[0], which), top)}"]
    drawn = 0.0
    for before, after in pairwise(points):
        value = getattr(after, which)
        if value == getattr(before, which):
            continue
        x = min(after.at / length, 1.0) * _WIDTH
        drawn = max(drawn, x)
        moves.append(f"H{drawn:.1f}V{_height(value, top)}")
    return "".join(moves) + f"H{_WIDTH}"


def _height(copies: int, top: int) -> str:
    return f"{_STRIP - min(copies / top, 1.0) * _STRIP:.1f}"


def scatter(comparison: Comparison) -> str:
    """Dollars up, priced waiting to the right; what lies on a dashed line costs the same."""
    outcomes = comparison.outcomes
    highest = nice_top(max(o.usd for o in outcomes) * 1.05)
    widest = nice_top(max(_widest(outcomes), highest / 50) * 1.05)
    ticks = "".join(_tick(share, highest, widest) for share in (0.0, 0.25, 0.5, 0.75, 1.0))
    ours = next((o for o in outcomes if o.policy == "ours"), outcomes[0])
    same = _iso(ours.total_usd, highest, widest)
    bounds = (
        ("zero-wait bound", 0.0, comparison.zero_wait_usd),
        ("lowest-total bound", 0.0, comparison.lowest_total_usd),
    )
    places = [("bound", name, x, y) for name, x, y in bounds[:1]]
    places += [
        ("us" if o is ours else "other", _named(o, widest), min(o.waiting_usd, widest), o.usd)
        for o in outcomes
    ]
    return (
        f'<svg viewBox="0 0 {_PLOT_WIDTH + 150} {_PLOT_HEIGHT + _BOTTOM}" role="img" '
        f'class="scatter" aria-label="Dollars against waiting">{ticks}{same}'
        f"{_dots(places, highest, widest)}"
        f'<text x="{_LEFT}" y="{_PLOT_HEIGHT + 38}">what waiting was worth, dollars</text>'
        f'<text x="{_LEFT + 8}" y="12">instances, dollars</text></svg>'
    )


def _widest(outcomes: Sequence[Outcome]) -> float:
    """The most that is drawn to scale: who lets wait ten times as long as the others in the middle
    would push them all into a corner."""
    waiting = sorted(outcome.waiting_usd for outcome in outcomes)
    middle = waiting[len(waiting) // 2]
    return max(usd for usd in waiting if usd <= max(10 * middle, waiting[0]))


def _named(outcome: Outcome, widest: float) -> str:
    return outcome.policy if outcome.waiting_usd <= widest else f"{outcome.policy} (far right)"


def _x(usd: float, widest: float) -> float:
    return _LEFT + usd / widest * (_PLOT_WIDTH - _LEFT)


def _y(usd: float, highest: float) -> float:
    return _PLOT_HEIGHT - usd / highest * (_PLOT_HEIGHT - 8)


def _tick(share: float, highest: float, widest: float) -> str:
    x, y = _x(share * widest, widest), _y(share * highest, highest)
    return (
        f'<path class="grid" d="M{_LEFT} {y:.1f}H{_PLOT_WIDTH}"/>'
        f'<text class="right" x="{_LEFT - 8}" y="{y + 4:.1f}">{_usd(share * highest)}</text>'
        f'<text class="middle" x="{x:.1f}" y="{_PLOT_HEIGHT + 18}">{_usd(share * widest)}</text>'
    )


def _iso(total: float, highest: float, widest: float) -> str:
    """All pairs of dollars and waiting of the same total."""
    end = min(total, widest)
    return (
        f'<path class="baseline" d="M{_x(0, widest):.1f} {_y(min(total, highest), highest):.1f}'
        f'L{_x(end, widest):.1f} {_y(total - end, highest):.1f}"/>'
    )


def _dots(places: Sequence[tuple[str, str, float, float]], highest: float, widest: float) -> str:
    """Points with their names beside them, pushed down where two would overlap."""
    drawn: list[str] = []
    taken: list[tuple[float, float]] = []
    for kind, name, waiting, usd in sorted(places, key=lambda place: -place[3]):
        x, y = _x(waiting, widest), _y(usd, highest)
        label = y
        while any(abs(label - b) < _LABEL_HEIGHT and abs(x - a) < 150 for a, b in taken):
            label += 1.0
        taken.append((x, label))
        drawn.append(
            f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="5"><title>{escape(name)}: '
            f"{_usd(usd)} and {_usd(waiting)} of waiting</title></circle>"
            f'<path class="lead" d="M{x + 5:.1f} {y:.1f}L{x + 10:.1f} {label:.1f}"/>'
            f'<text class="{kind}" x="{x + 12:.1f}" y="{label + 4:.1f}">{escape(name)}</text>'
        )
    return "".join(drawn)


def _usd(amount: float) -> str:
    return f"${amount:,.0f}" if amount >= 100 or amount == 0 else f"${amount:,.2f}"
