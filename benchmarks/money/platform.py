"""SageMaker, the queue and the state machines of one endpoint, as the controller sees them, over
the simulator's cluster. The cluster bills by itself, from asking to gone; nothing here counts."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from autoscaler.control.awake import record_awake
from autoscaler.control.progress import NotYetError, record_asleep
from autoscaler.control.size import may_sleep, plan_wake
from autoscaler.control.start import Patience, Verdict, look_at_start
from autoscaler.policy.types import Bounds
from autoscaler.ports import Capacity, Flow, FlowState, Load
from autoscaler.replay.cluster import Cluster, Copy
from autoscaler.spec import Kind
from tests.memory import MemoryFlows, MemoryLoad, MemoryWorld

INSTANCE_TYPE = "ml.g6e.xlarge"
POLL_SECONDS = 15.0  # the template's PollSeconds
CALL_SECONDS = 1.0  # a Lambda and the calls that it makes
# Of a cold start: its machine is there (105 of 245 s, FACTS.md), then container and weights.
_SEEN_SHARE = 0.43
_PATIENCE = Patience(timedelta(minutes=15), timedelta(hours=1))
_MINUTE = 60.0


@dataclass
class Machines:
    """The scaler's port: what a description tells of the cluster now."""

    cluster: Cluster
    start: datetime
    calls: int = 0
    _gone: int = 0  # of the cluster's removed copies, those that are over for good
    _changed: float = 0.0

    def look(self, name: str, kind: Kind = Kind.COMPONENT, shared: str = "") -> Capacity:
        cluster, now = self.cluster, self.cluster.now
        there = [*cluster.copies.values(), *cluster.gone[self._gone :]]
        seen = sum(_seen_at(copy) <= now < copy.gone_at for copy in there)
        desired, serving = cluster.desired_copies, cluster.serving_copies
        return Capacity(
            exists=True,
            desired_copies=desired,
            current_copies=serving,
            instances_by_type={INSTANCE_TYPE: seen} if seen else {},
            status="InService" if desired == serving else "Updating",
            changed_at=self.start + timedelta(seconds=self._last_change(there, now)),
        )

    def set_bounds(self, name: str, bounds: Bounds, kind: Kind = Kind.COMPONENT) -> None:
        self.calls += 1

    def set_copies(self, name: str, copies: int, kind: Kind = Kind.COMPONENT) -> None:
        self.calls += 1
        self.cluster.scale(copies)

    def _last_change(self, there: Sequence[Copy], now: float) -> float:
        moments = (
            moment
            for copy in there
            for moment in (copy.asked_at, _seen_at(copy), copy.ready_at, copy.over_at, copy.gone_at)
        )
        self._changed = max((m for m in moments if m <= now), default=self._changed)
        gone = self.cluster.gone
        while self._gone < len(gone) and gone[self._gone].gone_at <= now:
            self._gone += 1
        return self._changed


def _seen_at(copy: Copy) -> float:
    return copy.asked_at + _SEEN_SHARE * (copy.ready_at - copy.asked_at)


@dataclass
class Demand(MemoryLoad):
    """The load's port: the queue and CloudWatch's minute before now."""

    cluster: Cluster | None = None

    def read(
        self,
        names: Sequence[str],
        now: datetime,
        kinds: Mapping[str, Kind] | None = None,
        resting: Collection[str] = (),
        quiet: Collection[str] = (),
        since: Mapping[str, datetime] | None = None,
        unasked: Collection[str] = (),
    ) -> Mapping[str, Load]:
        self.loads = {name: self._load(name in resting) for name in names}
        return super().read(names, now, kinds, resting, quiet, since, unasked)

    def _load(self, resting: bool) -> Load:
        cluster = self.cluster
        assert cluster is not None
        waiting, running, serving = cluster.waiting, cluster.in_flight, cluster.serving_copies
        if resting:
            return Load(waiting + running, None)
        came = cluster.arrived - bisect_left(cluster.trace.arrivals, cluster.now - _MINUTE)
        return Load(
            backlog=waiting + running,
            concurrency_per_copy=running / serving if serving else 0.0,
            invocations=float(came) if serving else 0.0,
            seconds_per_request=cluster.mean_service(),
            served_per_second=came / _MINUTE if serving else 0.0,
        )

    def backlog(self, name: str) -> int:
        return self._load(True).backlog or 0


@dataclass
class Machinery(MemoryFlows):
    """The state machines: each execution is a generator that yields the seconds it waits."""

    world: MemoryWorld | None = None
    dice: random.Random = field(default_factory=random.Random)
    running: list[tuple[float, int, Iterator[float], tuple[Flow, str, int]]] = field(
        default_factory=list
    )
    _begun: int = 0

    def start(self, flow: Flow, name: str, generation: int) -> None:
        fresh = (flow, name, generation) not in self.states
        super().start(flow, name, generation)
        if fresh:
            steps = {Flow.WAKE: self._wake, Flow.SLEEP: self._sleep}[flow](name, generation)
            self._begun += 1
            self.running.append((self._now(), self._begun, steps, (flow, name, generation)))

    def next_at(self) -> float:
        return min((one[0] for one in self.running), default=float("inf"))

    def run_due(self) -> None:
        """Carries out every step whose time has come."""
        due = [one for one in self.running if one[0] <= self._now()]
        self.running = [one for one in self.running if one[0] > self._now()]
        for _, number, steps, which in due:
            wait = next(steps, None)
            if wait is not None:
                self.running.append((self._now() + wait, number, steps, which))
            elif self.look(*which).state is FlowState.RUNNING:
                self.end(*which, FlowState.SUCCEEDED)

    def _wake(self, name: str, generation: int) -> Iterator[float]:
        yield self._call()
        world = self._world()
        plan = plan_wake(world, name, generation)
        if not plan.current:
            return
        verdict = Verdict.WAIT
        while verdict is not Verdict.PROBE:
            verdict = look_at_start(world, name, generation, plan.copies, _PATIENCE).verdict
            if verdict in (Verdict.OVERTAKEN, Verdict.FAILED):
                return
            if verdict is Verdict.RAISE:
                world.scaler.set_copies(name, plan.copies)
            yield self._call() + (POLL_SECONDS if verdict is not Verdict.PROBE else 0.0)
        record_awake(world, name, generation)

    def _sleep(self, name: str, generation: int) -> Iterator[float]:
        yield self._call()
        world = self._world()
        if not may_sleep(world, name, generation):
            return
        world.scaler.set_copies(name, 0)
        while True:
            yield self._call() + POLL_SECONDS
            try:
                record_asleep(world, name, generation)
            except NotYetError:
                continue
            return

    def _call(self) -> float:
        return self.dice.uniform(0.5, 1.5) * CALL_SECONDS

    def _world(self) -> MemoryWorld:
        assert self.world is not None
        return self.world

    def _now(self) -> float:
        machines = self._world().scaler
        assert isinstance(machines, Machines)
        return machines.cluster.now
