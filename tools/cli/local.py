"""`autoscaler local`: the embedded account as a daemon, and the demo."""

from __future__ import annotations

import json
import math
import shlex
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from autoscaler.catalog.models import known_models
from tools.cli import ROOT, output

local = typer.Typer(no_args_is_help=True)
STATE = ROOT / ".embedded"
_INTERRUPTED = 130  # as a shell says of SIGINT


@local.command()
def up(
    speed: Annotated[float, typer.Option(help="Simulated seconds per second, above 0.")] = 1.0,
    port: Annotated[int, typer.Option(help="0: any free one.", min=0, max=65535)] = 0,
) -> None:
    """Starts an AWS account on this machine, with this stack deployed.

    Prints what to export, also if it runs already: eval "$(autoscaler local up)"

    Models come from a stand-in of the Hub with small repositories of their names.
    """
    from tools.embedded.daemon import DaemonError, start

    if not 0 < speed < math.inf:
        _refuse(f"--speed: {speed:g} is not a number above 0: 1 is as fast as the wall's clock", 2)
    try:
        started = start(
            STATE, ROOT / "template.yaml", speed=speed, port=port, models=sorted(known_models())
        )
    except DaemonError as error:
        _refuse(f"the account did not start: {error}", 1)
    except KeyboardInterrupt:
        _refuse("interrupted; nothing runs", _INTERRUPTED)
    address = started.environment["AWS_ENDPOINT_URL"]
    how = "answers" if started.fresh else "runs already, as it was started: it answers"
    output.errors.print(f"The account {how} at {address}.", highlight=False, soft_wrap=True)
    if sys.stdout.isatty():  # who evaluates this has not typed the commands
        output.errors.print('To talk to it (or: eval "$(bin/autoscaler local up)"):')
    for name, value in started.environment.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@local.command()
def down() -> None:
    """Stops it; nothing stays behind."""
    from tools.embedded.daemon import DaemonError, stop

    try:
        stopped = stop(STATE)
    except DaemonError as error:
        _refuse(str(error), 1)
    output.console.print("stopped" if stopped else "nothing was running")


@local.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Says whether it runs; exit status 1 if not."""
    from tools.embedded.daemon import status as look

    found = look(STATE)
    if as_json:
        typer.echo(json.dumps(found))
    elif found:
        stacks = ", ".join(f"{name} {state}" for name, state in found["stacks"].items())
        output.console.print(f"running at {found['speed']:g}×, {found['time'][:19]} UTC: {stacks}")
    else:
        output.console.print("nothing is running")
    raise typer.Exit(0 if found else 1)


@local.command()
def demo(
    trace: Annotated[
        Path | None, typer.Option(envvar="TRACE", help="arrival_s,input_tokens,output_tokens")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="The account stays until Ctrl-C.")] = False,
) -> None:
    """The whole job, once, in an embedded account; exit 0 only if every promise held."""
    from tools.cli.demo.run import run_demo

    raise typer.Exit(run_demo(trace, keep=keep))


def _refuse(why: str, status: int) -> NoReturn:
    output.errors.print(why, style="red", highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(status) from None
