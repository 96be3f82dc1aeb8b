"""The sweep over ports in memory: what it does on trouble, when it speaks, what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.control.gaps import gaps
from autoscaler.control.sweep import Fleet, Kind, Orphan, Resource, Verdict, is_orphan
from autoscaler.control.sweeping import Look, Memory, Swept, inspect, remark, sweep
from autoscaler.endpoints.sharing import shared_labels
from autoscaler.endpoints.status import EndpointRecord
from autoscaler.endpoints.tags import STACK, labels
from autoscaler.policy.types import Phase
from autoscaler.ports import Flow, FlowReport, FlowState
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, awake, put, spec

LONG_AGO = NOON - timedelta(hours=10)


@dataclass
class MemoryAccount:
    resources: list[Resource] = field(default_factory=list)
    problems: tuple[str, ...] = ()
    refuses: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    on_describe: Any = None

    def look(self) -> Look:
        return Look(tuple(replace(one, tags=None) for one in self.resources), self.problems)

    def describe(self, resources: Sequence[Resource]) -> Look:
        if self.on_describe:
            self.on_describe()
        wanted = {(one.kind, one.name) for one in resources}
        return Look(tuple(one for one in self.resources if (one.kind, one.name) in wanted))

    def remove(self, resource: Resource) -> None:
        self.asked.append(resource.name)
        if resource.name in self.refuses:
            raise ConnectionError("AWS does not answer, as the test ordered")
        self.resources.remove(resource)


@dataclass
class StoredMemory:
    memory: Memory = field(default_factory=Memory)

    def load(self) -> Memory:
        return self.memory

    def save(self, memory: Memory) -> None:
        self.memory = memory


@dataclass
class Lab:
    world: MemoryWorld = field(default_factory=memory_world)
    account: MemoryAccount = field(default_factory=MemoryAccount)
    memory: StoredMemory = field(default_factory=StoredMemory)

    def sweep(self, cap: int = 3, **later: float) -> Swept:
        self.world.clock.forward(**later)
        return sweep(self.world, self.account, self.memory, "prod", cap)


def lost(kind: Kind = Kind.MODEL, name: str = "lost", **changes: Any) -> Resource:
    fields = {"created_at": LONG_AGO, "tags": labels("prod", name), **changes}
    return Resource(kind, f"prod-{name}", **fields)


def twice(lab: Lab) -> Swept:
    lab.sweep()
    return lab.sweep(hours=1)


def test_it_goes_when_two_sweeps_have_seen_it_and_not_before() -> None:
    lab = Lab(account=MemoryAccount([lost()]))
    assert lab.sweep().orphans[0].verdict is Verdict.SEEN_ONCE
    assert not lab.sweep(minutes=29).removed
    assert [one.name for one in lab.sweep(minutes=1).removed] == ["prod-lost"]
    assert lab.world.announcer.kinds() == ["OrphansFound", "OrphanRemoved"]


def test_one_that_was_made_anew_is_seen_for_the_first_time() -> None:
    lab = Lab(account=MemoryAccount([lost()]))
    lab.sweep()
    lab.account.resources = [lost(created_at=NOON - timedelta(hours=1))]
    assert not lab.sweep(hours=1).removed


def test_a_sweep_that_stood_still_for_hours_begins_anew() -> None:
    lab = Lab(account=MemoryAccount([lost()]))
    lab.sweep()
    assert not lab.sweep(hours=3).removed
    assert lab.sweep(hours=1).removed


def test_the_first_refusal_ends_the_removals_and_is_told() -> None:
    names = ("a", "b", "c")
    lab = Lab(account=MemoryAccount([lost(name=name) for name in names], refuses={"prod-b"}))
    done = twice(lab)
    assert lab.account.asked == ["prod-a", "prod-b"]
    assert [one.name for one in done.removed] == ["prod-a"]
    assert "model prod-b was not removed: AWS does not answer" in done.problems[0]


def test_an_endpoint_that_is_applied_in_the_middle_of_the_sweep_keeps_everything() -> None:
    lab = Lab(account=MemoryAccount([lost()]))
    lab.sweep()
    lab.account.on_describe = lambda: put(lab.world, asleep("lost", phase=Phase.CREATING))
    done = lab.sweep(hours=1)
    assert lab.account.asked == []
    assert "lost was applied meanwhile" in done.problems[0]


def shared_left() -> list[Resource]:
    """Machines that were shared, and nobody is left who does."""
    tags = shared_labels("prod", "pair")
    return [
        Resource(kind, name, created_at=LONG_AGO, tags=tags)
        for kind, name in (
            (Kind.ENDPOINT, "prod--pair"),
            (Kind.CONFIG, "prod--pair-12345678"),
        )
    ]


def test_machines_that_nobody_shares_go_although_an_endpoint_is_called_as_they_were() -> None:
    lab = Lab(account=MemoryAccount([*shared_left(), lost()]))
    put(lab.world, asleep("pair"))
    swept = twice(lab)
    assert swept.problems == ()
    assert sorted(lab.account.asked) == ["prod--pair", "prod--pair-12345678", "prod-lost"]


def test_machines_that_somebody_is_applied_to_in_the_middle_of_the_sweep_stay() -> None:
    lab = Lab(account=MemoryAccount(shared_left()))
    lab.sweep()
    machines = {"types": ["ml.g6e.12xlarge"], "shared": "pair", "max_instances": 2}
    applied: list[str] = []

    def apply_in_between() -> None:
        applied.append("llama")
        put(lab.world, asleep("llama"), spec("llama", instances=machines))

    lab.account.on_describe = apply_in_between
    swept = lab.sweep(hours=1)
    assert applied, "the fault did not fire"
    assert lab.account.asked == []
    assert "llama was applied meanwhile" in str(swept.problems)


@pytest.mark.parametrize("flow", [Flow.RETIRE, Flow.REMOVE])
def test_an_execution_that_still_runs_keeps_what_it_makes_or_removes(flow: Flow) -> None:
    lab = Lab(account=MemoryAccount([lost()]))
    lab.world.store.forgotten["lost"] = 7
    lab.world.flows.states[flow, "lost", 7] = FlowReport(FlowState.RUNNING)
    assert lab.sweep().orphans == ()
    lab.world.flows.end(flow, "lost", 7, FlowState.SUCCEEDED)
    assert len(lab.sweep().orphans) == 1


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.RETIRED])
def test_whatever_the_phase_an_endpoint_of_the_table_keeps_its_own(phase: Phase) -> None:
    lab = Lab(account=MemoryAccount([lost(), lost(Kind.QUEUE)]))
    put(lab.world, asleep("lost", phase=phase))
    assert lab.sweep().orphans == ()


def test_a_retired_endpoint_owns_nothing_any_more() -> None:
    lab = Lab(account=MemoryAccount([lost()]))
    put(lab.world, asleep("lost", phase=Phase.RETIRED))
    assert twice(lab).removed


def test_on_an_incomplete_look_nothing_goes_and_no_gap_is_told() -> None:
    lab = Lab(account=MemoryAccount([lost()]))
    put(lab.world, asleep("llama"))
    lab.sweep()
    lab.account.problems = ("queues could not be listed",)
    done = lab.sweep(hours=1)
    assert (done.orphans[0].verdict, done.gaps) == (Verdict.INCOMPLETE, ())
    lab.account.problems = ()
    assert lab.sweep(minutes=1).removed


def test_an_incomplete_look_forgets_nothing() -> None:
    lab = Lab(account=MemoryAccount([lost()]))
    lab.sweep()
    lab.account.resources, lab.account.problems = [], ("models could not be listed",)
    lab.sweep(hours=1)
    lab.account.resources, lab.account.problems = [lost()], ()
    assert lab.sweep(hours=1).removed
    assert lab.world.announcer.kinds().count("OrphansFound") == 1


def test_a_cap_of_zero_only_reports() -> None:
    lab = Lab(account=MemoryAccount([lost()]))
    lab.sweep()
    assert lab.sweep(cap=0, hours=1).orphans[0].verdict is Verdict.OVER_CAP
    assert lab.account.asked == []


def test_old_orphans_are_told_once_a_day_and_a_new_one_at_once() -> None:
    lab = Lab(account=MemoryAccount([lost(tags={})]))
    for _ in range(24):
        lab.sweep(hours=1)
    assert lab.world.announcer.kinds() == ["OrphansFound"]
    lab.sweep(hours=1)
    assert lab.world.announcer.kinds() == ["OrphansFound"] * 2
    lab.account.resources.append(lost(name="another", tags={}))
    lab.sweep(hours=1)
    assert len(lab.world.announcer.events) == 3
    assert len(lab.world.announcer.events[-1].lines) == 2


def test_what_nobody_could_be_told_of_was_seen_all_the_same() -> None:
    """The bus refused it: only what was told is as before, so that the next sweep tells it."""
    lab = Lab(account=MemoryAccount([lost(), lost(name="kept", tags={})]))
    lab.world.announcer.broken = True
    with pytest.raises(ConnectionError):
        lab.sweep()
    lab.world.announcer.broken = False
    assert [one.name for one in lab.sweep(hours=1).removed] == ["prod-lost"]
    assert lab.world.announcer.kinds() == ["OrphanRemoved", "OrphansFound"]


def test_of_many_orphans_those_that_cost_most_are_told_and_the_rest_counted() -> None:
    """EventBridge takes 256 KB."""
    rest = [lost(name=f"{number:0>60}", tags={}) for number in range(1_200)]
    machines = {"cheap": {"ml.g5.xlarge": 1}, "dear": {"ml.g5.xlarge": 8}, "unknown": {"x": 1}}
    bill = [lost(Kind.ENDPOINT, name, instances=each) for name, each in machines.items()]
    lab = Lab(account=MemoryAccount([*rest, *bill]))
    lab.sweep()
    (event,) = lab.world.announcer.events
    names = [line.name for line in event.lines]
    assert names[:3] == ["prod-unknown", "prod-dear", "prod-cheap"]
    assert len(names) + event.others == 1_203
    assert event.usd_per_hour == 9 * Decimal("1.408") and event.unpriced == 1
    assert len(event.model_dump_json()) < 50_000


def test_looking_remembers_and_says_nothing() -> None:
    lab = Lab(account=MemoryAccount([lost()]))
    inspect(lab.world, lab.account, lab.memory, "prod", 3)
    assert lab.memory.memory == Memory()
    assert lab.world.announcer.events == []


def test_what_it_costs_is_counted_by_type_and_an_unknown_price_is_said() -> None:
    known = Orphan(
        lost(Kind.ENDPOINT, instances={"ml.g5.xlarge": 2}, created_at=LONG_AGO), Verdict.FOREIGN
    )
    unknown = Orphan(lost(Kind.ENDPOINT, instances={"an unknown type": 1}), Verdict.FOREIGN)
    assert known.usd_per_hour == Decimal("2.816")
    assert known.usd_until(NOON) == Decimal("28.16")
    assert unknown.usd_per_hour is None and unknown.usd_until(NOON) is None
    swept = Swept(NOON, (known, unknown), (), ())
    assert (swept.usd_per_hour, swept.unpriced) == (Decimal("2.816"), 1)


def test_the_controllers_own_queue_has_the_tag_and_no_endpoint() -> None:
    fleet = Fleet("prod", frozenset())
    own = Resource(Kind.QUEUE, "prod-NotifyQueue-1", created_at=LONG_AGO, tags={STACK: "prod"})
    assert not is_orphan(own, fleet, NOON)
    assert is_orphan(replace(own, tags={}), fleet, NOON)


def test_a_scalable_target_goes_with_its_component() -> None:
    target = Resource(
        Kind.TARGET, "inference-component/prod-lost", parent="prod-lost", created_at=LONG_AGO
    )
    lab = Lab(account=MemoryAccount([target]))
    assert twice(lab).orphans[0].verdict is Verdict.WITH_COMPONENT


TO_DO = {
    Kind.ENDPOINT: "delete the endpoint and apply its file again",
    Kind.COMPONENT: "delete the endpoint and apply its file again",
    Kind.QUEUE: "nobody can send it requests: delete the endpoint and apply",
    Kind.MAPPING: "no request wakes it: delete the endpoint and apply",
    Kind.TARGET: "the next wake sets its bounds",
}


THERE = awake("llama", phase_since=LONG_AGO)


def of_llama() -> list[Resource]:
    """What it needs while it is awake."""
    base = {"created_at": LONG_AGO}
    return [
        Resource(Kind.ENDPOINT, "prod-llama", **base),
        Resource(Kind.COMPONENT, "prod-llama", parent="prod-llama", **base),
        Resource(Kind.QUEUE, "prod-llama", **base),
        Resource(Kind.MAPPING, "1-2-3", parent="prod-llama", **base),
        Resource(
            Kind.TARGET, "inference-component/prod-llama", parent="prod-llama", **base
        ),
    ]  # fmt: skip


def test_what_an_endpoint_lacks_is_told_with_what_to_do() -> None:
    record, everything = EndpointRecord(spec=spec(), status=THERE), of_llama()
    assert gaps([record], everything, "prod", NOON) == ()
    for missing in everything:
        found = [one for one in everything if one is not missing]
        lacks = {gap.lacks: gap.what_to_do for gap in gaps([record], found, "prod", NOON)}
        assert missing.kind in lacks
        assert TO_DO[missing.kind] in lacks[missing.kind]
    rests = record.having(asleep("llama", phase_since=LONG_AGO))
    assert gaps([rests], everything[:-1], "prod", NOON) == (), "asleep nothing scales it"
    young = record.having(record.status.model_copy(update={"phase_since": NOON}))
    assert gaps([young], [], "prod", NOON) == ()


@pytest.mark.parametrize(
    ("state", "lacks"),
    [
        ("Enabled", []),
        ("Enabling", []),
        ("Updating", []),
        ("Disabling", ["enabled event source mapping"]),
        ("Disabled", ["enabled event source mapping"]),
    ],
)
def test_a_reader_that_is_disabled_is_none(state: str, lacks: list[str]) -> None:
    record = EndpointRecord(spec=spec(), status=THERE)
    found = [replace(one, status=state) if one.kind is Kind.MAPPING else one for one in of_llama()]
    told = gaps([record], found, "prod", NOON)
    assert [gap.lacks for gap in told] == lacks
    assert all("--uuid 1-2-3 --enabled" in gap.command for gap in told)


def without(kind: Kind) -> list[Resource]:
    return [one for one in of_llama() if one.kind is not kind]


def test_a_new_gap_is_announced_at_once_and_an_old_one_once_a_day() -> None:
    lab = Lab(account=MemoryAccount(without(Kind.MAPPING)))
    put(lab.world, THERE)
    lab.world.clock.forward(hours=1)
    for _ in range(24):
        lab.sweep(hours=1)
    (event,) = lab.world.announcer.events
    assert (event.endpoint, event.lacks) == ("llama", "event source mapping")
    assert "no request wakes it" in event.what_to_do
    lab.sweep(hours=1)
    assert lab.world.announcer.kinds() == ["GapFound"] * 2
    lab.account.resources = [one for one in without(Kind.MAPPING) if one.kind is not Kind.TARGET]
    lab.sweep(hours=1)
    assert [one.lacks for one in lab.world.announcer.events[2:]] == ["scalable target"]
    lab.account.resources = of_llama()
    lab.sweep(hours=1)
    lab.account.resources = without(Kind.MAPPING)
    lab.sweep(hours=1)
    assert len(lab.world.announcer.events) == 4, "it was mended, and is a new one"


def test_a_look_that_was_incomplete_announces_no_gap_and_forgets_none() -> None:
    lab = Lab(account=MemoryAccount(without(Kind.MAPPING)))
    put(lab.world, THERE)
    lab.sweep(hours=1)
    lab.account.problems = ("queues could not be listed",)
    lab.sweep(hours=1)
    lab.account.problems = ()
    lab.sweep(hours=1)
    assert lab.world.announcer.kinds() == ["GapFound"]


def test_an_orphan_that_cannot_be_removed_does_not_silence_what_is_missing() -> None:
    """The look was complete: what fails is a removal, each hour."""
    lab = Lab(account=MemoryAccount([*without(Kind.MAPPING), lost()], refuses={"prod-lost"}))
    put(lab.world, THERE)
    lab.sweep(hours=1)
    assert lab.sweep(hours=1).problems
    lab.account.resources = [one for one in lab.account.resources if one.kind is not Kind.TARGET]
    assert lab.sweep(hours=1).problems
    lacks = [one.lacks for one in lab.world.announcer.events if one.detail_type == "GapFound"]
    assert lacks == ["event source mapping", "scalable target"]


def test_the_report_says_what_the_ledger_does_not_have() -> None:
    lab = Lab(account=MemoryAccount([lost(tags={})]))
    lab.sweep()
    assert remark(lab.memory.memory) is None, "nothing of it bills by the hour"
    lab.account.resources = [lost(Kind.ENDPOINT, instances={"ml.g5.xlarge": 2})]
    lab.sweep()
    assert remark(lab.memory.memory) == (
        "Not in these figures: instances that belong to no endpoint, seen 24 Nov 12:00 UTC at "
        "$2.82 an hour. `autoscaler sweep` shows them."
    )
