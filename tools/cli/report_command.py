"""`autoscaler report`: writes the cost report now, fetches it, and says the figures."""

from __future__ import annotations

import json
import os
import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tools.cli import output
from tools.cli.advised_report import with_advice
from tools.cli.client import CliError, RefusedError, StackClient
from tools.cli.money import usd

if TYPE_CHECKING:
    from autoscaler.ledger.figures import CostReport

_PERIODS = ("day", "week", "month", "all")
_ADVISED = ("week", "month")  # a day says little of a spec, and all of it is asked for seldom


def report(
    context: typer.Context,
    period: Annotated[str, typer.Option(help="day, week, month or all.")] = "week",
    last: Annotated[
        bool, typer.Option("--last", help="The last one that is over, not the running one.")
    ] = False,
    closed: Annotated[
        bool, typer.Option("--closed", help="The last one that a bill should know whole.")
    ] = False,
    advice: Annotated[
        bool | None,
        typer.Option(
            "--advice/--no-advice",
            help="Which changes would have saved most. Without it: of weeks and months that are "
            "not printed as JSON.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where to put the files.")] = Path("report"),
    show: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Writes the cost report now and fetches it."""
    client: StackClient = context.obj
    order = _order(period, last=last, closed=closed)
    _make_folder(out)  # before the stack writes a report that would have no place here
    written = client.invoke("ReportFunctionName", order)
    paths = fetch_report(client, written, out)
    if advice is None:
        advice = period in _ADVISED and not as_json
    found, notes = with_advice(client, paths) if advice else (None, [])
    if as_json:
        document = {**written, "files": [str(path) for path in paths]}
        if found is not None:
            document["advice"] = [one.model_dump(mode="json") for one in found.advice]
        typer.echo(json.dumps(document, indent=2))
    else:
        running = bool(written.get("running", order.get("running")))
        _show(written, paths, found, running=running)
    for note in notes:
        output.errors.print(note, style="yellow", highlight=False, markup=False, soft_wrap=True)
    if show and not webbrowser.open(_page(paths).resolve().as_uri()):
        raise CliError(f"--open: no browser was found; the page is {_page(paths)}")


def _order(period: str, *, last: bool, closed: bool) -> dict[str, Any]:
    if period not in _PERIODS:
        raise RefusedError([f"--period: {period!r} is none of {', '.join(_PERIODS)}"])
    if period == "all" and (last or closed):
        which = "--last" if last else "--closed"
        raise RefusedError([f"{which}: `all` is everything until now, there is no other"])
    if closed:
        return {"period": period, "closed": True}
    if last or period == "all":
        return {"period": period}
    return {"period": period, "running": True}  # which one that is, the stack's time zone says


def fetch_report(client: StackClient, written: dict[str, Any], out: Path) -> list[Path]:
    """Copies a report's files from S3; returns where they lie now."""
    _make_folder(out)
    paths = []
    for uri in written["uris"].values():
        place = urlsplit(uri)
        path = out / os.path.basename(place.path)  # noqa: PTH119 - of an S3 key, not a file
        body = client.boto("s3").get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))
        try:
            path.write_bytes(body["Body"].read())
        except OSError as wrong:
            raise CliError(f"--out: {path}: cannot be written: {wrong.strerror}") from None
        paths.append(path)
    return paths


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        why = "a file is in its place"
    except OSError as wrong:
        why = str(wrong.strerror)
    else:
        return
    raise RefusedError([f"--out: {out} cannot be a folder: {why}; name another one"])


def _page(paths: Sequence[Path]) -> Path:
    return next(path for path in paths if path.suffix == ".html")


def _show(
    written: Mapping[str, Any], paths: Sequence[Path], found: CostReport | None, *, running: bool
) -> None:
    for line in report_lines(written, running=running):
        output.console.print(Text(line), soft_wrap=True)
    if written.get("lines"):
        output.print_wide(report_table(written))
    for one in found.advice if found else ():
        output.console.print(Text(one.sentence), soft_wrap=True)
    if found is not None:
        from autoscaler.ledger.advice import NOTHING

        if NOTHING in found.notes:
            output.console.print(NOTHING)
    for path in paths:
        output.console.print(Text(str(path)), soft_wrap=True)


def report_lines(written: Mapping[str, Any], *, running: bool = False) -> Iterator[str]:
    """What a report came to, in which time, and what was odd in it."""
    cost, baseline = usd(written.get("cost_usd")), usd(written.get("baseline_usd"))
    period = written.get("period", "the period")
    types = written.get("unpriced_types", ())
    cost = f"at least {cost}" if types else cost
    yield f"{period}{' so far' if running else ''}: cost {cost}, always on {baseline} (estimated)"
    if types:
        hours = f"{float(written['unpriced_hours']):,.2f} instance-hours"
        yield f"the price of {', '.join(types)} is not known: {hours} are in no dollar figure"
    yield from _net(written)
    if written.get("billed_usd") is not None:
        yield _billed(written)
    if written.get("before_usd") is not None:
        much = "as much of the period before" if running else "the period before"
        yield f"{much} cost {usd(written['before_usd'])}"
    if float(written.get("gap_usd") or 0):
        yield f"{usd(written['gap_usd'])} of it rest on time in which nobody looked"
    yield from written.get("unusual", ())
    yield from written.get("stopped", ())


def _net(written: Mapping[str, Any]) -> Iterator[str]:
    """Nothing of a stack that does not tell its own cost yet."""
    net, most = written.get("net_saved_usd"), written.get("net_saved_at_most_usd")
    if written.get("controller_usd") is not None and most is not None:
        bound = " at most" if net is None else ""
        own = usd(written["controller_usd"])
        yield f"saved {usd(most if net is None else net)}{bound}, net of the controller's own {own}"


def _billed(written: Mapping[str, Any]) -> str:
    """AWS's bill with its days, which may be more than the period's, and their estimate."""
    days = against = ""
    if written.get("billed_first"):
        days = f" in the UTC days {written['billed_first']} to {written['billed_last']}"
    if written.get("billed_against_usd") is not None:
        against = f", estimated at {usd(written['billed_against_usd'])}"
    return f"AWS billed {usd(written['billed_usd'])} for its instances{days} (reconciled){against}"


def report_table(written: Mapping[str, Any]) -> Table:
    """An endpoint a row, dearest first; in the last row those that the event had no room for, so
    that costs add up. Fits into 80 columns."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    headings = ("endpoint", "cost", "saved", "before", "wakes", "requests")
    for number, heading in enumerate(headings):
        table.add_column(
            heading,
            justify="right" if number else "left",
            no_wrap=number > 0,
            overflow="fold",
        )
    lines = written["lines"]
    for line in sorted(lines, key=lambda one: (-float(one["cost_usd"]), one["endpoint"])):
        before = line.get("before_usd")
        table.add_row(
            escape(line["endpoint"]),
            _cost(line["cost_usd"], at_least=line.get("at_least", False)),
            usd(line["saved_usd"]),
            "–" if before is None else usd(before),
            f"{line['wakes']:,}",
            f"{line['requests']:,}",
        )
    if others := written.get("others"):
        cost = _cost(written["others_usd"], at_least=written.get("others_at_least", False))
        table.add_row(f"{others:,} other{'' if others == 1 else 's'}", cost, *("–",) * 4)
    return table


def _cost(money: str, *, at_least: bool) -> str:
    return f"{'≥ ' if at_least else ''}{usd(money)}"
