"""Inline SVG: stacked bars against a baseline, and a timeline of instances.

The drawings stretch to any width; their labels are HTML beside them, so that text keeps its size
on a phone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from html import escape
from math import ceil, floor, log10

from ..alerts.wording import spoken, usd
from ..endpoints.status import UsageKind
from .figures import Costs, EndpointCosts, SlotCosts, Span

WIDTH = 1000
_BARS_HEIGHT = 200
_TIMELINE_HEIGHT = 40
_MOST_LABELS = 7
_BASELINE_DRAWN_UP_TO = 4
_GAP = 0.22  # of a slot's width
_THINNEST = 1.5  # a wake of seconds must still be seen in a month
KIND_TITLES = {
    UsageKind.SERVING: "Serving",
    UsageKind.KEPT_WARM: "Kept warm",
    UsageKind.IDLE_TAIL: "Idle tail",
    UsageKind.PROVISIONING: "Provisioning",
}


def cost_chart(slots: Sequence[SlotCosts]) -> str:
    """Dollars per slot, stacked by kind, with the always-on baseline as a line.

    A baseline of more than four times the highest bar would flatten all of them: it is then said
    in words instead of drawn.
    """
    highest = max((slot.cost.total for slot in slots), default=Decimal(0))
    always = max((slot.baseline_usd or Decimal(0) for slot in slots), default=Decimal(0))
    drawn = bool(always) and (not highest or always <= highest * _BASELINE_DRAWN_UP_TO)
    top = nice_top(float(max(highest, always) if drawn else highest))
    bars = "".join(_bar(slot, index, len(slots), top) for index, slot in enumerate(slots))
    line = f'<path class="baseline" d="{_baseline_path(slots, top)}"/>' if drawn else ""
    svg = (
        f'<svg viewBox="0 0 {WIDTH} {_BARS_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="Cost per time slot, stacked by kind, against the always-on baseline">'
        f'<path class="grid" d="M0 {_BARS_HEIGHT / 2}H{WIDTH}M0 0H{WIDTH}"/>{bars}{line}'
        f'<path class="axis" d="M0 {_BARS_HEIGHT}H{WIDTH}"/></svg>'
    )
    ticks = "".join(f"<span>{usd(Decimal(str(value)))}</span>" for value in (top, top / 2, 0))
    labels = _labels([slot.slot.label for slot in slots])
    above = "" if drawn or not always else f", {usd(always)} per bar, is above this scale"
    return (
        f'<div class="plot"><div class="ticks">{ticks}</div><div class="drawing bars">{svg}</div>'
        f"{labels}</div>{_legend(above)}"
    )


def share_bar(costs: Costs) -> str:
    """The cost by kind and what is left of the always-on baseline, to one scale."""
    whole = max(costs.cost.total, costs.baseline_usd or Decimal(0))
    if not whole:
        return ""
    parts = "".join(
        f'<i class="{kind.value}" style="width:{getattr(costs.cost, kind.value) / whole:.3%}"></i>'
        for kind in KIND_TITLES
    )
    return f'<div class="share">{parts}</div>'


def timeline(endpoint: EndpointCosts, start: datetime, end: datetime, labels: list[str]) -> str:
    """Instances over time, coloured by kind; the height is the number of instances."""
    length = (end - start).total_seconds()
    most = max((span.own_instances for span in endpoint.timeline), default=1.0)
    spans = []
    for span in endpoint.timeline:
        left = (span.start - start).total_seconds() / length * WIDTH
        seconds = (span.end - span.start).total_seconds()
        width = max(_THINNEST, seconds / length * WIDTH)
        height = span.own_instances / most * _TIMELINE_HEIGHT
        title = f"{_many(span)} × {spoken(seconds)} {KIND_TITLES[span.kind].lower()}"
        spans.append(_rect(left, width, _TIMELINE_HEIGHT - height, height, span.kind, title))
    svg = (
        f'<svg viewBox="0 0 {WIDTH} {_TIMELINE_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="Instances of {escape(endpoint.name)} over time">{"".join(spans)}'
        f'<path class="axis" d="M0 {_TIMELINE_HEIGHT}H{WIDTH}"/></svg>'
    )
    ticks = f"<span>{_short(most)}</span><span>0</span>"
    return (
        f'<div class="plot"><div class="ticks">{ticks}</div><div class="drawing line">{svg}</div>'
        f"{_labels(labels)}</div>"
    )


def _many(span: Span) -> str:
    """`2`, or of shared ones `0.5 of 2 instances`."""
    if span.share == 1:
        return f"{span.instances}"
    word = "instance" if span.instances == 1 else "instances"
    return f"{_short(span.own_instances)} of {span.instances} {word}"


def _short(instances: float) -> str:
    """`2`, `0.5`, `1.33`."""
    return f"{round(instances, 2):g}"


def _legend(above: str) -> str:
    items = [f'<li class="{kind.value}">{title}</li>' for kind, title in KIND_TITLES.items()]
    items.append(f'<li class="always">Always-on baseline{above}</li>')
    return f'<ul class="legend">{"".join(items)}</ul>'


def nice_top(highest: float) -> float:
    """The least of 1, 2, 2.5, 4, 5, 10 times a power of ten that is not below the highest value."""
    if highest <= 0:
        return 1.0
    power = 10.0 ** floor(log10(highest))
    return next(round(n * power, 10) for n in (1, 2, 2.5, 4, 5, 10) if n * power >= highest * 0.999)


def _bar(costs: SlotCosts, index: int, count: int, top: float) -> str:
    step = WIDTH / count
    left, width = index * step + step * _GAP / 2, step * (1 - _GAP)
    bottom, rects = float(_BARS_HEIGHT), []
    for kind, title in KIND_TITLES.items():
        money: Decimal = getattr(costs.cost, kind.value)
        height = float(money) / top * _BARS_HEIGHT
        if height > 0:
            bottom -= height
            text = f"{costs.slot.label}: {title.lower()} {usd(money)}"
            rects.append(_rect(left, width, bottom, height, kind, text))
    return "".join(rects)


def _rect(left: float, width: float, top: float, height: float, kind: UsageKind, title: str) -> str:
    return (
        f'<rect class="{kind.value}" x="{left:.2f}" y="{top:.2f}" width="{width:.2f}" '
        f'height="{height:.2f}"><title>{escape(title)}</title></rect>'
    )


def _baseline_path(slots: Sequence[SlotCosts], top: float) -> str:
    step, moves, pen_down = WIDTH / max(1, len(slots)), [], False
    for index, slot in enumerate(slots):
        if not slot.baseline_usd:
            pen_down = False
            continue
        y = _BARS_HEIGHT - float(slot.baseline_usd) / top * _BARS_HEIGHT
        moves.append(f"V{y:.2f}" if pen_down else f"M{index * step:.2f} {y:.2f}")
        moves.append(f"H{(index + 1) * step:.2f}")
        pen_down = True
    return "".join(moves)


def _labels(labels: Sequence[str]) -> str:
    """Every n-th slot's label under its left edge; every other one is left out on a phone."""
    each = max(1, ceil(len(labels) / _MOST_LABELS))
    spans: Iterable[str] = (
        f'<span style="left:{index / len(labels) * 100:.2f}%">{escape(label)}</span>'
        for index, label in enumerate(labels)
        if index % each == 0
    )
    return f'<div class="labels">{"".join(spans)}</div>'
