"""`autoscaler sweep`: what of the account belongs to no endpoint, and what becomes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from tools.cli import output
from tools.cli.client import CliError, StackClient
from tools.cli.money import usd

_FUNCTION = "SweepFunctionName"
_GOES = "is removed"


def sweep(
    context: typer.Context,
    delete: Annotated[
        bool, typer.Option("--delete", help="Remove now what the next sweep would remove.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Shows what in the account belongs to no endpoint, and its price; changes nothing.

    With --delete, what is marked deletable and was seen by a sweep half an hour ago is removed.
    """
    client: StackClient = context.obj
    found = client.invoke(_FUNCTION, {"sweep": "look"})
    if not as_json:
        _print(lines(found))
    if delete and found.get("mode") == "observe":
        raise CliError(
            "--delete: nothing is removed, since the stack is deployed with Mode=observe; deploy "
            "it with Mode=act first"
        )
    if delete:
        going = [one for one in found["orphans"] if one["verdict"] == _GOES]
        if going and not yes:
            named = ", ".join(f"{one['kind']} {one['name']}" for one in going)
            typer.confirm(f"Remove {named}?", abort=True)
        # With nothing to remove too: what is seen now may go in half an hour.
        found = client.invoke(_FUNCTION, {"sweep": "remove"})
        if not as_json:
            _print(outcome(found))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    if found["problems"]:
        raise CliError("this is not all, and nothing more was removed: " + found["problems"][0])


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Orphans with their price, gaps with what to do."""
    if not found["orphans"]:
        yield "every resource belongs to an endpoint"
    for one in found["orphans"]:
        machines = ", ".join(f"{count} × {kind}" for kind, count in one["instances"].items())
        since = f" since {_day(one['since'])}" if one["since"] else ""
        cost = f": {machines}, {_cost(one)}" if machines else ""
        yield f"{one['kind']} {one['name']}{since}{cost}; {one['verdict']}"
    if found["orphans"]:
        yield (
            f"{usd(found['usd_per_hour'])} an hour in all, at most {usd(found['usd_so_far'])} "
            f"until now"
            + (f"; the price of {found['unpriced']} is unknown" if found["unpriced"] else "")
        )
    for gap in found["gaps"]:
        yield f"{gap['endpoint']} has no {gap['lacks']}: {gap['what_to_do']}"


def outcome(found: Mapping[str, Any]) -> Iterator[str]:
    """What a removal came to."""
    for one in found["removed"]:
        yield f"removed: {one['kind']} {one['name']}"
    if not found["removed"]:
        yield (
            "nothing was removed: what is marked deletable goes when it is seen again, half an "
            "hour from now or later"
            if found["cap"]
            else "nothing was removed: the stack's parameter SweepCap is 0"
        )


def _cost(one: Mapping[str, Any]) -> str:
    if one["usd_per_hour"] is None:
        return "price unknown"
    return f"{usd(one['usd_per_hour'])} an hour, at most {usd(one['usd_so_far'])} until now"


def _day(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _print(told: Iterator[str]) -> None:
    for line in told:
        output.console.print(line, highlight=False, markup=False, soft_wrap=True)
