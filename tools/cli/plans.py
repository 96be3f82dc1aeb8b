"""`autoscaler plan`: what applying would change, and what that would have cost on a history."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.markup import escape
from rich.text import Text

from autoscaler.aws.asked import read_recorded
from autoscaler.catalog.fit import DoesNotFitError
from autoscaler.catalog.instances import UnknownInstanceError, instances
from autoscaler.catalog.prices import PriceBook
from autoscaler.policy import Phase
from autoscaler.replay.assumed import Assumed, NoPriceError, assumed_world
from autoscaler.replay.history import History, Recorded, TooLittleError, history_of
from autoscaler.replay.trace import Trace
from autoscaler.spec import EndpointSpec, SpecError, parse_spec
from tools.cli import output
from tools.cli.aws_errors import explained, is_denied
from tools.cli.client import CliError, RefusedError, StackClient
from tools.cli.files import read_documents
from tools.cli.replays import Replay, replay, sentence, table
from tools.simulator.trace_file import TraceError, load_trace
from tools.simulator.wording import world_sentence

# A change of these makes a difference to a replay. A monthly budget does not: what was spent
# before a history began is not in it.
_REPLAYED = ("scaling.", "schedule.", "budget.wakes_per_day")
_NO_WORLD = (NoPriceError, DoesNotFitError, UnknownInstanceError)


@dataclass(frozen=True)
class Wanted:
    """What to replay: trace files, else the last days of CloudWatch (0: nothing)."""

    traces: Sequence[Path]
    days: int
    assumed: Assumed


@dataclass
class Planned:
    """One file: the stack's answer, and what is found out beside it."""

    spec: EndpointSpec
    result: dict[str, Any]
    present: EndpointSpec | None = None
    lead_seconds: float | None = None  # of a start, as the endpoint that exists measured it
    replays: list[Replay] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # why something was not replayed
    asked: bool = True  # False: no stack could be

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def exists(self) -> bool:
        """Whether there is something to compare with: a failed endpoint is made anew."""
        created, phase = self.result.get("created", True), self.result.get("phase")
        return not created and phase != Phase.FAILED

    @property
    def fields(self) -> list[str]:
        """What changes."""
        return [change["field"] for change in self.result.get("changes", ())]

    @property
    def worth_a_replay(self) -> bool:
        """Whether what changes makes a difference to a replay."""
        return self.exists and any(name.startswith(_REPLAYED) for name in self.fields)

    def document(self) -> dict[str, Any]:
        """The stack's answer; the comparison is added where there is one, or is missed."""
        document = dict(self.result)
        if self.replays:
            document["replays"] = [found.document() for found in self.replays]
        if self.notes:
            document["notes"] = self.notes
        return document


def plan(client: StackClient, files: Sequence[Path], wanted: Wanted, *, quiet: bool) -> None:
    """Shows what would change, then what that would have cost; `quiet`: all of it as JSON."""
    documents = read_documents(files)
    traces = _loaded(wanted)
    unreached = _unreached(client) if traces else None
    if traces:
        _check_worlds(documents, wanted.assumed, asked=unreached is None)
    if unreached is None:
        plans = [_asked(client, path, document, quiet) for path, document in documents]
    else:
        plans = [_not_asked(document) for _, document in documents]
    if unreached is not None and not quiet:
        _note(unreached)
    for planned, trace, assumed in _histories(client, plans, traces, wanted):
        with output.errors.status(f"replaying {planned.name}"):
            _replay(planned, trace, assumed)
        if not quiet:
            _show(planned.name, planned.replays[-1:])
    _conclude(plans, unreached, quiet)


def _conclude(plans: Sequence[Planned], unreached: str | None, quiet: bool) -> None:
    if quiet:
        documents = [planned.document() for planned in plans]
        for document in documents if unreached is not None else ():
            document["unreached"] = unreached
        typer.echo(json.dumps(documents, indent=2))
        return
    for planned in plans:
        for note in planned.notes:
            _note(f"{planned.name}: {note}")


def _loaded(wanted: Wanted) -> list[Trace]:
    """All traces; RefusedError, before anything is sent, if one cannot be read."""
    try:
        return [load_trace(path, wanted.assumed.service) for path in wanted.traces]
    except TraceError as wrong:
        raise RefusedError([str(wrong)]) from None


def _check_worlds(documents: Sequence[tuple[Path, Any]], assumed: Assumed, *, asked: bool) -> None:
    """RefusedError, before anything is sent, for a spec that nothing can be replayed on. The
    price of a machine that is known may be one that only the stack which is `asked` knows."""
    for path, document in documents:
        spec = parse_spec(document)
        try:
            assumed_world(spec, assumed)
        except NoPriceError as wrong:
            if not asked or spec.instances.types[0] not in instances():
                raise RefusedError([f"{path}: {wrong}"]) from None
        except _NO_WORLD as wrong:
            raise RefusedError([f"{path}: {wrong}"]) from None


def _unreached(client: StackClient) -> str | None:
    """Why there is nothing to ask what is there now; None: there is a stack."""
    try:
        client.outputs  # noqa: B018 - found on first use
    except CliError as error:
        return f"compared with always on only, no stack was asked: {error}"
    return None


def _asked(client: StackClient, path: Path, document: Any, quiet: bool) -> Planned:
    """Asks the stack, and shows at once what it answers."""
    try:
        result = client.command("plan", document=document)
    except RefusedError as refused:
        raise RefusedError([f"{path}: {problem}" for problem in refused.problems]) from None
    if not quiet:
        output.changes(str(path), result)
        output.warnings(result)
    planned = Planned(parse_spec(document), result)
    for name in planned.fields if planned.exists else ():
        if name.startswith("budget.") and not name.startswith(_REPLAYED):
            planned.notes.append(f"{name}: what a budget would have done is not replayed")
    return planned


def _not_asked(document: Any) -> Planned:
    spec = parse_spec(document)
    return Planned(spec, {"endpoint": spec.name}, asked=False)


def _histories(
    client: StackClient, plans: Sequence[Planned], traces: Sequence[Trace], wanted: Wanted
) -> Iterator[tuple[Planned, Trace, Assumed]]:
    """What is to be replayed for which plan, in which world."""
    changed = [] if traces or not wanted.days else [p for p in plans if p.worth_a_replay]
    recorded = _recorded(client, changed, wanted.days) if changed else {}
    for planned in plans:
        replayed = list(traces)
        if planned.name in recorded:
            try:
                replayed.append(history_of("CloudWatch", recorded[planned.name], client.now()))
            except TooLittleError as missing:
                planned.notes.append(
                    f"nothing to compare in the last {wanted.days} days of CloudWatch: {missing}"
                )
        if replayed and _understood(client, planned):
            assumed = _measured(planned, _priced(planned, wanted.assumed))
            yield from ((planned, trace, assumed) for trace in replayed)


def _recorded(client: StackClient, plans: Sequence[Planned], days: int) -> dict[str, Recorded]:
    """What CloudWatch keeps of those; nothing, with a note, when it may not be read."""
    names = [planned.name for planned in plans]
    try:
        kinds = {planned.name: planned.spec.kind for planned in plans}
        cloudwatch = client.boto("cloudwatch")
        return read_recorded(cloudwatch, client.stack, names, client.now(), days, kinds)
    except (BotoCoreError, ClientError) as error:
        why = f"its history was not read: {explained(error)}"
        if isinstance(error, ClientError) and is_denied(error):
            why += " (it takes cloudwatch:GetMetricData; --no-history does without)"
        for planned in plans:
            planned.notes.append(why)
        return {}


def _understood(client: StackClient, planned: Planned) -> bool:
    """Finds both specs as the stack would read them; False, with a note, if it cannot."""
    if not planned.asked:
        return True
    zone = planned.spec.schedule.time_zone or client.default_time_zone
    schedule = planned.spec.schedule.model_copy(update={"time_zone": zone})
    planned.spec = planned.spec.model_copy(update={"schedule": schedule})
    if not planned.exists:
        return True
    (found,) = client.command("get", endpoint=planned.name)["endpoints"]
    planned.lead_seconds = found["lead_time_seconds"]
    try:
        planned.present = (
            parse_spec(found["spec"])
            if "spec" in found
            else present_spec(planned.spec, planned.result["changes"])
        )
    except SpecError as error:
        planned.notes.append(f"the stack keeps a spec that this command line cannot read: {error}")
        return False
    return True


def present_spec(planned: EndpointSpec, changes: Sequence[Any]) -> EndpointSpec:
    """The spec that stands now, of an older stack, which does not tell it: the planned one with
    what each change had before. Raises SpecError if it is none."""
    document = planned.model_dump(mode="json")
    for change in changes:
        *path, last = change["field"].split(".")
        part = document
        for key in path:
            part = part.setdefault(key, {})
        part[last] = change["before"]
    return parse_spec(document)


def _priced(planned: Planned, assumed: Assumed) -> Assumed:
    """With the prices of the stack's Region as it read them last; an older stack tells none."""
    told = planned.result.get("prices")
    if told is None:
        return assumed
    listed = {name: Decimal(usd) for name, usd in told["usd_per_hour"].items()}
    read_at = datetime.fromisoformat(told["read_at"]) if told["read_at"] else None
    return replace(assumed, prices=PriceBook(told["region"], listed, read_at))


def _measured(planned: Planned, assumed: Assumed) -> Assumed:
    """With the endpoint's own lead time, unless the user gave one."""
    if assumed.lead_seconds is not None or planned.present is None:
        return assumed
    return replace(assumed, lead_seconds=planned.lead_seconds)


def _replay(planned: Planned, trace: Trace, assumed: Assumed) -> None:
    if isinstance(trace, History):
        assumed = replace(assumed, start=trace.start)
    try:
        planned.replays.append(replay(trace, planned.spec, planned.present, assumed))
    except _NO_WORLD as wrong:
        planned.notes.append(f"its history was not replayed: {wrong}")


def _show(name: str, replays: Sequence[Replay]) -> None:
    for found in replays:
        trace = found.trace
        since = f" since {trace.start:%Y-%m-%d %H:%M} UTC" if isinstance(trace, History) else ""
        output.console.print(
            f"\n[bold]{escape(name)}[/] replayed on {escape(trace.name)}{since}: "
            f"{len(trace):,} requests in {found.span}",
            highlight=False,
            soft_wrap=True,
        )
        output.console.print(Text(f"{world_sentence(found.world)} {found.priced}"), soft_wrap=True)
        output.console.print(table(found))
        output.console.print(Text(sentence(found)), soft_wrap=True)


def _note(text: str) -> None:
    output.errors.print(text, style="yellow", highlight=False, markup=False, soft_wrap=True)
