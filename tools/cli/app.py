"""The commands. Each is a few lines: read, ask the stack, show."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from autoscaler.spec import parse_duration
from tools.cli import output
from tools.cli.client import CliError, RefusedError, StackClient
from tools.cli.files import read_document
from tools.cli.local import local

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Keeps open-weights LLMs on SageMaker at the lowest cost their traffic allows.",
)
app.add_typer(local, name="local", help="The embedded account: an AWS account on this machine.")

Endpoint = Annotated[str, typer.Argument(help="The endpoint's name.")]
Files = Annotated[list[Path], typer.Argument(help="Endpoint files (YAML).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def main(
    context: typer.Context,
    stack: Annotated[
        str, typer.Option(envvar="AUTOSCALER_STACK", help="The stack's name.")
    ] = "autoscaler",
    region: Annotated[
        str | None, typer.Option(help="The Region, unless the environment says.")
    ] = None,
) -> None:
    """Sets what all commands share."""
    context.obj = StackClient(stack, region)


def tells(command: Callable[..., None]) -> Callable[..., None]:
    """Turns an expected error into its lines and an exit status."""

    @functools.wraps(command)
    def told(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except RefusedError as refused:
            for problem in refused.problems:
                output.errors.print(
                    problem, style="red", highlight=False, markup=False, soft_wrap=True
                )
            raise typer.Exit(refused.exit_code) from None
        except CliError as error:
            output.errors.print(
                str(error), style="red", highlight=False, markup=False, soft_wrap=True
            )
            raise typer.Exit(error.exit_code) from None

    return told


@app.command()
@tells
def apply(context: typer.Context, files: Files, as_json: AsJson = False) -> None:
    """Makes endpoints as their files say."""
    _each_file(context.obj, "apply", files, as_json)


@app.command()
@tells
def plan(context: typer.Context, files: Files, as_json: AsJson = False) -> None:
    """Shows what applying would change; changes nothing."""
    _each_file(context.obj, "plan", files, as_json)


@app.command()
@tells
def get(
    context: typer.Context,
    endpoint: Annotated[str | None, typer.Argument(help="One endpoint, with history.")] = None,
    as_json: AsJson = False,
) -> None:
    """Shows endpoints: phase, copies, instances, backlog."""
    endpoints = context.obj.command("get", endpoint=endpoint)["endpoints"]
    if as_json:
        typer.echo(json.dumps(endpoints, indent=2))
    elif endpoint:
        output.endpoint_page(endpoints[0], datetime.now(UTC))
    elif endpoints:
        output.console.print(output.endpoints_table(endpoints, datetime.now(UTC)))
    else:
        output.console.print("no endpoints yet: autoscaler apply endpoints/<file>.yaml")


@app.command()
@tells
def wake(context: typer.Context, endpoint: Endpoint) -> None:
    """Wakes an endpoint now."""
    _order(context.obj, "wake", endpoint)


@app.command()
@tells
def sleep(context: typer.Context, endpoint: Endpoint) -> None:
    """Puts an endpoint to sleep now, if nothing needs it."""
    _order(context.obj, "sleep", endpoint)


@app.command()
@tells
def hold(
    context: typer.Context,
    endpoint: Endpoint,
    duration: Annotated[str, typer.Option("--for", help="How long: 90m, 2h, 1d.")],
    copies: Annotated[int, typer.Option(help="At least so many copies.")] = 1,
    reason: Annotated[str, typer.Option(help="Why, for your colleagues.")] = "no reason given",
) -> None:
    """Keeps copies awake against the policy, until it expires by itself."""
    try:
        seconds = parse_duration(duration).total_seconds()
    except ValueError as wrong:
        raise RefusedError([f"--for: {wrong}"]) from None
    _order(context.obj, "hold", endpoint, seconds=seconds, min_copies=copies, reason=reason)


@app.command()
@tells
def release(context: typer.Context, endpoint: Endpoint) -> None:
    """Ends a hold before its time."""
    _order(context.obj, "release", endpoint)


@app.command()
@tells
def delete(
    context: typer.Context,
    endpoint: Endpoint,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    discard_requests: Annotated[
        bool, typer.Option("--discard-requests", help="Even if requests wait: they are lost.")
    ] = False,
) -> None:
    """Removes an endpoint, its queue and all that bills; staged weights stay."""
    if not yes:
        typer.confirm(f"Remove {endpoint}?", abort=True)
    _order(context.obj, "delete", endpoint, discard_requests=discard_requests)


@app.command()
@tells
def report(
    context: typer.Context,
    period: Annotated[str, typer.Option(help="day, week, month or all.")] = "week",
    out: Annotated[Path, typer.Option(help="Where to put the files.")] = Path("report"),
    as_json: AsJson = False,
) -> None:
    """Writes the cost report now and fetches it."""
    if period not in ("day", "week", "month", "all"):
        raise RefusedError([f"--period: {period!r} is none of day, week, month, all"])
    written = context.obj.invoke("ReportFunctionName", {"period": period})
    for path in fetch_report(context.obj, written, out):
        output.errors.print(str(path), highlight=False)
    if as_json:
        typer.echo(json.dumps(written, indent=2))


@app.command()
@tells
def stage(
    model: Annotated[str, typer.Argument(help="Repository on the Hub: owner/name.")],
    to: Annotated[str, typer.Option(help="s3://bucket of the weights.")],
    revision: Annotated[str, typer.Option(help="Branch, tag or commit.")] = "main",
    trust_remote_code: Annotated[bool, typer.Option(help="Allow code in the repository.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stages weights from this machine, with the code that the stack uses."""
    from tools.cli.staging import stage_from_here

    staged = stage_from_here(model, revision, to, trust_remote_code, quiet=as_json)
    if as_json:
        typer.echo(json.dumps(staged, indent=2))


def fetch_report(client: StackClient, written: dict[str, Any], out: Path) -> list[Path]:
    """Copies a report's files from S3; returns where they lie now."""
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for uri in written["uris"].values() if isinstance(written["uris"], dict) else written["uris"]:
        place = urlsplit(uri)
        path = out / os.path.basename(place.path)  # noqa: PTH119 - of an S3 key, not a file
        body = client.boto("s3").get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))
        path.write_bytes(body["Body"].read())
        paths.append(path)
    return paths


def _each_file(client: StackClient, command: str, files: list[Path], as_json: bool) -> None:
    documents = [(path, read_document(path)) for path in files]  # all, before any is sent
    results = []
    for path, document in documents:
        try:
            result = client.command(command, document=document)
        except RefusedError as refused:
            raise RefusedError([f"{path}: {problem}" for problem in refused.problems]) from None
        results.append(result)
        if not as_json:
            output.changes(str(path), result)
            output.warnings(result)
    if as_json:
        typer.echo(json.dumps(results, indent=2))


def _order(client: StackClient, command: str, endpoint: str, **arguments: Any) -> None:
    result = client.command(command, endpoint=endpoint, **arguments)
    output.console.print(f"{result['endpoint']} is {output.phase(result['phase'])}")
