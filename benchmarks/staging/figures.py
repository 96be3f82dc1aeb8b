"""The table that a benchmark prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """What was measured, and what was asked for (nothing: only for comparison)."""

    what: str
    measured: str
    asked: str = ""
    is_met: bool = True


def at_least(what: str, found: float, asked: float, form: str) -> Figure:
    """`form` writes both, e.g. "{:.1f}x"."""
    return Figure(what, form.format(found), f"{form.format(asked)} or more", found >= asked)


def at_most(what: str, found: float, asked: float, form: str) -> Figure:
    return Figure(what, form.format(found), f"{form.format(asked)} or less", found <= asked)


def show(figures: Sequence[Figure], cores: int | None, what: str = "Staging, on loopback") -> bool:
    """Prints them, with a mark at what misses; returns whether nothing does."""
    table = Table(title=f"{what}, {cores} cores", title_justify="left")
    for heading in ("what", "measured", "asked", ""):
        table.add_column(heading)
    for figure in figures:
        mark = "" if figure.is_met else "[bold red]missed"
        table.add_row(figure.what, figure.measured, figure.asked, mark)
    Console().print(table)
    return all(figure.is_met for figure in figures)
