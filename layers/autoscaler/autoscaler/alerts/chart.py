"""Dollars as bars of block characters, for a monospaced place. Pure."""

from __future__ import annotations

from decimal import Decimal

from .sentences.base import Bars
from .wording import usd

WIDTH = 24  # characters of the longest bar: a phone shows about 40 in a row
_LABEL = 14
_EIGHTHS = " ▏▎▍▌▋▊▉"
MOST_BARS = 31


def text_bars(bars: Bars) -> str:
    """A line for each label: its name, its dollars, its bar; the last ones if they are many."""
    totals, shown = bars.totals[-MOST_BARS:], bars.labels[-MOST_BARS:]
    before = bars.totals[:-MOST_BARS]
    highest = max(totals, default=0.0)
    wide = min(_LABEL, max((len(label) for label in shown), default=0))
    money = [_usd(total) for total in totals]
    column = max(map(len, money), default=0)
    lines = [
        f"{_cut(label, wide):<{wide}} {dollars:>{column}} {_bar(total, highest)}".rstrip()
        for label, dollars, total in zip(shown, money, totals, strict=False)
    ]
    if before:  # the newest are shown; what is left out is said
        lines.insert(0, f"{len(before)} earlier: {_usd(sum(before))}")
    return "\n".join(lines)


def _usd(total: float) -> str:
    return usd(Decimal(str(round(total, 4))))


def _bar(value: float, highest: float) -> str:
    eighths = round(8 * WIDTH * value / highest) if highest > 0 and value > 0 else 0
    eighths = max(eighths, 1) if value > 0 else 0
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[rest] if rest else "")


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
