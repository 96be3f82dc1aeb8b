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
    asked: str


def show(figures: Sequence[Figure], cores: int | None) -> None:
    """Prints them."""
    table = Table(title=f"Staging, on loopback, {cores} cores", title_justify="left")
    for heading in ("what", "measured", "asked"):
        table.add_column(heading)
    for figure in figures:
        table.add_row(figure.what, figure.measured, figure.asked)
    Console().print(table)
