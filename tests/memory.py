"""The ports in memory, with a clock that stands still until it is moved.

They keep the promises that `ports` states (conditional writes, idempotent starts), so that the
flows can be tested without AWS; tests/contract runs the same checks over these and over moto.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from autoscaler.catalog.prices import PriceBook, bundled
from autoscaler.control.world import World
from autoscaler.endpoints.container_log import LogLine
from autoscaler.endpoints.learned import StoredPattern
from autoscaler.endpoints.stack_state import StackState
from autoscaler.endpoints.status import (
    EndpointRecord,
    EndpointStatus,
    HistoryEntry,
    Traffic,
    UsageSegment,
)
from autoscaler.policy.types import Bounds
from autoscaler.ports import (
    Capacity,
    ConflictError,
    Flow,
    FlowReport,
    FlowState,
    Load,
    Minute,
)
from autoscaler.spec import EndpointSpec, Kind

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@dataclass
class StandingClock:
    moment: datetime = NOON

    def now(self) -> datetime:
        return self.moment

    def forward(self, **duration: float) -> datetime:
        self.moment += timedelta(**duration)
        return self.moment


@dataclass
class MemoryStore:
    records: dict[str, EndpointRecord] = field(default_factory=dict)
    segments: list[UsageSegment] = field(default_factory=list)
    entries: list[HistoryEntry] = field(default_factory=list)
    counters: dict[tuple[str, datetime], Traffic] = field(default_factory=dict)
    failures: dict[tuple[str, str], int] = field(default_factory=dict)
    forgotten: dict[str, int] = field(default_factory=dict)
    conflicts_to_come: int = 0
    book: PriceBook = field(default_factory=bundled)
    state: StackState = field(default_factory=StackState)

    def load_all(self) -> list[EndpointRecord]:
        read = {"prices": self.book, "stack": self.state}
        return [r.model_copy(update=read) for r in self.records.values()]

    def stack(self) -> StackState:
        return self.state

    def save_stack(self, state: StackState) -> StackState:
        if state.version != self.state.version:
            raise ConflictError("the stack's settings were changed meanwhile")
        self.state = state.model_copy(update={"version": state.version + 1})
        return self.state

    def load(self, name: str) -> EndpointRecord | None:
        return next((r for r in self.load_all() if r.status.name == name), None)

    def prices(self) -> PriceBook:
        return self.book

    def keep_prices(self, book: PriceBook) -> None:
        self.book = book

    def create(self, spec: EndpointSpec, status: EndpointStatus) -> None:
        if status.name in self.records:
            raise ConflictError(status.name)
        self.records[status.name] = EndpointRecord(spec=spec, status=status)

    def save(
        self,
        status: EndpointStatus,
        *,
        spec: EndpointSpec | None = None,
        pattern: StoredPattern | None = None,
        segments: Sequence[UsageSegment] = (),
        entries: Sequence[HistoryEntry] = (),
    ) -> EndpointStatus:
        self._check(status)
        saved = status.model_copy(update={"version": status.version + 1})
        before = self.records[status.name]
        self.records[status.name] = EndpointRecord(
            spec=spec or before.spec,
            status=saved,
            pattern=pattern or before.pattern,
            deferrable_due_at=before.deferrable_due_at,
        )
        self.segments += segments
        self.entries += entries
        return saved

    def forget(self, status: EndpointStatus) -> None:
        self._check(status)
        del self.records[status.name]
        self.forgotten[status.name] = status.generation

    def last_generation(self, name: str) -> int:
        return self.forgotten.get(name, 0)

    def usage(self, start: datetime, end: datetime) -> list[UsageSegment]:
        return [s for s in self.segments if s.start < end and s.end > start]

    def history(self, name: str, limit: int = 50) -> list[HistoryEntry]:
        lines = [entry for entry in self.entries if entry.endpoint == name]
        return sorted(lines, key=lambda entry: entry.at, reverse=True)[:limit]

    def history_within(self, name: str, start: datetime, end: datetime) -> list[HistoryEntry]:
        lines = [e for e in self.entries if e.endpoint == name and start <= e.at < end]
        return sorted(lines, key=lambda entry: entry.at)

    def count_traffic(self, traffic: Traffic) -> None:
        key = (traffic.endpoint, traffic.start)
        before = self.counters.get(key, Traffic(endpoint=traffic.endpoint, start=traffic.start))
        names = set(Traffic.model_fields) - {"endpoint", "start", "hours"}
        sums = {name: getattr(before, name) + getattr(traffic, name) for name in names}
        self.counters[key] = before.model_copy(update=sums)

    def count_failure(self, name: str, message_id: str, now: datetime) -> int:
        self.failures[name, message_id] = self.failures.get((name, message_id), 0) + 1
        return self.failures[name, message_id]

    def note_due(self, name: str, due_at: datetime, now: datetime) -> None:
        record = self.records[name]
        known = record.deferrable_due_at
        if known is None or due_at < known or known < now:
            self.records[name] = record.model_copy(update={"deferrable_due_at": due_at})

    def forget_due(self, name: str, due_at: datetime) -> None:
        record = self.records[name]
        if record.deferrable_due_at == due_at:
            self.records[name] = record.model_copy(update={"deferrable_due_at": None})

    def traffic(self, start: date, end: date) -> list[Traffic]:
        return [t for t in self.counters.values() if start <= t.start.date() <= end]

    def _check(self, status: EndpointStatus) -> None:
        if self.conflicts_to_come:
            self.conflicts_to_come -= 1
            raise ConflictError("ordered by the test")
        current = self.records.get(status.name)
        if current is None or current.status.version != status.version:
            raise ConflictError(status.name)


@dataclass
class MemoryLoad:
    loads: dict[str, Load] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    in_sight: dict[str, int] = field(default_factory=dict)
    metrics_read: list[str] = field(default_factory=list)  # of whom, in order
    later_asked: list[str] = field(default_factory=list)  # likewise
    passed: dict[str, list[Minute]] = field(default_factory=dict)

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
        self.later_asked += [name for name in names if name not in unasked]
        idle = Load(backlog=0, concurrency_per_copy=0.0, invocations=0.0)
        found = {
            name: replace(load, deferrable=0) if name in unasked else load
            for name, load in ((name, self.loads.get(name, idle)) for name in names)
        }
        unread = {
            name
            for name in quiet
            if name in found and found[name].backlog == 0 and not found[name].deferrable
        }
        self.metrics_read += [name for name in names if name not in {*resting, *unread}]
        for name in {*names} - {*resting}:
            self._passes(name, found[name], now)
        return {
            name: Load(
                load.backlog,
                None,
                deferrable=load.deferrable,
                trouble=load.trouble,
                unread=name in unread,
            )
            if name in resting or name in unread
            else replace(load, minutes=self._minutes(name, (since or {}).get(name), now))
            for name, load in found.items()
        }

    def _passes(self, name: str, load: Load, now: datetime) -> None:
        """Metrics go on, whether they are read or not."""
        if load.concurrency_per_copy is not None:
            minute = Minute(now, load.concurrency_per_copy, load.invocations or 0.0)
            self.passed.setdefault(name, []).append(minute)

    def _minutes(self, name: str, since: datetime | None, now: datetime) -> tuple[Minute, ...]:
        if since is None:
            return ()
        return tuple(m for m in self.passed.get(name, ()) if since < m.end <= now)

    def backlog(self, name: str) -> int:
        return self.read([name], NOON)[name].backlog or 0

    def deferrable(self, name: str) -> int:
        return self.read([name], NOON)[name].deferrable

    def untaken(self, name: str) -> int:
        return self.in_sight.get(name, 0)

    def dead_letters(self, name: str) -> int:
        return self.refused.get(name, 0)


@dataclass
class MemoryScaler:
    """SageMaker in memory: `settle` makes what was asked for come true."""

    capacities: dict[str, Capacity] = field(default_factory=dict)
    calls: list[tuple[str, str, Any]] = field(default_factory=list)

    def look(self, name: str, kind: Kind = Kind.COMPONENT, shared: str = "") -> Capacity:
        return self.capacities.get(name, Capacity(exists=False))

    def set_bounds(self, name: str, bounds: Bounds, kind: Kind = Kind.COMPONENT) -> None:
        self.calls.append(("bounds", name, bounds))

    def set_copies(self, name: str, copies: int, kind: Kind = Kind.COMPONENT) -> None:
        self.calls.append(("copies", name, copies))
        self.capacities[name] = replace(self.look(name), desired_copies=copies)

    def settle(self, name: str, copies: int, instances: int | None = None) -> None:
        self.capacities[name] = Capacity(
            exists=True,
            desired_copies=copies,
            current_copies=copies,
            instances_by_type={"ml.g6e.xlarge": copies if instances is None else instances},
            status="InService",
        )


@dataclass
class MemoryFlows:
    states: dict[tuple[Flow, str, int], FlowReport] = field(default_factory=dict)
    started: list[tuple[Flow, str, int]] = field(default_factory=list)
    stopped: list[tuple[Flow, str, int]] = field(default_factory=list)
    broken: bool = False

    def start(self, flow: Flow, name: str, generation: int) -> None:
        if self.broken:
            raise ConnectionError("the starter died, as the test ordered")
        if (flow, name, generation) not in self.states:
            self.started.append((flow, name, generation))
            self.states[flow, name, generation] = FlowReport(FlowState.RUNNING)

    def look(self, flow: Flow, name: str, generation: int) -> FlowReport:
        return self.states.get((flow, name, generation), FlowReport(FlowState.ABSENT))

    def stop(self, flow: Flow, name: str, generation: int, why: str) -> None:
        if self.look(flow, name, generation).state is FlowState.RUNNING:
            self.end(flow, name, generation, FlowState.FAILED, why)
            self.stopped.append((flow, name, generation))

    def end(
        self, flow: Flow, name: str, generation: int, state: FlowState, cause: str = ""
    ) -> None:
        self.states[flow, name, generation] = FlowReport(state, cause)


@dataclass
class MemoryAnnouncer:
    events: list[Any] = field(default_factory=list)
    broken: bool = False
    refused: list[Any] = field(default_factory=list)

    def announce(self, event: Any) -> None:
        self.announce_all([event])

    def announce_all(self, events: Sequence[Any]) -> None:
        if self.broken:
            self.refused += events
            raise ConnectionError("the bus does not answer, as the test ordered")
        self.events += events

    def kinds(self) -> list[str]:
        return [event.detail_type for event in self.events]


@dataclass
class MemoryLogs:
    """What the containers said, all of one endpoint; `asked`: from when on it was read."""

    said: list[LogLine] = field(default_factory=list)
    asked: list[datetime] = field(default_factory=list)

    def say(self, at: datetime, *texts: str, stream: str = "copy") -> None:
        """Lines that follow each other by a second."""
        self.said += [
            LogLine(at + timedelta(seconds=n), stream, text) for n, text in enumerate(texts)
        ]

    def read(self, name: str, since: datetime, kind: Kind) -> list[LogLine]:
        self.asked.append(since)
        return [line for line in self.said if line.at >= since]


@dataclass
class MemoryReaders:
    """What each queue was given, in order; those `unmapped` have no reader."""

    given: list[tuple[str, int]] = field(default_factory=list)
    unmapped: set[str] = field(default_factory=set)
    later: list[tuple[str, bool]] = field(default_factory=list)
    busy: bool = False
    broken: bool = False

    def set(self, name: str, most: int) -> bool:
        if not self._answers() or name in self.unmapped:
            return False
        self.given.append((name, most))
        return True

    def read_later(self, name: str, wanted: bool) -> bool:
        if not self._answers():
            return False
        self.later.append((name, wanted))
        return True

    def _answers(self) -> bool:
        if self.broken:
            raise RuntimeError("Lambda does not answer")
        return not self.busy


class MemoryWorld(World):
    """A World whose every part the test can look into."""

    clock: StandingClock
    store: MemoryStore
    load: MemoryLoad
    scaler: MemoryScaler
    flows: MemoryFlows
    announcer: MemoryAnnouncer
    logs: MemoryLogs
    readers: MemoryReaders


def memory_world() -> MemoryWorld:
    return MemoryWorld(
        clock=StandingClock(),
        store=MemoryStore(),
        load=MemoryLoad(),
        scaler=MemoryScaler(),
        flows=MemoryFlows(),
        announcer=MemoryAnnouncer(),
        logs=MemoryLogs(),
        readers=MemoryReaders(),
    )
