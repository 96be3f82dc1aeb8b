"""How things look in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from autoscaler.policy.wording import counted
from autoscaler.spec import format_duration
from tools.cli.in_force import in_force_lines
from tools.cli.money import usd

console = Console()
errors = Console(stderr=True)
_WIDEST = 10_000

_COLOURS = {
    "AWAKE": "green",
    "ASLEEP": "blue",
    "WAKING": "yellow",
    "SLEEPING": "yellow",
    "CREATING": "yellow",
    "STAGING": "yellow",
    "FAILED": "red",
    "UPDATING": "yellow",
    "RETIRING": "magenta",
}


# How a change gets into what runs.
_WAYS = {
    None: "takes effect with the next tick; nothing that runs is touched",
    "roll": "rolled out: a new copy is up before an old one goes; what fails is put back",
    "replace": "its machines are replaced by way of zero: requests wait in their queue meanwhile",
}

_OBSERVES = (
    "the stack only observes (parameter Mode): what is decided is told, and nothing is changed"
)

# Bounds are in force only where there is, or is to be, something to bound.
_BOUNDED = frozenset({"AWAKE", "UPDATING", "WAKING", "CREATING"})


def phase(name: str) -> str:
    """A phase in its colour."""
    return f"[{_COLOURS.get(name, 'white')}]{name}[/]"


def endpoints_table(endpoints: Sequence[Mapping[str, Any]], now: datetime) -> Table:
    """All endpoints, a line each."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("endpoint", "phase", "for", "copies", "instances", "waiting"):
        table.add_column(heading, no_wrap=True, overflow="fold")
    for one in endpoints:
        kind = one["instance_type"].removeprefix("ml.") if one["observed_instances"] else ""
        table.add_row(
            escape(one["name"]),
            phase(one["phase"]),
            _ago(one["phase_since"], now),
            _copies(one),
            f"{one['observed_instances']} {kind}".strip(),
            "?" if one["backlog"] is None else str(one["backlog"]),
        )
    return table


def _copies(one: Mapping[str, Any]) -> str:
    if one["phase"] not in _BOUNDED:
        return str(one["observed_copies"])
    bounds = one["bounds"]
    return f"{one['observed_copies']} of {bounds['min_copies']}-{bounds['max_copies']}"


def page(found: Mapping[str, Any], now: datetime, *, whole: bool) -> Group:
    """A line for each endpoint of an answer to `get`; `whole`: everything about the one in it."""
    endpoints: Sequence[Mapping[str, Any]] = found["endpoints"]
    everything = [found["stopped"]] if found.get("stopped") else []  # also of a stack without any
    switches = [*everything, *(one["stopped"] for one in endpoints if one.get("stopped"))]
    banner = [Text(t, style="bold red") for t in dict.fromkeys(s["text"] for s in switches)]
    if not endpoints:
        return Group(*banner, "no endpoints yet: autoscaler apply endpoints/<file>.yaml")
    lines = [line for one in endpoints for line in (_details(one) if whole else _in_force(one))]
    told = [_history(one.get("history", ())) for one in endpoints] if whole else []
    table = endpoints_table(endpoints, now)
    if any(one.get("mode") == "observe" for one in endpoints):
        banner.append(Text(_OBSERVES, style="bold yellow"))
    return Group(*banner, table, *(Text.from_markup(line) for line in lines), *told)


def _in_force(one: Mapping[str, Any]) -> Iterator[str]:
    for line in in_force_lines(one):
        yield f"[magenta]{escape(one['name'])} is {escape(line)}[/]"


def print_page(found: Mapping[str, Any], now: datetime, *, whole: bool) -> None:
    """Prints a page."""
    print_wide(page(found, now, whole=whole))


def print_wide(content: Group | Table) -> None:
    """Prints what has columns. What is not a terminal has no width: there a row is a line,
    however long."""
    if console.is_terminal:
        console.print(content)
        return
    unlimited = Console(file=console.file, width=_WIDEST)
    with unlimited.capture() as captured:
        unlimited.print(content)
    lines = captured.get().splitlines()
    console.file.write("".join(f"{line.rstrip()}\n" for line in lines))


def _history(entries: Sequence[Mapping[str, Any]]) -> Table:
    """An entry a row; a sentence that is longer than its column goes on below its beginning."""
    table = Table.grid(padding=(0, 1))
    for _ in range(2):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for line in entries:
        moment, text = _moment(line["at"]), escape(line["text"])
        table.add_row(f"[dim]{moment}[/]", phase(line["phase"]), text)
    return table


def _details(one: Mapping[str, Any]) -> Iterator[str]:
    if one.get("failure"):
        yield f"\n[red]{escape(one['failure'])}[/]"
    if one.get("last_reason"):
        yield f"since {_moment(one['last_reason_at'])}: {escape(one['last_reason'])}"
    if withheld := one.get("withheld"):
        yield f"[yellow]{escape(withheld['text'])}[/]"
    if one.get("barred") and not one.get("stopped"):
        yield f"[yellow]{escape(one['barred']['reason'])}[/]"
    if one.get("retry_at"):
        yield f"tried again at {_moment(one['retry_at'])}"
    yield from _ladder(one.get("ladder"))
    if update := one.get("update"):
        began = "is being put in place" if one["phase"] == "UPDATING" else "waits"
        yield f"a changed file {began} ({update})"
    yield from (f"\n{escape(line)}" for line in in_force_lines(one))
    yield from _budget(one.get("budget") or {})
    wakes = f"woken {counted(one['wakes_today'], 'time')} today (UTC)"
    edge = f", bounds change next at {_moment(one['next_edge'])}" if one.get("next_edge") else ""
    lead = format_duration(timedelta(seconds=round(one["lead_time_seconds"])))
    window = f"window {escape(one['window'])}" if one["window"] else "outside all windows"
    yield f"\nteam {escape(one['team'])}, {window}{_precedence(one)}"
    yield f"{wakes}; a start takes about {lead}{edge}"


def _budget(budget: Mapping[str, Any]) -> Iterator[str]:
    """A line for each limit that there is."""
    for limit, spent, span in (
        ("monthly_usd", "spent_usd", "this month"),
        ("daily_usd", "spent_today_usd", "today"),
    ):
        if budget.get(limit) is not None:
            expected = budget["forecast_usd"] if limit == "monthly_usd" else None
            more = f", about {usd(expected)} expected" if expected else ""
            told = f"{usd(budget[spent])} of {usd(budget[limit])} are spent {span}{more}"
            yield f"{told}; at 100 %: {budget['at_100']}"


def _precedence(one: Mapping[str, Any]) -> str:
    """Which window wins, where more than one might."""
    windows = ((one.get("spec") or {}).get("schedule") or {}).get("windows") or ()
    names = [escape(window["name"]) for window in windows]
    return f" (the first that is open wins: {', '.join(names)})" if len(names) > 1 else ""


def _ladder(ladder: Mapping[str, Any] | None) -> Iterator[str]:
    """What a person should know of the rungs; nothing while the first one serves."""
    if not ladder:
        return
    if ladder["circuit_open"]:
        yield "[red]the circuit is open: no try is worth its price until then[/]"
    if ladder["rungs"] > 1 and (ladder["rung"] > 1 or ladder["failures"]):
        failed = f", {ladder['failures']} tries failed since it last served"
        yield (
            f"rung {ladder['rung']} of {ladder['rungs']} ({', '.join(ladder['types'])})"
            f"{failed if ladder['failures'] else ''}"
        )
    if ladder["fallback"]:
        yield f"{escape(ladder['fallback'])} answers for it meanwhile"


def staged_line(staged: Mapping[str, Any]) -> Text:
    """What a staging did."""
    if staged["already_staged"]:
        return Text(f"staged already: {staged['passport']}")
    rate = staged["moved_bytes"] / 1e6 / (staged["seconds"] or 1)
    return Text(
        f"{staged['moved_bytes']} bytes moved in {staged['seconds']:.1f} s ({rate:,.0f} MB/s); "
        f"sealed: {staged['passport']}"
    )


def verified_line(proven: Mapping[str, Any]) -> Text:
    """What a verification found."""
    how = "every byte read again" if proven["read_again"] else "by the checksums that S3 keeps"
    return Text(
        f"{proven['model_id']} at {proven['commit'][:12]}: {proven['files']} files, "
        f"{proven['total_bytes']} bytes are what was sealed ({how})"
    )


def changes(path: str, result: Mapping[str, Any]) -> None:
    """What an apply changes or would change."""
    name = escape(result["endpoint"])
    if result["created"]:
        console.print(f"[bold]{name}[/] {escape(path)}: new")
        for line in result.get("preview", ()):
            console.print(f"  {escape(line)}", highlight=False, soft_wrap=True)
        return
    if not result["changes"]:
        console.print(f"[bold]{name}[/] {escape(path)}: nothing changes")
        return
    console.print(f"[bold]{name}[/] {escape(path)}:")
    for change in result["changes"]:
        before, after = escape(str(change["before"])), escape(str(change["after"]))
        console.print(f"  {change['field']}: [red]{before}[/] → [green]{after}[/]")
    console.print(f"  {_WAYS[result.get('way')]}", highlight=False, soft_wrap=True)


def in_force(told: Mapping[str, Sequence[str]]) -> None:
    """What people asked for until some time, a line each; not among what scripts read."""
    for name, sentences in told.items():
        for sentence in sentences:
            line = f"[magenta]{escape(name)} is {escape(sentence)}[/]"
            errors.print(line, highlight=False, soft_wrap=True)


def warnings(result: Mapping[str, Any]) -> None:
    for warning in result.get("warnings", ()):
        console.print(f"  [yellow]{escape(warning)}[/]")


def _ago(moment: str, now: datetime) -> str:
    seconds = int((now - datetime.fromisoformat(moment).astimezone(UTC)).total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{max(0, seconds)}s"


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
