"""`autoscaler local`: the embedded account as a daemon, and the demo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.catalog.models import known_models
from tools.cli import ROOT, output

local = typer.Typer(no_args_is_help=True)
STATE = ROOT / ".embedded"


@local.command()
def up(
    speed: Annotated[float, typer.Option(help="Simulated seconds per second.")] = 1.0,
    port: Annotated[int, typer.Option(help="0: any free one.")] = 0,
) -> None:
    """Starts an AWS account on this machine, with this stack deployed.

    Models come from a stand-in of the Hub that serves small repositories under the names of
    the catalogue.
    """
    from tools.embedded.daemon import DaemonError, start

    try:
        running = start(
            STATE, ROOT / "template.yaml", speed=speed, port=port, models=sorted(known_models())
        )
    except DaemonError as error:
        output.errors.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    output.errors.print(f"The account answers at {running['AWS_ENDPOINT_URL']}. To talk to it:")
    for name, value in running.items():
        typer.echo(f"export {name}={value}")


@local.command()
def down() -> None:
    """Stops it; nothing stays behind."""
    from tools.embedded.daemon import stop

    output.console.print("stopped" if stop(STATE) else "nothing was running")


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
