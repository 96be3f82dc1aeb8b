"""What was promised and what was measured; every row is a check that can fail."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table


@dataclass(frozen=True)
class Promise:
    """One row."""

    promised: str
    measured: str
    held: bool


def show(console: Console, promises: list[Promise]) -> bool:
    """Prints the table; True when every promise held."""
    table = Table(title="Promised and measured", title_justify="left", show_lines=False)
    table.add_column("promised")
    table.add_column("measured", overflow="fold")
    table.add_column("")
    for promise in promises:
        mark = "[green]held[/]" if promise.held else "[bold red]BROKEN[/]"
        table.add_row(escape(promise.promised), escape(promise.measured), mark)
    console.print(table)
    return all(promise.held for promise in promises)
