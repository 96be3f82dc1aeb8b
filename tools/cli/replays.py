"""What a change of a spec would have cost on a history: the present spec, the planned one, and
who never scales, each replayed by the simulator."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from rich.table import Table

from autoscaler.replay.assumed import Assumed, assumed_world
from autoscaler.replay.engine import simulate
from autoscaler.replay.fleet import always_on_copies
from autoscaler.replay.results import Outcome
from autoscaler.replay.trace import Trace
from autoscaler.replay.world import World
from autoscaler.spec import EndpointSpec, format_duration
from tools.simulator.policies import OURS, Setting, make

PRESENT, PLANNED, ALWAYS_ON = "as it is", "as planned", "always on"
_HEADINGS = ("", "dollars", "waiting", "total", "p95 wait", "wakes", "idle h")
_NOTHING_USD = 0.005  # less than a cent is no difference


@dataclass(frozen=True)
class Replay:
    """Outcomes by row: PRESENT only if there is such an endpoint, and PLANNED only if it would
    differ or is new; ALWAYS_ON without fail. All are priced alike."""

    trace: Trace
    world: World
    outcomes: Mapping[str, Outcome]
    priced: str  # where the price of a copy comes from

    @property
    def span(self) -> str:
        """How long the history is, in words."""
        hours = self.trace.seconds / 3600
        return f"{hours / 24:.1f} days" if hours >= 24 else f"{hours:.1f} hours"

    def document(self) -> dict[str, Any]:
        """Everything as JSON."""
        return {
            "history": self.trace.name,
            "requests": len(self.trace),
            "days": round(self.trace.seconds / 86400, 3),
            "usd_per_copy_hour": self.world.usd_per_copy_hour,
            "prices": self.priced,
            "lead_seconds": round(self.world.lead_seconds, 1),
            "rows": {name: _row(outcome) for name, outcome in self.outcomes.items()},
            "summary": sentence(self),
        }


def replay(
    trace: Trace, planned: EndpointSpec, present: EndpointSpec | None, assumed: Assumed
) -> Replay:
    """Replays a history. Waiting is priced as the planned spec does, in every row; else a change of
    that price alone would look like a saving. Raises NoPriceError, DoesNotFitError and
    UnknownInstanceError."""
    world = assumed_world(planned, assumed)
    if present is not None:
        world = replace(world, max_copies=max(world.max_copies, present.highest_max_copies))
    fleet = always_on_copies(trace, world.concurrency_per_copy, world.max_copies)
    world = replace(world, initial_copies=fleet)
    specs: dict[str, tuple[str, EndpointSpec]] = {}
    if present is not None:
        specs[PRESENT] = (OURS, present)
    if planned != present:
        specs[PLANNED] = (OURS, planned)
    specs[ALWAYS_ON] = ("always-on", planned)
    with ProcessPoolExecutor(2) as pool:
        runs = {
            row: pool.submit(_run, trace, world, Setting(spec, fleet, assumed.start), policy)
            for row, (policy, spec) in specs.items()
        }
        outcomes = {row: run.result() for row, run in runs.items()}
        return Replay(trace, world, outcomes, assumed.priced)


def _run(trace: Trace, world: World, setting: Setting, policy: str) -> Outcome:
    return simulate(trace, world, make(policy, setting))


def table(found: Replay) -> Table:
    """A line for each row; fits into 80 columns."""
    shown = Table(box=None, header_style="bold", pad_edge=False)
    lost = any(outcome.lost for outcome in found.outcomes.values())
    for number, heading in enumerate((*_HEADINGS, "lost") if lost else _HEADINGS):
        shown.add_column(heading, justify="right" if number else "left", no_wrap=True)
    for name, outcome in found.outcomes.items():
        shown.add_row(
            name,
            f"${outcome.usd:,.2f}",
            f"${outcome.waiting_usd:,.2f}",
            f"${outcome.total_usd:,.2f}",
            _wait(outcome.p95_seconds),
            f"{outcome.wakes:,}",
            f"{outcome.idle_hours:,.1f}",
            *([f"{outcome.lost:,}"] if lost else []),
            style="green" if name == PLANNED else None,
        )
    return shown


def sentence(found: Replay) -> str:
    """What the change would have cost or saved; of one endpoint alone, against always on."""
    rows = found.outcomes
    over = f"Over these {found.span}"
    if PRESENT in rows and PLANNED in rows:
        return f"{over} the change would have cost {_against(rows[PLANNED], rows[PRESENT])}."
    row, subject = (PRESENT, "it") if PRESENT in rows else (PLANNED, "this")
    return f"{over} {subject} would have cost {_against(rows[row], rows[ALWAYS_ON], 'always on')}."


def _against(one: Outcome, other: Outcome, name: str = "") -> str:
    """`$12.30 less (-8 %): ...`, with what becomes of the waiting and of both together."""
    dollars = _difference(one.usd - other.usd)
    if dollars is None:
        text = f"the same as {name}" if name else "the same"
    else:
        share = f" ({(one.usd - other.usd) / other.usd:+.0%})" if other.usd else ""
        text = f"{dollars}{f' than {name}' if name else ''}{share.replace('%', ' %')}"
    text += f": ${one.usd:,.2f}" + ("" if dollars is None else f" instead of ${other.usd:,.2f}")
    waiting = _difference(one.waiting_usd - other.waiting_usd)
    if waiting is None:
        return f"{text}, with the same waiting"
    total = _difference(one.total_usd - other.total_usd)
    return f"{text}, and {waiting} in waiting; in total {total or 'the same'}"


def _difference(usd: float) -> str | None:
    """None: no difference worth a word."""
    if abs(usd) < _NOTHING_USD:
        return None
    return f"${abs(usd):,.2f} {'more' if usd > 0 else 'less'}"


def _wait(seconds: float) -> str:
    if 0 < seconds < 10:
        return f"{seconds:.1f}s"
    return format_duration(timedelta(seconds=round(seconds)))


def _row(outcome: Outcome) -> dict[str, Any]:
    return {
        "usd": round(outcome.usd, 4),
        "waiting_usd": round(outcome.waiting_usd, 4),
        "total_usd": round(outcome.total_usd, 4),
        "p95_seconds": round(outcome.p95_seconds, 2),
        "wakes": outcome.wakes,
        "idle_hours": round(outcome.idle_hours, 2),
        "answered": outcome.answered,
        "lost": outcome.lost,
    }
