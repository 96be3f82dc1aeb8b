"""What the controller itself costs in a month with ten endpoints.

The embedded account runs the real stack with ten endpoints through minutes asleep, a wake, minutes
awake and a sleep; what AWS would bill of it is counted. How often that happens in a month is what
the policy does in the simulator on recorded traffic. Requests come straight to the endpoints, as
chats do: what the dispatcher does for queued ones is their sender's, and in docs/costs.md.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from autoscaler.control.awake import COLD_STARTS_KEPT
from autoscaler.endpoints.bursts import LEAST_COPIES
from autoscaler.endpoints.scaling import TRACKING_ALARMS_PER_ENDPOINT
from autoscaler.ledger.advice import DAYS
from autoscaler.ledger.controller import ControllerCost, ControllerUsage, controller_cost
from autoscaler.ledger.metric_hours import OF_THE_STACK
from autoscaler.ledger.metrics_read import PER_LOOK
from autoscaler.ledger.own_use import POLLS_PER_SECOND
from autoscaler.ports import ConflictError
from autoscaler.replay.changes import changes
from autoscaler.replay.engine import simulate
from autoscaler.replay.ours import Ours
from autoscaler.replay.results import Outcome
from autoscaler.runtime.replays import RESERVE_SECONDS
from autoscaler.spec import Kind
from benchmarks.money.counted import TICKS, Counts, alarms
from benchmarks.policy.runs import DEFAULT, the_spec, the_world
from benchmarks.policy.sources import Source, prepared
from benchmarks.staging.figures import Figure, at_most
from tests.embedded.stack import Stack, deployed
from tests.histories.conftest import few_files
from tests.histories.entered import entered
from tests.histories.forks import in_copy
from tests.histories.world import world
from tools.embedded.sagemaker import SimSettings
from tools.hub.server import HubServer

ENDPOINTS = 10
ASKED_USD = 15.0
MONTH_SECONDS = 30.44 * 86400
TICK_SECONDS = 60.0
_MEASURED_SECONDS = 1800.0  # simulated, asleep and awake
_PATIENCE_SECONDS = 400.0
# Slow enough that a wake is not longer than a real one because the machine is busy.
_SPEED = 20.0
_CYCLES = 3  # a wake and its sleep
_THINNED = "thinned to 40 %"
_DAYS, _WEEKS = MONTH_SECONDS / 86400, MONTH_SECONDS / 86400 / 7
# What is scheduled beside the tick and the alerts: function, order, and times a month.
ROUNDS: tuple[tuple[str, Mapping[str, object], float], ...] = (
    ("report-costs", {"period": "day"}, _DAYS),
    ("report-costs", {"period": "week", "advice": True}, _WEEKS),
    ("report-costs", {"period": "month", "advice": True}, 1.0),
    ("sweep-account", {"sweep": "remove"}, 24 * _DAYS),
    ("refresh-prices", {}, _DAYS),
)
# A report's replays end with its function's time, what is kept for writing it left out.
_MOST_REPLAY_SECONDS = 900.0 - RESERVE_SECONDS
_REPORT_GB = 1769 / 1024
TRACES = Path("../shared/data/traces")
# Ten endpoints: each recorded fortnight and day of chats, and three of the fortnights thinned out.
TRAFFIC: tuple[tuple[str, str], ...] = (
    ("chat-2w-busy", ""),
    ("chat-2w-nights-off", ""),
    ("chat-2w-trickle", ""),
    ("chat-2w-weekday", ""),
    ("r1-bursty", ""),
    ("r1-office-hours", ""),
    ("r1-sparse", ""),
    ("chat-2w-nights-off", _THINNED),
    ("chat-2w-trickle", _THINNED),
    ("chat-2w-weekday", _THINNED),
)
# What AWS gives every account each month, not only in its first year ("Always free" on the price
# pages of Lambda, Step Functions, SQS, CloudWatch and EventBridge Scheduler). Whoever uses
# these services for more than this has spent them already.
ALLOWANCES = {
    "lambda_requests": 1_000_000,
    "lambda_gb_seconds": 400_000,
    "state_transitions": 4_000,
    "alarms": 10,
    "queue_requests": 1_000_000,
    "metric_hours": 10 * 730.5,
    "log_gb": 5,
    "schedule_calls": 14_000_000,
}


@dataclass(frozen=True)
class Month:
    """What ten endpoints do in one, all together."""

    wakes: float
    awake_seconds: float
    looks: float  # at which metrics are read
    scaled_seconds: float  # awake, of endpoints that may have a second copy
    scaled: int  # such endpoints
    bursting_seconds: float  # the same of a third one
    bursting: int
    transitions: float  # of its wakes and sleeps
    replay_seconds: float  # of a core, of one report's advice

    @property
    def looks_a_minute(self) -> float:
        return self.looks / (self.awake_seconds / 60)


@dataclass(frozen=True)
class Unit:
    """Counts: of a tick with all asleep, of a minute of one that is awake, of a wake with its
    sleep beside these minutes, of the rounds of a month; the alarms of all asleep, and the stack's
    secrets."""

    tick: Mapping[str, float]
    awake_minute: Mapping[str, float]
    cycle: Mapping[str, float]
    rounds: Mapping[str, float]
    asleep_alarms: Mapping[str, float]
    secrets: int


def figures() -> list[Figure]:
    month = simulated(TRAFFIC)
    unit = measured(month.scaled, month.bursting)
    usage = used(month, unit)
    cost = controller_cost(usage, Decimal(1))
    billed = controller_cost(beyond_allowances(usage), Decimal(1))
    return [
        Figure("month of ten endpoints: wakes", f"{month.wakes:,.0f}"),
        Figure("  hours awake, of each", f"{month.awake_seconds / 3600 / ENDPOINTS:,.0f}"),
        Figure("  looks at metrics, of its minutes", f"{month.looks_a_minute:.2f}"),
        Figure("  seconds of a core for a report's advice", f"{month.replay_seconds:,.0f}"),
        Figure("  transitions of a wake and its sleep", f"{month.transitions / month.wakes:.0f}"),
        *_lines(cost),
        at_most("controller, list prices", float(cost.total_usd), ASKED_USD, "${:.2f}"),
        at_most("  beyond AWS's allowances", float(billed.total_usd), ASKED_USD, "${:.2f}"),
        Figure("  not counted", ", ".join(cost.unknown) or "nothing"),
    ]


def beyond_allowances(usage: ControllerUsage) -> ControllerUsage:
    """What an account is billed that uses its allowances for nothing else."""
    left = {
        name: max(Decimal(0), getattr(usage, name) - Decimal(str(free)))
        for name, free in ALLOWANCES.items()
    }
    return usage.model_copy(update=left)


def _lines(cost: ControllerCost) -> Iterable[Figure]:
    for line in cost.lines:
        if line.usd is not None and line.count is not None:
            yield Figure(f"  {line.item}", f"{line.count:,.0f}: ${line.usd:.2f}")


def simulated(traffic: Sequence[tuple[str, str]]) -> Month:
    """The month in which each goes on as it was recorded."""
    each = [_simulated(name, change) for name, change in traffic]
    states = states_of({one.copies for one in each})
    scaled = [one for one in each if one.copies >= 2]
    bursting = [one for one in each if one.copies >= LEAST_COPIES]
    return Month(
        wakes=sum(one.wakes for one in each),
        awake_seconds=sum(one.awake_seconds for one in each),
        looks=sum(one.looks for one in each),
        scaled_seconds=sum(one.awake_seconds for one in scaled),
        scaled=len(scaled),
        bursting_seconds=sum(one.awake_seconds for one in bursting),
        bursting=len(bursting),
        transitions=sum(one.wakes * states[one.copies] for one in each),
        replay_seconds=min(_MOST_REPLAY_SECONDS, sum(one.replay_seconds for one in each)),
    )


def states_of(copies: Iterable[int]) -> dict[int, float]:
    """States of a wake with its sleep, by the most copies. On a clock that runs while the machine
    is busy fewer of them are looks, so they are counted where time stands still. A wake takes as
    long there as in the month, in which nothing is cached."""
    found, usual = {}, SimSettings()
    starts = replace(usual, cached_container=usual.container, cached_weights=usual.weights)
    with HubServer([few_files()]) as hub, world(hub.endpoint, starts) as made:
        for most in sorted(copies):
            work = partial(entered, made, Kind.COMPONENT, most, _CYCLES)
            found[most] = in_copy(work).of_a_round
    return found


@dataclass(frozen=True)
class _Endpoint:
    """What one of them does in the month."""

    copies: int  # at most
    wakes: float
    awake_seconds: float
    looks: float
    replay_seconds: float


def _simulated(name: str, change: str) -> _Endpoint:
    trace, fleet = prepared(Source(TRACES / f"{name}.csv.gz", change))
    spec = the_spec(fleet, DEFAULT)
    ours = Ours(spec)
    began = time.process_time()
    outcome = simulate(trace, the_world(fleet, DEFAULT), ours)
    took = time.process_time() - began
    times = MONTH_SECONDS / outcome.end_seconds
    replays = 1 + len(list(changes(spec)))
    return _Endpoint(
        copies=spec.highest_max_copies,
        wakes=outcome.wakes * times,
        awake_seconds=awake_seconds(outcome) * times,
        looks=ours.metrics_read * times,
        replay_seconds=replays * took * DAYS * 86400 / outcome.end_seconds,
    )


def awake_seconds(outcome: Outcome) -> float:
    """Seconds in which a copy was asked for or served."""
    ends = [point.at for point in outcome.points[1:]] + [outcome.end_seconds]
    return sum(
        end - point.at
        for point, end in zip(outcome.points, ends, strict=True)
        if point.desired or point.serving
    )


def used(month: Month, unit: Unit) -> ControllerUsage:
    """The counts of the month."""
    minutes, ticks = month.awake_seconds / 60, MONTH_SECONDS / TICK_SECONDS
    sums: Counter[str] = Counter()
    for part, times in (
        (unit.tick, ticks),
        (unit.awake_minute, minutes),
        (unit.cycle, month.wakes),
        (unit.rounds, 1),
    ):
        sums.update({name: count * times for name, count in part.items()})
    # The queue of each endpoint's requests, and of the alerts.
    sums["queue_requests"] += (ENDPOINTS + 1) * float(POLLS_PER_SECOND) * MONTH_SECONDS
    # The tick's and the alerts', and those of the rounds.
    sums["schedule_calls"] = 2 * ticks + sum(times for *_, times in ROUNDS)
    # The stack that was measured is young, and has nothing to replay.
    advised = sum(times for _, order, times in ROUNDS if order.get("advice"))
    sums["lambda_gb_seconds"] += advised * month.replay_seconds * _REPORT_GB
    # The stack's minutes awake had no traffic: with it metrics are read as the simulated looks say,
    # and a look that reads them is stored in any case.
    before = unit.awake_minute["metrics_read"] / PER_LOOK
    share = month.looks_a_minute
    sums["metrics_read"] += (share - before) * minutes * PER_LOOK
    stored = unit.awake_minute["table_writes"] * minutes
    sums["table_writes"] += stored * (_stored(share) / _stored(before) - 1)
    sums["state_transitions"] = month.transitions
    sums["traces"] = 0  # the parameter Tracing is off by default
    sums["alarms"] = unit.asleep_alarms["alarms"]
    tracking = month.scaled_seconds * TRACKING_ALARMS_PER_ENDPOINT
    sums["high_resolution_alarms"] = (tracking + month.bursting_seconds) / MONTH_SECONDS
    # Answers and wakes for requests in every hour: the most that there can be.
    sums["metric_hours"] = MONTH_SECONDS / 3600 * (OF_THE_STACK + 2)
    sums["secrets"] = unit.secrets
    del sums[TICKS]
    return ControllerUsage(**{name: Decimal(f"{count:.3f}") for name, count in sums.items()})


def _stored(share: float) -> float:
    """Looks that write what they saw, of all; `share` of them read metrics. Of the others each
    second one does."""
    return share + (1 - share) / 2


def measured(scaled: int, bursting: int) -> Unit:
    """Runs the stack as it is deployed by default; so many of its endpoints may have a second copy,
    and a third one."""
    names = [f"money-{number}" for number in range(ENDPOINTS)]
    with (
        TemporaryDirectory() as folder,
        deployed(Path(folder), token=None, speed=_SPEED) as stack,
    ):
        counts = Counts(stack)
        secrets = len(stack.account.boto("secretsmanager").list_secrets()["SecretList"])
        for number, name in enumerate(names):
            copies = 3 if number < bursting else 2 if number < scaled else 1
            scaling = {"max_copies": copies, "keep_alive": "12h"}
            assert stack.apply(name, scaling=scaling)["ok"]
        _all(stack, names, "AWAKE")
        # What is counted is not the first wake: of one in a month it is known how long it takes.
        for command, phase in (("sleep", "ASLEEP"), ("wake", "AWAKE"), ("sleep", "ASLEEP")):
            _order(stack, command, names)
            _all(stack, names, phase)
        for name in names:
            _grown_old(stack, name)
        asleep_alarms = alarms(stack)
        assert not asleep_alarms["high_resolution_alarms"]
        tick = _rate(stack, counts)
        with counts.of() as wake:
            _order(stack, "wake", names)
            _all(stack, names, "AWAKE")
        # Those of target tracking the embedded account's scaling does without.
        assert alarms(stack) - asleep_alarms == Counter(high_resolution_alarms=bursting)
        awake = _rate(stack, counts)
        with counts.of() as sleep:
            _order(stack, "sleep", names)
            _all(stack, names, "ASLEEP")
        rounds = _rounds(stack, counts, tick)
    minute = {name: max(0.0, awake[name] - tick[name]) / ENDPOINTS for name in awake}
    # What starts is awake in the month too, and its minutes are counted there: not twice.
    cycle = {
        name: max(
            0.0,
            wake[name]
            + sleep[name]
            - tick[name] * (wake[TICKS] + sleep[TICKS])
            - minute.get(name, 0.0) * ENDPOINTS * wake[TICKS],
        )
        / ENDPOINTS
        for name in {*wake, *sleep}
    }
    return Unit(tick, minute, cycle, rounds, asleep_alarms, secrets)


def _rounds(stack: Stack, counts: Counts, tick: Mapping[str, float]) -> Counter[str]:
    """What is scheduled beside the tick, each once, and counted for a month."""
    found: Counter[str] = Counter()
    for function, order, times in ROUNDS:
        with counts.of() as one:
            answer = stack.account.boto("lambda").invoke(
                FunctionName=f"autoscaler-{function}", Payload=json.dumps(order).encode()
            )
            assert "FunctionError" not in answer, answer["Payload"].read()
        for name in set(one) - {TICKS}:
            found[name] += max(0.0, one[name] - tick.get(name, 0.0) * one[TICKS]) * times
    return found


def _grown_old(stack: Stack, name: str) -> None:
    """Gives an endpoint the history that it has in the middle of a month: what is stored of it at
    each second look is twice as long then, and paid for by the KB."""
    store = stack.store()
    for _ in range(10):
        record = store.load(name)
        assert record is not None and record.status.cold_starts
        starts = (record.status.cold_starts * COLD_STARTS_KEPT)[:COLD_STARTS_KEPT]
        try:
            store.save(record.status.model_copy(update={"cold_starts": starts}))
        except ConflictError:
            continue
        return
    raise AssertionError(f"{name} was written by somebody else each time")


def _rate(stack: Stack, counts: Counts) -> Counter[str]:
    """Counts of a tick: on a busy machine there are fewer than one a simulated minute."""
    began = stack.account.clock.time()
    with counts.of() as found:
        while stack.account.clock.time() - began < _MEASURED_SECONDS:
            time.sleep(0.2)
    return Counter({name: count / found[TICKS] for name, count in found.items()})


def _order(stack: Stack, command: str, names: Iterable[str]) -> None:
    for name in names:
        answer = stack.command(command, endpoint=name)
        assert answer["ok"], answer


def _all(stack: Stack, names: Iterable[str], phase: str) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    left = set(names)
    while left:
        assert time.monotonic() < end, f"{left} did not get {phase}"
        left -= {name for name in left if stack.get(name)["phase"] == phase}
        time.sleep(0.5)
