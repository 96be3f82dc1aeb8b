"""How things look in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

console = Console()
errors = Console(stderr=True)

_COLOURS = {
    "AWAKE": "green",
    "ASLEEP": "blue",
    "WAKING": "yellow",
    "SLEEPING": "yellow",
    "CREATING": "yellow",
    "STAGING": "yellow",
    "FAILED": "red",
    "RETIRING": "magenta",
}


def phase(name: str) -> str:
    """A phase in its colour."""
    return f"[{_COLOURS.get(name, 'white')}]{name}[/]"


def endpoints_table(endpoints: Sequence[Mapping[str, Any]], now: datetime) -> Table:
    """All endpoints, a line each."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("endpoint", "phase", "for", "copies", "instances", "backlog", "window", "team"):
        table.add_column(heading)
    for one in endpoints:
        bounds = one["bounds"]
        table.add_row(
            escape(one["name"]),
            phase(one["phase"]),
            _ago(one["phase_since"], now),
            f"{one['observed_copies']}/{one['desired_copies']} "
            f"({bounds['min_copies']}..{bounds['max_copies']})",
            f"{one['observed_instances']} {one['instance_type']}".strip(),
            "?" if one["backlog"] is None else str(one["backlog"]),
            one["window"] or "–",
            escape(one["team"]),
        )
    return table


def endpoint_page(one: Mapping[str, Any], now: datetime) -> None:
    """Everything about one endpoint."""
    console.print(endpoints_table([one], now))
    if one.get("failure"):
        console.print(f"\n[red]{escape(one['failure'])}[/]")
    if one.get("hold"):
        hold = one["hold"]
        console.print(
            f"\nheld at {hold['min_copies']} or more by {escape(hold['author'])} "
            f"until {hold['until']}: {escape(hold['reason'])}"
        )
    console.print(f"\nqueue lead time {one['lead_time_seconds']:.0f} s, wakes {one['wakes_today']}")
    for line in one.get("history", ()):
        console.print(
            f"[dim]{line['at'][:19].replace('T', ' ')}[/] {phase(line['phase'])} "
            f"{escape(line['text'])}"
        )


def changes(path: str, result: Mapping[str, Any]) -> None:
    """What an apply changes or would change."""
    name = escape(result["endpoint"])
    if result["created"]:
        console.print(f"[bold]{name}[/] {escape(path)}: new")
        return
    if not result["changes"]:
        console.print(f"[bold]{name}[/] {escape(path)}: nothing changes")
        return
    console.print(f"[bold]{name}[/] {escape(path)}:")
    for change in result["changes"]:
        before, after = escape(str(change["before"])), escape(str(change["after"]))
        console.print(f"  {change['field']}: [red]{before}[/] → [green]{after}[/]")


def warnings(result: Mapping[str, Any]) -> None:
    for warning in result.get("warnings", ()):
        console.print(f"  [yellow]{escape(warning)}[/]")


def _ago(moment: str, now: datetime) -> str:
    seconds = int((now - datetime.fromisoformat(moment).astimezone(UTC)).total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{max(0, seconds)}s"
