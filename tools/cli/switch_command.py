"""`autoscaler stop` and `autoscaler start`: the kill switch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.markup import escape

from tools.cli import output
from tools.cli.budget_command import stop_lines
from tools.cli.client import StackClient
from tools.cli.times import checked_reason

Endpoint = Annotated[
    str | None, typer.Argument(help="Only this endpoint.", show_default="everything")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def stop(
    context: typer.Context,
    reason: Annotated[str, typer.Option(help="Why; everybody reads it.")],
    endpoint: Endpoint = None,
    as_json: AsJson = False,
) -> None:
    """Everything to zero now, and nothing wakes until `start`. Requests stay in their queues."""
    client: StackClient = context.obj
    why = checked_reason(reason)
    _show(client.command("stop", endpoint=endpoint or "", reason=why), as_json)


def start(context: typer.Context, endpoint: Endpoint = None, as_json: AsJson = False) -> None:
    """Takes a stop back: what has requests waiting wakes with the next look."""
    _show(context.obj.command("start", endpoint=endpoint or ""), as_json)


def _show(done: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(done, indent=2))
        return
    for line in lines(done):
        output.console.print(line, highlight=False, soft_wrap=True)


def lines(done: Mapping[str, Any]) -> Iterator[str]:
    """The switches that are on, and how far each endpoint is."""
    on = [done["stopped"], *done["stopped_endpoints"].values()]
    yield from stop_lines(on)
    if not any(on):
        yield "nothing is stopped"
    for name, phase in sorted(done["phases"].items()):
        why = done["left"].get(name)
        later = f"; its turn comes with the next look: {escape(why)}" if why else ""
        yield f"{escape(name)} is {output.phase(phase)}{later}"
