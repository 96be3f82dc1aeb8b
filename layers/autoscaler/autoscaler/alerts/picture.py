"""The weekly report's picture: dollars as stacked bars, for a bot that can upload one. Pure."""

from __future__ import annotations

from decimal import Decimal

from .png import Canvas, Colour, fonts
from .sentences.base import Bars
from .wording import usd

WIDTH, HEIGHT = 1200, 675
_LEFT, _RIGHT, _TOP, _BOTTOM = 110, 40, 150, 70
_PAPER, _INK, _FAINT, _GRID = (255, 255, 255), (29, 28, 29), (105, 104, 106), (230, 230, 230)
# Told apart by those who do not see red and green too (Okabe and Ito), strongest first.
_COLOURS: tuple[Colour, ...] = (
    (0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (213, 94, 0),
)  # fmt: skip
_OTHERS = (150, 150, 150)
_STEPS = (1, 2, 2.5, 5, 10)
MOST_SERIES = len(_COLOURS)


def picture(bars: Bars) -> bytes:
    """A PNG. Series beyond the largest six are one called "others"."""
    bars = _simplified(bars)
    canvas = Canvas(WIDTH, HEIGHT, _PAPER)
    large, small = fonts()["large"], fonts()["small"]
    total = Decimal(str(round(sum(bars.totals), 4)))
    canvas.text(_LEFT, 28, large.cut(bars.title, WIDTH - _LEFT - 240), large, _INK)
    shown = usd(total)
    canvas.text(WIDTH - _RIGHT - large.measure(shown), 28, shown, large, _INK)
    _legend(canvas, bars)
    top = scale(max(bars.totals, default=0.0))
    _grid(canvas, top)
    _bars(canvas, bars, top)
    canvas.rectangle(_LEFT, HEIGHT - _BOTTOM, WIDTH - _LEFT - _RIGHT, 2, _FAINT)
    if not bars.labels:
        canvas.text(_LEFT + 20, _TOP + 40, "Nothing was spent.", small, _FAINT)
    return canvas.png()


def scale(highest: float) -> float:
    """The first round figure that is not below: 1, 2, 2.5 or 5 times a power of ten."""
    if highest <= 0:
        return 1.0
    power = 1.0
    while power * 10 < highest:
        power *= 10
    while power >= highest:
        power /= 10
    return next(step * power for step in _STEPS if step * power >= highest - 1e-12)


def _simplified(bars: Bars) -> Bars:
    ranked = sorted(bars.series, key=lambda one: -sum(one[1]))
    if len(ranked) <= MOST_SERIES:
        return Bars(bars.title, bars.labels, tuple(ranked))
    kept, rest = ranked[: MOST_SERIES - 1], ranked[MOST_SERIES - 1 :]
    others = tuple(map(sum, zip(*(values for _, values in rest), strict=True)))
    return Bars(bars.title, bars.labels, (*kept, (f"{len(rest)} others", others)))


def _colour(bars: Bars, index: int) -> Colour:
    return _OTHERS if bars.series[index][0].endswith(" others") else _COLOURS[index]


def _legend(canvas: Canvas, bars: Bars) -> None:
    if len(bars.series) < 2:
        return
    small, left = fonts()["small"], _LEFT
    for index, (name, _) in enumerate(bars.series):
        shown = small.cut(name, 220)
        if left + 34 + small.measure(shown) > WIDTH - _RIGHT:
            return
        canvas.rectangle(left, 92, 20, 20, _colour(bars, index))
        canvas.text(left + 30, 88, shown, small, _INK)
        left += 30 + small.measure(shown) + 36


def _grid(canvas: Canvas, top: float) -> None:
    small, height = fonts()["small"], HEIGHT - _TOP - _BOTTOM
    lines = 4 if f"{top:e}".startswith("2.0") else 5  # so that each line is a round figure too
    for line in range(1, lines + 1):
        y = HEIGHT - _BOTTOM - height * line // lines
        canvas.rectangle(_LEFT, y, WIDTH - _LEFT - _RIGHT, 1, _GRID)
        label = usd(Decimal(str(round(top * line / lines, 4)))).removesuffix(".00")
        canvas.text(_LEFT - 14 - small.measure(label), y - 14, label, small, _FAINT)


def _bars(canvas: Canvas, bars: Bars, top: float) -> None:
    if not bars.labels:
        return
    small, floor = fonts()["small"], HEIGHT - _BOTTOM
    slot = (WIDTH - _LEFT - _RIGHT) / len(bars.labels)
    # With many bars only so many labels fit beneath them.
    every = max(1, round(90 / slot + 0.49)) if len(bars.labels) > 8 else 1
    for index, label in enumerate(bars.labels):
        left, wide = round(_LEFT + slot * (index + 0.15)), max(2, round(slot * 0.7))
        foot = floor
        for order, (_, values) in enumerate(bars.series):
            size = round((floor - _TOP) * max(0.0, values[index]) / top)
            canvas.rectangle(left, foot - size, wide, size, _colour(bars, order))
            foot -= size
        if index % every == 0:
            shown = small.cut(label, round(slot * every) - 8)
            middle = left + wide // 2 - small.measure(shown) // 2
            canvas.text(middle, floor + 16, shown, small, _FAINT)
