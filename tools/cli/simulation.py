"""`autoscaler simulate`: what policies would have cost on a recorded history, on this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from autoscaler.catalog.fit import DoesNotFitError
from autoscaler.catalog.instances import UnknownInstanceError
from autoscaler.replay.assumed import Assumed, NoPriceError, assumed_world
from autoscaler.replay.trace import Trace
from autoscaler.replay.world import ORIGIN, World
from autoscaler.spec import EndpointSpec, parse_spec
from tools.cli import output
from tools.cli.client import RefusedError
from tools.cli.files import read_document
from tools.cli.times import checked_year
from tools.simulator.compare import Comparison, compare
from tools.simulator.page import render
from tools.simulator.policies import ALL, OURS, REAL, UnknownPolicyError
from tools.simulator.trace_file import TraceError, load_trace
from tools.simulator.wording import (
    HEADINGS,
    MONEY,
    WAITING,
    bounds_sentence,
    cells,
    world_sentence,
)

_WIDE = 125  # columns for all of a table


def sorted_out(
    traces: Sequence[Path], policies: Sequence[str], more: Sequence[str]
) -> tuple[list[Path], list[str]]:
    """Options take one value each; what a shell's glob or a list put behind them is added to the
    traces, or to the policies if it is the name of one. RefusedError without any trace."""
    named = [word for word in more if word in ALL]
    files = [Path(word) for word in more if word not in ALL]
    if not (traces or files):
        raise RefusedError(["--trace: name one file at least"])
    return [*traces, *files], [*policies, *named]


def traces_behind(files: Sequence[Path], traces: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Endpoint files and traces, apart: what a shell's glob put behind `--trace` is told by its
    ending."""
    if not traces:
        return list(files), []
    behind = [path for path in files if path.suffix in (".csv", ".gz")]
    return [path for path in files if path not in behind], [*traces, *behind]


def simulate_here(
    traces: Sequence[Path], spec_file: Path, policies: Sequence[str], assumed: Assumed, quiet: bool
) -> list[Comparison]:
    """Runs every policy on every trace; RefusedError names what is wrong with which file."""
    spec = parse_spec(read_document(spec_file))
    try:
        world = assumed_world(spec, assumed)
        loaded = [load_trace(path, assumed.service) for path in traces]
    except (TraceError, NoPriceError, DoesNotFitError, UnknownInstanceError) as wrong:
        raise RefusedError([str(wrong)]) from None
    names = list(dict.fromkeys([OURS, *(policies or REAL)]))
    with Progress(console=output.errors, transient=True, disable=quiet) as progress:
        bar = progress.add_task("replaying", total=len(loaded))
        found = []
        for trace in loaded:
            progress.update(bar, description=f"replaying {trace.name}")
            found.append(_compared(trace, world, spec, names, assumed))
            progress.advance(bar)
    return found


def _compared(
    trace: Trace, world: World, spec: EndpointSpec, names: Sequence[str], assumed: Assumed
) -> Comparison:
    try:
        return compare(trace, world, spec, names, assumed.start)
    except UnknownPolicyError as unknown:
        raise RefusedError([f"--policy: {unknown}"]) from None


def show(comparisons: Sequence[Comparison], priced: str) -> None:
    """Prints a table for each trace; on a narrow terminal two, of money and of waiting."""
    assumed = f"{world_sentence(comparisons[0].world)} {priced}"
    output.console.print(Text(assumed), soft_wrap=True)
    for comparison in comparisons:
        trace = comparison.trace
        days = f"{trace.seconds / 86400:.1f} days"
        output.console.print(f"\n[bold]{escape(trace.name)}[/]: {len(trace):,} requests in {days}")
        wide = output.console.width >= _WIDE
        for part in (HEADINGS,) if wide else (MONEY, WAITING):
            output.console.print(_table(comparison, part))
        output.console.print(Text(bounds_sentence(comparison)), soft_wrap=True)


def _table(comparison: Comparison, headings: Sequence[str]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    for outcome in sorted(comparison.outcomes, key=lambda one: one.total_usd):
        texts = cells(comparison, outcome)
        style = "green" if outcome.policy == OURS else None
        table.add_row(*(texts[heading] for heading in headings), style=style)
    return table


def documents(comparisons: Sequence[Comparison], priced: str) -> str:
    """All comparisons as JSON text."""
    whole: list[dict[str, Any]] = [one.document() | {"prices": priced} for one in comparisons]
    return json.dumps(whole, indent=2)


def check_page(out: Path) -> None:
    """RefusedError for a place where no page can be, before a history is replayed for it."""
    if out.is_dir():
        raise RefusedError([f"--html: {out} is a folder: name a file in it, as page.html"])
    if not out.parent.is_dir():
        raise RefusedError([f"--html: {out}: cannot be written: there is no folder {out.parent}"])
    if not os.access(out if out.exists() else out.parent, os.W_OK):
        raise RefusedError([f"--html: {out}: cannot be written: it is not yours to write"])


def write_page(comparisons: Sequence[Comparison], out: Path) -> None:
    """Writes the HTML page; RefusedError when it cannot be written."""
    try:
        out.write_text(render(comparisons), encoding="utf-8")
    except OSError as wrong:
        raise RefusedError([f"--html: {out}: cannot be written: {wrong.strerror}"]) from None


def parse_start(text: str | None) -> datetime:
    """The moment at which a trace begins; UTC unless it says otherwise."""
    if text is None:
        return ORIGIN
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RefusedError(
            [f"--start: {text!r} is no moment: write it as 2026-11-02T00:00"]
        ) from None
    checked_year("--start", text, moment)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
