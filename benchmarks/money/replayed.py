"""One endpoint of the real controller on a recorded trace, in virtual time, with ticks that are
lost and doubled; beside it what the simulator's cluster billed."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path

from autoscaler.catalog.prices import bundled
from autoscaler.control.reconcile import reconcile
from autoscaler.control.waking import wake_for
from autoscaler.ledger.costs import summarize
from autoscaler.ledger.figures import CostReport
from autoscaler.ledger.periods import Period
from autoscaler.ledger.report import read_books
from autoscaler.policy.types import Bounds, Phase
from autoscaler.replay.cluster import Cluster
from autoscaler.replay.trace import Trace
from autoscaler.replay.world import COLD_START, Stage
from autoscaler.replay.world import World as Delays
from benchmarks.money.platform import INSTANCE_TYPE, Demand, Machinery, Machines
from tests.memory import MemoryWorld, memory_world
from tests.samples import asleep, put, spec
from tools.simulator.trace_file import load_trace

START = datetime(2026, 10, 5, tzinfo=UTC)  # a Monday
DAYS = 14
TICK_SECONDS = 60.0
_DAY = 86400.0
_DEAD_FROM_DAY = 2.6  # Wednesday afternoon
_DISPATCH_SECONDS = 0.5
_REST_SECONDS = 12 * 3600.0  # after the trace: until it sleeps


@dataclass(frozen=True)
class Plan:
    """One endpoint, and what befalls its ticks. `dead`: hours of each week without any tick."""

    trace: Path
    max_copies: int
    lost: float = 0.05
    doubled: float = 0.05
    dead_hours: float = 0.0
    days: float = DAYS
    seed: int = 1

    @property
    def name(self) -> str:
        return self.trace.name.removesuffix(".csv.gz")


@dataclass
class Ticks:
    """The scheduler's, by a seed; counts what it did."""

    plan: Plan
    due: int = 0
    lost: int = 0
    doubled: int = 0
    longest: float = 0.0  # seconds between two that came
    _last: float = 0.0

    def come(self, end: float) -> Iterator[float]:
        """The moments at which the function is called, in order."""
        dice = random.Random(f"{self.plan.name} {self.plan.seed}")
        ahead: list[float] = []
        number = 0
        while True:
            at = number * TICK_SECONDS + dice.uniform(0.0, 2.0)
            number += 1
            while ahead and ahead[0] <= at:
                yield ahead.pop(0)
            if at >= end + _REST_SECONDS:
                return
            self.due += 1
            if dice.random() < self.plan.lost or self._is_dead(at):
                self.lost += 1
                continue
            self.longest, self._last = max(self.longest, at - self._last), at
            yield at
            if dice.random() < self.plan.doubled:
                self.doubled += 1
                ahead = sorted([*ahead, at + dice.choice([0.0, dice.uniform(0.0, 30.0)])])

    def _is_dead(self, at: float) -> bool:
        """In the middle of its work."""
        of_week = at % (7 * _DAY) - _DEAD_FROM_DAY * _DAY
        return 0 <= of_week < self.plan.dead_hours * 3600


@dataclass
class OtherHand:
    """Takes a copy away in the middle of a time without ticks, as a scaling policy or a person may;
    what the controller does not do itself it can only find out."""

    moments: list[float]
    fired: int = 0

    @classmethod
    def of(cls, plan: Plan) -> OtherHand:
        weeks = range(ceil(plan.days / 7)) if plan.dead_hours else ()
        third = plan.dead_hours * 3600 / 3
        return cls([(7 * week + _DEAD_FROM_DAY) * _DAY + third for week in weeks])

    def next_at(self) -> float:
        return self.moments[0] if self.moments else float("inf")

    def act(self, cluster: Cluster) -> None:
        while self.moments and self.moments[0] <= cluster.now:
            self.moments.pop(0)
            if cluster.serving_copies:
                cluster.scale(cluster.desired_copies - 1)
                self.fired += 1


@dataclass(frozen=True)
class Day:
    """Instance-seconds of one UTC day (of a run of two days, one hour): billed by the cluster, and
    in the ledger."""

    label: str
    billed: float
    counted: float


@dataclass(frozen=True)
class Replayed:
    """What came out of one plan."""

    plan: Plan
    ticks: Ticks
    report: CostReport
    billed_usd: float
    days: tuple[Day, ...]
    wakes: int
    unseen: int  # changes by another hand while nobody looked

    @property
    def counted_usd(self) -> float:
        return float(self.report.total.cost.total)

    @property
    def error(self) -> float:
        """The ledger's against the bill; positive: too much."""
        return self.counted_usd / self.billed_usd - 1

    @property
    def worst(self) -> Day:
        return max(self.days, key=lambda day: abs(day.counted - day.billed))


def replay(plan: Plan) -> Replayed:
    """Runs the endpoint through the trace and until it sleeps."""
    trace = load_trace(plan.trace).until(plan.days * _DAY)
    world, cluster = _world(plan, trace)
    ticks, hand = Ticks(plan), OtherHand.of(plan)
    end = plan.days * _DAY
    for at in ticks.come(end):
        _until(world, cluster, hand, at)
        reconcile(world)
        if at > end and _rests(world, plan.name):
            break
    return _result(plan, world, cluster, ticks, hand)


def _world(plan: Plan, trace: Trace) -> tuple[MemoryWorld, Cluster]:
    stages = tuple(Stage(s.name, s.median_seconds, 0.15) for s in COLD_START)
    delays = Delays(cold_start=stages, max_copies=plan.max_copies, initial_copies=0, seed=plan.seed)
    cluster = Cluster(trace, delays, delays.release_seconds)
    bare = memory_world()
    bare.clock.moment = START
    machinery = Machinery(dice=random.Random(plan.seed))
    world = replace(
        bare, scaler=Machines(cluster, START), load=Demand(cluster=cluster), flows=machinery
    )
    machinery.world = world
    wanted = spec(plan.name, scaling={"max_copies": plan.max_copies})
    put(world, asleep(plan.name, at=START, bounds=Bounds(0, plan.max_copies)), wanted)
    return world, cluster


def _until(world: MemoryWorld, cluster: Cluster, hand: OtherHand, moment: float) -> None:
    """Everything that happens before the tick: copies, state machines, requests that wake it."""
    flows = world.flows
    assert isinstance(flows, Machinery)
    while True:
        message = _next_message(world, cluster)
        at = min(cluster.next_ready(), flows.next_at(), message, hand.next_at())
        if at >= moment:
            break
        _forward(world, cluster, max(at, cluster.now))
        hand.act(cluster)
        flows.run_due()
        if at == message:
            (record,) = world.store.load_all()
            wake_for(world, record)
    _forward(world, cluster, max(moment, cluster.now))


def _forward(world: MemoryWorld, cluster: Cluster, at: float) -> None:
    cluster.advance(at)
    world.clock.moment = START + timedelta(seconds=at)


def _next_message(world: MemoryWorld, cluster: Cluster) -> float:
    """When the dispatcher has the next request of an endpoint that has to be woken for it."""
    (record,) = world.store.records.values()
    if record.status.phase not in (Phase.ASLEEP, Phase.SLEEPING):
        return float("inf")
    arrivals = cluster.trace.arrivals
    index = bisect_right(arrivals, cluster.now - _DISPATCH_SECONDS)
    return arrivals[index] + _DISPATCH_SECONDS if index < len(arrivals) else float("inf")


def _rests(world: MemoryWorld, name: str) -> bool:
    status = world.store.records[name].status
    return status.phase is Phase.ASLEEP and not status.meters


def _result(
    plan: Plan, world: MemoryWorld, cluster: Cluster, ticks: Ticks, hand: OtherHand
) -> Replayed:
    now, price = world.clock.now(), bundled().usd_per_hour(INSTANCE_TYPE)
    assert price is not None
    period = Period.since(START, now)
    report = summarize(read_books(world.store, period), period, now, bundled())
    days = [
        Day(
            slot.slot.label,
            _billed_within(cluster, _seconds(slot.slot.start), _seconds(slot.slot.end)),
            float(slot.cost.total / price) * 3600,
        )
        for slot in report.slots
    ]
    return Replayed(
        plan=plan,
        ticks=ticks,
        report=report,
        billed_usd=cluster.billed_seconds(cluster.now) / 3600 * float(price),
        days=tuple(days),
        wakes=report.total.wakes.count,
        unseen=hand.fired,
    )


def _seconds(moment: datetime) -> float:
    return (moment - START).total_seconds()


def _billed_within(cluster: Cluster, start: float, end: float) -> float:
    """Seconds from asking to gone of every copy, cut at both ends."""
    return sum(
        max(0.0, min(end, copy.gone_at, cluster.now) - max(start, copy.asked_at))
        for copy in cluster.all_copies()
    )
