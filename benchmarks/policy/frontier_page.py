"""The frontier as one self-contained page: dollars up, waiting to the right, on powers of ten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

from autoscaler.ledger.charts import nice_top
from autoscaler.ledger.style import CSS
from tools.simulator.policies import FIXED

from .reckoning import Place

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _RIGHT = 900, 460, 70, 46, 150
_CSS = """
svg{width:100%;height:auto}svg text{font-size:12.5px;fill:var(--soft)}svg path{fill:none}
.us{stroke:var(--serving);stroke-width:2}.fixed{stroke:var(--always);stroke-dasharray:4 3}
.grid{stroke:var(--line)}circle{fill:var(--always)}circle.ours{fill:var(--serving)}
.middle{text-anchor:middle}.right{text-anchor:end}
"""


@dataclass(frozen=True)
class _Axes:
    first: int  # powers of ten of a minute
    last: int
    top: float  # dollars

    def x(self, minutes: float) -> float:
        share = (log10(max(minutes, 10.0**self.first)) - self.first) / (self.last - self.first)
        return _LEFT + share * (_WIDTH - _LEFT)

    def y(self, usd: float) -> float:
        return _HEIGHT - min(usd / self.top, 1.0) * (_HEIGHT - 10)


def render(ours: Mapping[float, Place], others: Mapping[str, Place]) -> str:
    """Returns the page; `ours` by its price of waiting."""
    places = [*ours.values(), *others.values()]
    minutes = [max(place.minutes, 1.0) for place in places]
    axes = _Axes(
        floor(log10(min(minutes))),
        ceil(log10(max(minutes) + 1)),
        nice_top(max(place.usd for place in places) * 1.05),
    )
    fixed = [others[name] for name in FIXED if name in others]
    body = (
        _grid(axes)
        + _path("us", list(ours.values()), axes)
        + _path("fixed", fixed, axes)
        + "".join(_dot("ours", f"ours, ${price:g}", place, axes) for price, place in ours.items())
        + "".join(_dot("other", name, place, axes) for name, place in others.items())
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Dollars against waiting</title><style>{CSS}{_CSS}</style></head><body><main>"
        "<h1>Dollars against waiting</h1><section>"
        f'<svg viewBox="0 0 {_WIDTH + _RIGHT} {_HEIGHT + _BOTTOM}" role="img" '
        f'aria-label="Dollars against waiting">{body}'
        f'<text x="{_LEFT}" y="{_HEIGHT + 38}">request-minutes waited beyond 10 s</text></svg>'
        "</section></main></body></html>\n"
    )


def _grid(axes: _Axes) -> str:
    drawn = []
    for power in range(axes.first, axes.last + 1):
        x = axes.x(10.0**power)
        drawn.append(
            f'<path class="grid" d="M{x:.1f} 10V{_HEIGHT}"/>'
            f'<text class="middle" x="{x:.1f}" y="{_HEIGHT + 18}">{10.0**power:,.0f}</text>'
        )
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = axes.y(share * axes.top)
        drawn.append(
            f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH}"/><text class="right" '
            f'x="{_LEFT - 8}" y="{y + 4:.1f}">${share * axes.top:,.0f}</text>'
        )
    return "".join(drawn)


def _path(kind: str, places: Sequence[Place], axes: _Axes) -> str:
    if not places:
        return ""
    moves = [f"{axes.x(one.minutes):.1f} {axes.y(one.usd):.1f}" for one in places]
    return f'<path class="{kind}" d="M{"L".join(moves)}"/>'


def _dot(kind: str, name: str, place: Place, axes: _Axes) -> str:
    x, y = axes.x(place.minutes), axes.y(place.usd)
    return (
        f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
        f'<text x="{x + 8:.1f}" y="{y - 4:.1f}">{escape(name)}</text>'
    )
