"""`autoscaler schedule show`: every transition of the next year, its hours, and what it costs."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from botocore.exceptions import BotoCoreError, ClientError

from autoscaler.catalog.prices import BUNDLED_REGION, PriceBook, bundled
from autoscaler.policy.schedule import zone_of
from autoscaler.policy.schedule_check import faults, oddities
from autoscaler.spec import EndpointSpec, SpecError, parse_spec
from tools.cli import output
from tools.cli.client import CliError, RefusedError, StackClient
from tools.cli.files import read_document
from tools.cli.in_force import in_force_lines
from tools.cli.schedule_page import page
from tools.cli.schedule_starts import described, starts_of
from tools.cli.schedule_year import document, lay_out, rate_of
from tools.cli.times import checked_year

_LONGEST_DAYS = 1096
Telling = Callable[[Callable[..., None]], Callable[..., None]]


def group(tells: Telling) -> typer.Typer:
    """The commands about schedules."""
    made = typer.Typer(no_args_is_help=True)
    made.callback()(_about)
    made.command()(tells(show))
    return made


def _about() -> None:
    """What the windows of an endpoint come to."""


def show(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="FILE|NAME", help="A file, or an endpoint.")],
    begins: Annotated[
        str | None, typer.Option("--from", help="First day, 2027-01-01, in the schedule's zone.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=_LONGEST_DAYS, help="How many days.")] = 365,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Shows every transition of a schedule, what holds from then on, hours and cost by month."""
    client: StackClient = context.obj
    path = Path(what)
    is_file = path.suffix in (".yaml", ".yml") or path.is_file()
    spec, book, overrides, notes = _of_file(client, path) if is_file else _of_stack(client, what)
    now = client.now()
    wrong = list(faults(spec, now))
    if wrong and is_file:
        raise RefusedError([f"{path}: {problem}" for problem in wrong])
    laid = lay_out(
        spec,
        _start(begins, spec, now),
        days,
        rate_of(spec, book),
        odd=(*wrong, *oddities(spec, now)),
        overrides=overrides,
        notes=notes,
    )
    if as_json:
        typer.echo(json.dumps({**document(laid), "starts": described(starts_of(laid))}, indent=2))
    else:
        output.print_wide(page(laid))
        client.in_force.clear()  # the page says it


Found = tuple[EndpointSpec, PriceBook, list[str], list[str]]


def _of_file(client: StackClient, path: Path) -> Found:
    spec = parse_spec(read_document(path))
    notes = []
    if spec.schedule.time_zone is None:
        try:
            zone = client.default_time_zone
            notes.append(f"schedule.time_zone: the file names none; {zone} is the stack's")
        except (CliError, BotoCoreError, ClientError):
            zone = "UTC"
            notes.append("schedule.time_zone: the file names none, and no stack was asked: UTC")
        spec = _in_zone(spec, zone)
    return spec, bundled(client.region_or(BUNDLED_REGION)), [], notes


def _of_stack(client: StackClient, name: str) -> Found:
    result = client.command("get", endpoint=name)
    (found,) = result["endpoints"]
    if "spec" not in found:
        raise CliError("the stack is older than this command line and does not tell its specs")
    try:
        spec = parse_spec(found["spec"])
    except SpecError as wrong:
        raise CliError(f"{name}: this command line cannot read its spec: {wrong}") from None
    return spec, _book(result["prices"]), list(in_force_lines(found)), []


def _book(told: dict[str, Any]) -> PriceBook:
    listed = {name: Decimal(usd) for name, usd in told["usd_per_hour"].items()}
    read_at = datetime.fromisoformat(told["read_at"]) if told["read_at"] else None
    return PriceBook(told["region"], listed, read_at)


def _in_zone(spec: EndpointSpec, zone: str) -> EndpointSpec:
    schedule = spec.schedule.model_copy(update={"time_zone": zone})
    return spec.model_copy(update={"schedule": schedule})


def _start(begins: str | None, spec: EndpointSpec, now: datetime) -> datetime:
    """Midnight of a day in the schedule's zone; now, to the minute, unless one is given."""
    if begins is None:
        return now.replace(second=0, microsecond=0)
    try:
        day = date.fromisoformat(begins)
    except ValueError:
        raise RefusedError([f"--from: {begins!r} is not a date: write 2027-01-01"]) from None
    checked_year("--from", begins, day)
    return datetime.combine(day, datetime.min.time(), ZoneInfo(zone_of(spec))).astimezone(UTC)
