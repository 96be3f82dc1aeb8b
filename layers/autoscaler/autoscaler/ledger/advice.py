"""The changes of specs that would have saved most: each endpoint's own requests of the last days
replayed under its spec and under changed ones.

Who calls says how replays are run: one after the other in a function, several at once on a machine
with cores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from math import inf

from ..catalog.fit import DoesNotFitError
from ..catalog.instances import UnknownInstanceError
from ..replay.assumed import Assumed, NoPriceError, assumed_world
from ..replay.changes import Change, changes
from ..replay.engine import simulate
from ..replay.history import History, Recorded, TooLittleError, history_of
from ..replay.ours import Ours
from ..replay.results import Outcome
from ..replay.world import World
from ..spec import EndpointSpec, SpecError, parse_spec
from .advised import noted
from .figures import Advice, CostReport, EndpointCosts

DAYS = 14
SHOWN = 3
NOTHING = "No change of a spec would have saved anything worth its waiting."
_LEAST_USD = 0.5  # over the history; less is no advice
_MOST_NAMES = 5


@dataclass(frozen=True)
class Trial:
    """A history under a spec, in the world of its endpoint."""

    trace: History
    world: World
    spec: EndpointSpec


Replays = Callable[[Sequence[Trial]], Sequence[Outcome]]
"""Runs trials, in their order; raises NoTimeError."""

RecordedOf = Callable[[EndpointSpec], Recorded]
"""Reads what was asked of an endpoint in the last `DAYS`: of hundreds at once it fills a memory."""


class NoTimeError(Exception):
    """What is asked for cannot be done in the time that is left; the message says what would."""


class TooManyError(Exception):
    """A history is longer than may be replayed where this runs."""

    def __init__(self, most: float) -> None:
        super().__init__(
            f"more than {most:,.0f} requests are not replayed here; `autoscaler report --advice` "
            "has it"
        )


_NO_WORLD = (NoPriceError, DoesNotFitError, UnknownInstanceError)
_NOT_ADVISED = (TooLittleError, TooManyError, *_NO_WORLD)


def replayed(trial: Trial) -> Outcome:
    """From zero copies on."""
    return simulate(trial.trace, trial.world, Ours(trial.spec, trial.trace.start))


def advised(
    report: CostReport,
    recorded_of: RecordedOf,
    assumed: Assumed,
    now: datetime,
    replays: Replays,
    begun: Callable[[str], None] = lambda _: None,
    most_requests: float = inf,
) -> tuple[CostReport, dict[str, str]]:
    """The report with its three changes, dearest endpoints first, and why which endpoint has none;
    its notes say so too. `begun` is told what is being done; what `recorded_of` raises passes."""
    specs, missing = _specs(report)
    known = sorted((e for e in report.endpoints if e.name in specs), key=_dearest)
    found: list[Advice] = []
    over: str | None = None
    for number, endpoint in enumerate(known, 1):
        if over is not None:
            missing[endpoint.name] = over
            continue
        begun(f"replaying the requests of {endpoint.name} ({number} of {len(known)})")
        try:
            recorded = recorded_of(specs[endpoint.name])
            if recorded.count > most_requests:
                raise TooManyError(most_requests)
            trace = history_of("CloudWatch", recorded, now)
            own = replace(assumed, lead_seconds=endpoint.wakes.lead_p50_seconds)
            found += _of(specs[endpoint.name], trace, own, replays)
        except NoTimeError as why:
            missing[endpoint.name] = over = str(why)
        except _NOT_ADVISED as why:
            missing[endpoint.name] = str(why)
    best = sorted(found, key=_worth, reverse=True)[:SHOWN]
    said = list(_reasons(missing))
    said += [] if best or len(missing) >= len(report.endpoints) else [NOTHING]
    return noted(report.model_copy(update={"advice": tuple(best)}), said), missing


def _reasons(missing: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each reason, with the endpoints that it holds back."""
    for why in dict.fromkeys(missing.values()):
        names = [name for name, its in missing.items() if its == why]
        more = len(names) - _MOST_NAMES
        named = ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
        yield f"No advice for {named}: {why}."


def _dearest(endpoint: EndpointCosts) -> tuple[Decimal, str]:
    return -endpoint.cost.total, endpoint.name


def _worth(one: Advice) -> Decimal:
    """Dollars saved, less what the waiting that they cost is worth to the spec."""
    return one.saved_usd - one.waiting_usd


def _specs(report: CostReport) -> tuple[dict[str, EndpointSpec], dict[str, str]]:
    specs: dict[str, EndpointSpec] = {}
    missing: dict[str, str] = {}
    for endpoint in report.endpoints:
        if endpoint.spec is None:
            continue
        try:
            specs[endpoint.name] = parse_spec(endpoint.spec)
        except SpecError as wrong:
            missing[endpoint.name] = f"its file cannot be read by this release: {wrong}"
    return specs, missing


def _of(spec: EndpointSpec, trace: History, assumed: Assumed, replays: Replays) -> Iterator[Advice]:
    """The best change of each field that is worth it."""
    world = replace(assumed_world(spec, assumed), initial_copies=0)
    wanted = list(changes(spec))
    specs = (spec, *(change.spec for change in wanted))
    present, *others = replays([Trial(trace, world, one) for one in specs])
    best: dict[str, Advice] = {}
    for change, outcome in zip(wanted, others, strict=True):
        told = _told(spec, change, present, outcome, trace)
        known = best.get(change.field)
        if told and (known is None or _worth(told) > _worth(known)):
            best[change.field] = told
    yield from best.values()


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
