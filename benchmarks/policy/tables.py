"""Tables as they are printed: Markdown, so that docs/policy.md can have them as they are."""

from __future__ import annotations

from collections.abc import Sequence

MISSED = "MISSED"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column to the left, numbers to the right, all padded."""
    widths = [max(3, *map(len, column)) for column in zip(headings, *rows, strict=True)]
    rule = [
        "-" * width if not number else "-" * (width - 1) + ":"
        for number, width in enumerate(widths)
    ]
    return "\n".join(_line(cells, widths) for cells in (headings, rule, *rows))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    rest = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
    return "| " + " | ".join([first, *rest]) + " |"


def mark(is_met: bool) -> str:
    """Nothing, or a word that catches the eye."""
    return "" if is_met else MISSED


def seconds(value: float) -> str:
    if value >= 3600:
        return f"{value / 3600:,.1f} h"
    return f"{value:,.0f} s" if value >= 10 or not value else f"{value:.1f} s"


def dollars(value: float) -> str:
    return f"${value:,.0f}" if value >= 1000 else f"${value:,.2f}"
