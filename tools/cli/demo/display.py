"""Tells what happens while it happens: a live page in a terminal, lines elsewhere."""

from __future__ import annotations

import time
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tools.cli import output
from tools.cli.demo.stage import Seen

_BARS = " ▁▂▃▄▅▆▇█"
_SLACK_LINES = 5
ZONE = ZoneInfo("Europe/Berlin")


class Display:
    """Use as a context manager. `step` begins something, `done` ends it with its outcome."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=8) if console.is_terminal else None
        self._began = time.monotonic()
        self._steps: list[list[str]] = []
        self._slack: list[str] = []
        self._seen: Seen | None = None
        self._sent = self._answered = 0
        self._history: list[int] = []

    def __enter__(self) -> Display:
        if self._live:
            self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live:
            self._draw()
            self._live.__exit__(None, None, None)
        elif self._steps and not self._steps[-1][2]:
            self._line("not finished")

    def step(self, what: str, when: datetime | None = None) -> None:
        self._steps.append([self._stamp(when), what, ""])
        self._draw()

    def done(self, outcome: str) -> None:
        self._steps[-1][2] = outcome
        if not self._live:
            self._line(outcome)
        self._draw()

    def show(self, seen: Seen, sent: int, answered: int, slack: list[str]) -> None:
        """The state of things now."""
        self._seen, self._sent, self._answered, self._slack = seen, sent, answered, slack
        self._history.append(seen.copies)
        self._draw()

    def _line(self, outcome: str) -> None:
        stamp, what, _ = self._steps[-1]
        line = f"{stamp}  {what} → {outcome}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _stamp(self, when: datetime | None) -> str:
        wall = f"{time.monotonic() - self._began:5.1f}s"
        return f"{wall}  {when.astimezone(ZONE):%a %H:%M:%S}" if when else f"{wall}{'':14}"

    def _draw(self) -> None:
        if self._live:
            self._live.update(Group(self._timeline(), self._now(), self._said()))

    def _timeline(self) -> Table:
        table = Table(box=None, show_header=False, pad_edge=False)
        for stamp, what, outcome in self._steps:
            mark = "[green]✓[/]" if outcome else "[yellow]…[/]"
            table.add_row(f"[dim]{stamp}[/]", mark, escape(what), f"[dim]{escape(outcome)}[/]")
        return table

    def _now(self) -> Panel:
        if self._seen is None:
            return Panel("starting", title="now", border_style="dim")
        seen = self._seen
        text = (
            f"{seen.at.astimezone(ZONE):%a %H:%M:%S}  {output.phase(seen.phase)}  "
            f"copies {seen.copies}  instances {seen.instances}  waiting {seen.backlog}  "
            f"sent {self._sent}  answered {self._answered}\n"
            f"copies over time {sparkline(self._history, 60)}"
        )
        return Panel(Text.from_markup(text), title="now", border_style="dim")

    def _said(self) -> Panel:
        lines = self._slack[-_SLACK_LINES:] or ["nothing yet"]
        text = Text("\n".join(lines), no_wrap=True, overflow="ellipsis")
        return Panel(text, title="Slack", border_style="dim")


def sparkline(values: list[int], width: int) -> str:
    """Values over time in one line of blocks."""
    if not values:
        return ""
    step = max(1, len(values) // width)
    shown = [max(values[i : i + step]) for i in range(0, len(values), step)]
    top = max(max(shown), 1)
    return "".join(_BARS[round(value / top * (len(_BARS) - 1))] for value in shown)
