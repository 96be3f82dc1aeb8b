"""What was promised and what was measured; every row is a check that can fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autoscaler.policy.schedule import bounds_at
from autoscaler.spec import EndpointSpec, parse_spec
from tools.cli.demo.acts import PEAK_OPENS, Acts, counted, local
from tools.cli.demo.display import sparkline
from tools.cli.demo.stage import Seen, price
from tools.hub.real import REAL_MODEL, REAL_SHA256

WAKE_SECONDS = 1.0
LEDGER_SHARE = 0.05
_NARROWEST = 110
# How each kind of message begins or ends; all of the first five must have come.
_KINDS = {
    "ready": "is ready",
    "waking": "is waking",
    "awake": "is awake",
    "asleep": "is asleep",
    "cost report": "Cost of",
    "grown": "grows from",
    "shrunk": "shrinks from",
    "bounds moved": "may now use",
}
_EXPECTED = ("ready", "waking", "awake", "asleep", "cost report")


@dataclass(frozen=True)
class Promise:
    """One row."""

    promised: str
    measured: str
    held: bool


def promises(acts: Acts) -> list[Promise]:
    """All rows, each from what was read off the account."""
    rows: Sequence[Callable[[Acts], Promise]] = (
        _staged, _answered, _woken, _zero, _peak, _demand, _ledger, _saved, _slack, _rights,
    )  # fmt: skip
    return [row(acts) for row in rows]


def _staged(acts: Acts) -> Promise:
    real = acts.facts.real
    found = acts.stage.stored_sha256(real.get("weights_s3_uri", "s3://none/"), "model.safetensors")
    return Promise(
        f"{REAL_MODEL} lies in S3 as it was published",
        f"{real.get('file_count', 0)} files, {real.get('total_bytes', 0)} bytes; S3's SHA-256 of "
        f"the weights: {(found or 'none')[:16]}…",
        found == REAL_SHA256,
    )


def _answered(acts: Acts) -> Promise:
    """SageMaker counts every request that it took; a probe is one of each deploy and wake."""
    stage, replay = acts.stage, acts.replay
    results = stage.results()
    lost, wrong = replay.compare(results)
    probes = len(stage.executions("deploy-endpoint")) + len(stage.executions("wake-endpoint"))
    twice = stage.account.sagemaker.invocations - probes - len(results)
    refused = stage.dead_letters()
    return Promise(
        "every request is answered, whole, once",
        f"sent {replay.sent}, answered {len(results)}, lost {lost}, duplicated {twice}, "
        f"incomplete {wrong}, dead letters {refused}",
        replay.sent == len(replay.arrivals) == len(results)
        and lost == wrong == twice == refused == 0,
    )


def _woken(acts: Acts) -> Promise:
    wake = acts.facts.wake
    return Promise(
        f"the first message itself asks for the wake, within {WAKE_SECONDS:.0f} s",
        f"{wake.seconds:.2f} s to the execution, cause: {wake.cause} (clock at 1×)"
        if wake
        else "it did not",
        wake is not None and wake.seconds <= WAKE_SECONDS and wake.cause == "message",
    )


def _zero(acts: Acts) -> Promise:
    """ASLEEP at two looks in a row with an instance in between would be a lie."""
    zeros = acts.facts.zeros
    lies = [
        before
        for before, after in pairwise(acts.stage.seen)
        if before.phase == after.phase == "ASLEEP" and before.instances
    ]
    return Promise(
        "asleep means zero instances",
        f"zero seen at {' and '.join(local(seen.at) for seen in zeros)}"
        + (f"; asleep with instances at {local(lies[0].at)}" if lies else ""),
        len(zeros) == 2 and not lies,
    )


def _peak(acts: Acts) -> Promise:
    looks = acts.facts.peak
    fewest = min(seen.copies for seen in looks)
    late = looks[0].at - PEAK_OPENS
    return Promise(
        "in the peak window at least 1 copy serves, from its first minutes",
        f"{counted(looks[0].copies, 'copy')} at {local(looks[0].at)}, at least {fewest} "
        f"in {counted(len(looks), 'look')} until {local(looks[-1].at)}",
        fewest >= 1 and late < timedelta(minutes=5),
    )


def _demand(acts: Acts) -> Promise:
    """Up when more comes than the copies take at once, down when it has passed; never above what
    the file allows."""
    spec, seen, needs = parse_spec(acts.document), acts.stage.seen, acts.trace.needs
    most = max(one.copies for one in seen)
    above = [one for one in seen if one.copies > _allowed(spec, one)]
    way = _up_and_down(seen, needs, spec.serving.concurrency_per_copy)
    return Promise(
        "copies follow demand, within the bounds of the file"
        + (f": {counted(needs, 'copy')} for the burst, fewer after it" if needs > 1 else ""),
        f"{sparkline([one.copies for one in seen], 40)} most {most}"
        + "".join(f"; {_told(one)}" for one in way)
        + (f"; {above[0].copies} at {local(above[0].at)}, above the bounds" if above else ""),
        most >= needs and len(way) == (3 if needs > 1 else 0) and not above and not seen[-1].copies,
    )


def _up_and_down(seen: Sequence[Seen], needs: int, concurrency: int) -> list[Seen]:
    """The first looks at more waiting than one copy fewer takes at once, at so many copies after
    that, and at fewer of them while it was still awake; as many of the three as there were."""
    if needs == 1:
        return []
    steps: list[Callable[[Seen], bool]] = [
        lambda one: one.phase == "AWAKE" and one.backlog > (needs - 1) * concurrency,
        lambda one: one.copies >= needs,
        lambda one: one.phase == "AWAKE" and one.copies < needs,
    ]
    found: list[Seen] = []
    for one in seen:
        if len(found) < len(steps) and steps[len(found)](one):
            found.append(one)
    return found


def _told(seen: Seen) -> str:
    """One look, in a few words."""
    return f"{local(seen.at)} {counted(seen.copies, 'copy')}, {seen.backlog} waiting"


def _allowed(spec: EndpointSpec, seen: Seen) -> int:
    """Most copies at that moment or minutes before: an edge takes effect at the next tick."""
    moments = (seen.at, seen.at - timedelta(minutes=5))
    return max(bounds_at(spec, moment).max_copies for moment in moments)


def _ledger(acts: Acts) -> Promise:
    cost, truth = float(acts.facts.report["cost_usd"]), acts.stage.billed_usd()
    return Promise(
        f"dollars awake: the ledger agrees with SageMaker's books within {LEDGER_SHARE:.0%}",
        f"ledger ${cost:.2f}, SageMaker ${truth:.2f} ({_off(cost, truth):+.1%})",
        abs(_off(cost, truth)) <= LEDGER_SHARE,
    )


def _saved(acts: Acts) -> Promise:
    """The baseline is computed here once more: one copy from apply to report."""
    facts = acts.facts
    cost, baseline = float(facts.report["cost_usd"]), float(facts.report["baseline_usd"])
    hours = (facts.reported_at - facts.applied_at).total_seconds() / 3600
    always_on = hours * price(acts.document["instances"]["types"][0])
    return Promise(
        "dollars saved against one copy always on",
        f"${baseline - cost:.2f} of ${baseline:.2f} ({1 - cost / baseline:.0%}); "
        f"{hours:.1f} h always on would be ${always_on:.2f}",
        baseline > cost and abs(_off(baseline, always_on)) <= LEDGER_SHARE,
    )


def _slack(acts: Acts) -> Promise:
    kinds = Counter(kind_of(title) for title in acts.stage.slack.titles())
    told = ", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items()))
    refused = acts.stage.slack.rejected
    return Promise(
        "Slack hears of it",
        told + (f"; Slack refused {len(refused)}: {refused[0]}" if refused else ""),
        not refused and all(kinds[kind] for kind in _EXPECTED),
    )


def _rights(acts: Acts) -> Promise:
    """Every call of a role was judged by the policies that the template gives it."""
    guard = acts.stage.account.iam
    denied = guard.surprises
    return Promise(
        "each function and flow needs no more than its role allows",
        f"{guard.allowed} different things allowed, {len(denied)} denied"
        + (f": {denied[0].why}" if denied else ""),
        guard.allowed > 0 and not denied,
    )


def kind_of(title: str) -> str:
    """What a Slack message is about."""
    return next((kind for kind, mark in _KINDS.items() if mark in title), "other")


def _off(value: float, truth: float) -> float:
    return value / truth - 1 if truth else float("inf")


def show(console: Console, rows: Sequence[Promise]) -> bool:
    """Prints the table; True when every promise held."""
    table = Table(title="Promised and measured", title_justify="left", show_lines=True)
    table.add_column("promised", ratio=2)
    table.add_column("measured", ratio=3, overflow="fold")
    table.add_column("", no_wrap=True)
    for row in rows:
        mark = "[green]held[/]" if row.held else "[bold red]BROKEN[/]"
        table.add_row(escape(row.promised), escape(row.measured), mark)
    if not console.is_terminal:  # a log has no width
        console = Console(file=console.file, width=max(console.width, _NARROWEST))
    console.print(table)
    return all(row.held for row in rows)
