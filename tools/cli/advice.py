"""The changes of a spec that would have saved most: each endpoint's own requests of the last days,
as CloudWatch remembers them, replayed under its spec and under changed ones.

It runs here, not in the report's function: the simulator is no part of the stack.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from autoscaler.catalog.fit import DoesNotFitError
from autoscaler.catalog.instances import UnknownInstanceError
from autoscaler.ledger.figures import Advice, CostReport
from autoscaler.spec import EndpointSpec, SpecError, parse_spec
from tools.cli.history import History, TooLittleError, history_of, read_recorded
from tools.cli.simulation import Assumed, assumed_world
from tools.simulator.compare import NoPriceError
from tools.simulator.engine import simulate
from tools.simulator.fleet import always_on_copies
from tools.simulator.policies import OURS, Setting, make
from tools.simulator.results import Outcome
from tools.simulator.trace import Trace
from tools.simulator.world import World

DAYS = 14
SHOWN = 3
# A spec is replayed some eight times, each in a process; more cores than that bring nothing.
_WORKERS = max(2, min(8, os.cpu_count() or 2))
_LEAST_USD = 0.5  # over the history; less is no advice
_KEEP_ALIVES = (None, "5m", "10m", "20m")
_LEARNED = "learned"
_NO_WORLD = (NoPriceError, DoesNotFitError, UnknownInstanceError)


@dataclass(frozen=True)
class Change:
    """One field of a spec, before and after; `spec` has it."""

    field: str
    before: str
    after: str
    spec: EndpointSpec

    @property
    def words(self) -> str:
        return f"{self.field}: {self.before} → {self.after}"


def changes(spec: EndpointSpec) -> Iterator[Change]:
    """What one could do to spend less: sleep sooner, keep less, have fewer copies at most."""
    document = spec.model_dump(mode="json")
    scaling = document["scaling"]
    for keep in _KEEP_ALIVES:
        yield from _changed(document, ("scaling", "keep_alive"), keep)
    if scaling["min_copies"]:
        yield from _changed(document, ("scaling", "min_copies"), 0)
    if scaling["max_copies"] > 1:
        yield from _changed(document, ("scaling", "max_copies"), scaling["max_copies"] - 1)
    for number, window in enumerate(document["schedule"].get("windows", ())):
        if window.get("min_copies"):
            yield from _changed(document, ("schedule", "windows", number, "min_copies"), 0)


def advised(
    report: CostReport,
    cloudwatch: Any,
    stack: str,
    assumed: Assumed,
    now: datetime,
    begun: Callable[[str], None] = lambda _: None,
) -> tuple[CostReport, list[str]]:
    """The report with its three changes, and why an endpoint has none; botocore's errors pass.
    `begun` is told what is being done."""
    specs, notes = _specs(report)
    kinds = {name: spec.kind for name, spec in specs.items()}
    recorded = read_recorded(cloudwatch, stack, list(specs), now, DAYS, kinds)
    found: list[Advice] = []
    known = [endpoint for endpoint in report.endpoints if endpoint.name in specs]
    for number, endpoint in enumerate(known, 1):
        begun(f"replaying the requests of {endpoint.name} ({number} of {len(known)})")
        lead = endpoint.wakes.lead_p50_seconds
        try:
            trace = history_of("CloudWatch", recorded[endpoint.name], now)
            own = replace(assumed, lead_seconds=lead, start=trace.start)
            found += _of(specs[endpoint.name], trace, assumed_world(specs[endpoint.name], own), own)
        except TooLittleError as missing:
            notes.append(f"{endpoint.name}: {missing}")
        except _NO_WORLD as wrong:
            notes.append(f"{endpoint.name}: {wrong}")
    best = sorted(found, key=_worth, reverse=True)[:SHOWN]
    return report.model_copy(update={"advice": tuple(best)}), notes


def _worth(one: Advice) -> Decimal:
    """Dollars saved, less what the waiting that they cost is worth to the spec."""
    return one.saved_usd - one.waiting_usd


def _specs(report: CostReport) -> tuple[dict[str, EndpointSpec], list[str]]:
    specs: dict[str, EndpointSpec] = {}
    notes: list[str] = []
    for endpoint in report.endpoints:
        if endpoint.spec is None:
            continue
        try:
            specs[endpoint.name] = parse_spec(endpoint.spec)
        except SpecError as wrong:
            notes.append(f"{endpoint.name}: its file cannot be read by this command line: {wrong}")
    return specs, notes


def _of(spec: EndpointSpec, trace: History, world: World, assumed: Assumed) -> list[Advice]:
    """The best change of each field that is worth it."""
    fleet = always_on_copies(trace, world.concurrency_per_copy, world.max_copies)
    world = replace(world, initial_copies=0)
    wanted = list(changes(spec))
    with ProcessPoolExecutor(_WORKERS) as pool:
        runs = [
            pool.submit(_run, trace, world, Setting(one, fleet, assumed.start))
            for one in (spec, *(change.spec for change in wanted))
        ]
        present, *others = [run.result() for run in runs]
    best: dict[str, Advice] = {}
    for change, outcome in zip(wanted, others, strict=True):
        told = _told(spec, change, present, outcome, trace)
        known = best.get(change.field)
        if told and (known is None or _worth(told) > _worth(known)):
            best[change.field] = told
    return list(best.values())


def _run(trace: Trace, world: World, setting: Setting) -> Outcome:
    return simulate(trace, world, make(OURS, setting))


def _told(
    spec: EndpointSpec, change: Change, present: Outcome, other: Outcome, trace: History
) -> Advice | None:
    saved, waiting = present.usd - other.usd, other.waiting_usd - present.waiting_usd
    if saved < _LEAST_USD or saved <= waiting or other.lost > present.lost:
        return None
    days = trace.seconds / 86_400
    waits = f"95 % of requests wait up to {other.p95_seconds:,.0f} s instead of "
    sentence = (
        f"{spec.name}: {change.words} would have saved ${saved:,.2f} of ${present.usd:,.2f} in "
        f"{days:.1f} days; {waits}{present.p95_seconds:,.0f} s."
    )
    return Advice(
        endpoint=spec.name,
        change=change.words,
        saved_usd=_money(saved),
        days=round(days, 2),
        waiting_usd=_money(waiting),
        sentence=sentence,
    )


def _money(value: float) -> Decimal:
    return Decimal(str(round(value, 6)))


def _changed(
    document: Mapping[str, Any], path: Sequence[str | int], value: Any
) -> Iterator[Change]:
    """Nothing, if it is so already or would be no spec."""
    changed: Any = deepcopy(dict(document))
    part = changed
    for key in path[:-1]:
        part = part[key]
    before = part.get(path[-1])
    if before == value:
        return
    part[path[-1]] = value
    try:
        spec = parse_spec(changed)
    except SpecError:
        return
    names = [f"[{document['schedule']['windows'][key]['name']}]" if isinstance(key, int) else key
             for key in path]  # fmt: skip
    field = ".".join(names).replace(".[", "[")
    yield Change(field, _word(before), _word(value), spec)


def _word(value: Any) -> str:
    return _LEARNED if value is None else str(value)
