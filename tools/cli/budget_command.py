"""`autoscaler budget`: what is spent of which budget, and what the month will probably cost."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tools.cli import output
from tools.cli.client import RefusedError, StackClient

_NONE = "none"
_COUNT = re.compile(r"[0-9]{1,9}")
# Commas part groups of three digits, as in 5,000.50; any other one may be meant as a decimal point.
_DOLLARS = re.compile(r"\$?(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.[0-9]+)?")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def show_budget(context: typer.Context, as_json: AsJson = False) -> None:
    """Budgets of the endpoints and of the stack: spent, forecast, what follows at 100 %."""
    if context.invoked_subcommand is None:
        _show(context.obj.command("budget"), as_json)


def set_budget(
    context: typer.Context,
    monthly: Annotated[
        str | None, typer.Option(help="Dollars of a UTC month for all endpoints; none: no limit.")
    ] = None,
    daily: Annotated[str | None, typer.Option(help="The same of a UTC day.")] = None,
    thresholds: Annotated[
        str | None, typer.Option(help="Percentages that are told: 50,80,100.")
    ] = None,
    when_spent: Annotated[str | None, typer.Option(help="cap, sleep or alert.")] = None,
    on_forecast: Annotated[str | None, typer.Option(help="alert, cap or none.")] = None,
    wakes_per_day: Annotated[
        str | None, typer.Option(help="Wakes of a UTC day of all endpoints; none: no limit.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Sets the stack's budget, at once and without a deployment; what is not given stays."""
    client: StackClient = context.obj
    given: dict[str, Any] = {}
    for name, option, text in (
        ("monthly_usd", "--monthly", monthly),
        ("daily_usd", "--daily", daily),
    ):
        if text is not None:
            given[name] = _dollars(option, text)
    if thresholds is not None:
        given["thresholds"] = _percentages(thresholds)
    if wakes_per_day is not None:
        given["wakes_per_day"] = _count("--wakes-per-day", wakes_per_day)
    choices = {"when_spent": when_spent, "on_forecast": on_forecast}
    given |= {name: value for name, value in choices.items() if value is not None}
    if not given:
        raise RefusedError(["give at least one of --monthly, --daily, --thresholds, --when-spent, "
                            "--on-forecast, --wakes-per-day; `autoscaler budget` shows what is "
                            "set"])  # fmt: skip
    _show(client.command("budget_set", changes=given), as_json)


def _dollars(option: str, text: str) -> str | None:
    if text == _NONE:
        return None
    if not _DOLLARS.fullmatch(text.strip()):
        raise RefusedError(
            [f"{option}: {text!r:.80} is no amount of dollars: write 5000, 99.50, or {_NONE}"]
        )
    return str(Decimal(text.strip().removeprefix("$").replace(",", "")))


def _count(option: str, text: str) -> int | None:
    if text == _NONE:
        return None
    if not _COUNT.fullmatch(text.strip()):
        raise RefusedError([f"{option}: {text!r:.80} is no whole number: write 200, or {_NONE}"])
    return int(text)


def _percentages(text: str) -> list[int]:
    try:
        found = [int(part.strip().removesuffix("%")) for part in text.split(",") if part.strip()]
    except ValueError:
        raise RefusedError([f"--thresholds: {text!r} is no list like 50,80,100"]) from None
    if not found:
        raise RefusedError(
            [f"--thresholds: {text!r} names no percentage: write 50,80,100, or 100 alone, which is "
             "told in any case"]
        )  # fmt: skip
    return found


def _show(found: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    lines = [Text.from_markup(line) for line in notes(found)]
    output.print_wide(Group(table_of(found), *lines))


def table_of(found: Mapping[str, Any]) -> Table:
    """A line for each endpoint and budget, and the stack's last; within 80 columns."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", overflow="fold")  # of all columns only a long name may be folded
    for heading in ("spent", "of", "share", "expected", "then", "wakes"):
        table.add_column(heading, no_wrap=True)
    for one in found["endpoints"]:
        budget = one["budget"]
        wakes = f"{budget['wakes_today']}/{budget['wakes_per_day']}"
        _add(table, escape(one["endpoint"]), budget, wakes)
    stack = found["stack"]
    most = stack.get("wakes_per_day")  # an older stack tells none
    wakes = "" if most is None else f"{stack['wakes_today']}/{most}"
    _add(table, "[bold]the stack[/]", stack, wakes)
    return table


def _add(table: Table, name: str, budget: Mapping[str, Any], wakes: str) -> None:
    action = budget["when_spent"] if budget["at_100"] else ""
    monthly, daily = budget["monthly_usd"], budget["daily_usd"]
    table.add_row(
        name,
        usd(budget["spent_usd"]),
        "no limit" if monthly is None else f"{usd(monthly)}/month",
        _share(budget["share"]),
        "?" if budget["forecast_usd"] is None else usd(budget["forecast_usd"]),
        action if monthly is not None else "",
        wakes,
    )
    if daily is not None:
        spent, share = usd(budget["spent_today_usd"]), _share(budget["share_today"])
        table.add_row("", spent, f"{usd(daily)}/day", share, "", action, "")


def notes(found: Mapping[str, Any]) -> Iterator[str]:
    """What the columns do not say: the kill switch, what binds now, who yields first."""
    yield from stop_lines([found["stopped"], *(one["stopped"] for one in found["endpoints"])])
    for one in found["endpoints"]:
        if one["barred"] and not one["stopped"]:
            yield f"[yellow]{escape(one['endpoint'])}: {escape(one['barred']['reason'])}[/]"
    stack = found["stack"]
    for one in stack["yielding"]:
        yield f"[yellow]{escape(one['endpoint'])} yields to the stack's budget: {one['how']}[/]"
    if stack.get("wakes_spent"):
        yield (
            "[yellow]the stack's wakes of the day are spent: requests and windows wake nothing "
            "until 00:00 UTC, a hold or a person does[/]"
        )
    if stack["set_by"]:
        at = _moment(stack["set_at"])
        yield f"the stack's budget was set by {escape(stack['set_by'])} at {at}"
    yield from _order_of_yielding(found)


def _order_of_yielding(found: Mapping[str, Any]) -> Iterator[str]:
    """Who yields to the stack's budget before others; nothing where all have one priority."""
    by_share: dict[int, list[str]] = {}
    for one in found["endpoints"]:
        by_share.setdefault(one["yields_at"], []).append(escape(one["endpoint"]))
    if len(by_share) > 1 and found["stack"]["at_100"]:
        said = (f"at {share} %: {', '.join(by_share[share])}" for share in sorted(by_share))
        yield f"they yield to the stack's budget {'; '.join(said)}"


def stop_lines(stops: list[Mapping[str, Any] | None]) -> Iterator[str]:
    """Each switch that is on, once."""
    for text in dict.fromkeys(stop["text"] for stop in stops if stop):
        yield f"[bold red]{escape(text)}[/]"


def usd(amount: str) -> str:
    """`$42.50`; from a hundred on without cents."""
    money = Decimal(amount)
    return f"${money:,.0f}" if money >= 100 else f"${money:,.2f}"


def _share(share: float | None) -> str:
    """`17 %`; what is not the whole is never `100 %`."""
    if share is None:
        return ""
    value = round(share * 100)
    return f"{min(value, 99) if share < 1 else value} %"


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
