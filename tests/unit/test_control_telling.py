"""What happened is told although the bus took nothing at first, and people hear of it once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from autoscaler.alerts.events.registry import parse_event
from autoscaler.alerts.notify import Told, notify
from autoscaler.control import orders, overrides
from autoscaler.control.apply import apply
from autoscaler.control.awake import record_awake
from autoscaler.control.overrides import Asked
from autoscaler.control.plan import Setting
from autoscaler.control.progress import (
    NotYetError,
    record_asleep,
    record_failed,
    record_retired,
)
from autoscaler.control.reconcile import ReconcileError, reconcile
from autoscaler.control.telling import UNTOLD_KEPT, telling
from autoscaler.control.updating import record_update_failed, record_updated
from autoscaler.control.wishes import request_wake
from autoscaler.endpoints.status import Cause, EndpointStatus, Shape
from autoscaler.policy.types import Phase
from autoscaler.ports import Capacity, Flow
from tests.alerts_events import ONE_OF_EACH
from tests.alerts_office import MemoryOffice
from tests.memory import MemoryWorld, memory_world
from tests.samples import asleep, awake, document, put, spec

NAME = "llama"
SETTING = Setting("autoscaler", "UTC", "us-east-1", lambda _model, _revision: "c" * 40)
SHAPE = Shape(model_build=2)
Step = Callable[[MemoryWorld], object]

TOLD = (Told.SENT, Told.HELD)  # at once, or with others of its kind


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


def stored(world: MemoryWorld) -> EndpointStatus:
    return world.store.records[NAME].status


def heard(world: MemoryWorld) -> list[str]:
    """What people get to read of all that came over the bus."""
    office = MemoryOffice().office
    events = enumerate(world.announcer.events)
    return [e.detail_type for n, e in events if notify(e, office, f"m{n}") in TOLD]


def begin(world: MemoryWorld, status: EndpointStatus, copies: int) -> None:
    wanted = spec(NAME)
    zone = wanted.schedule.model_copy(update={"time_zone": "UTC"})
    put(world, status, wanted.model_copy(update={"schedule": zone}))
    world.scaler.settle(NAME, copies)


def updating(world: MemoryWorld) -> None:
    begin(world, awake(NAME), 1)
    apply(world, SETTING, document(NAME, serving={"context_tokens": 4096}))


def waking(world: MemoryWorld) -> None:
    begin(world, asleep(NAME, phase=Phase.WAKING, generation=2, wish_copies=1), 1)


def sleeping(world: MemoryWorld) -> None:
    begin(world, asleep(NAME, phase=Phase.SLEEPING, generation=2), 0)


def creating(world: MemoryWorld) -> None:
    begin(world, asleep(NAME, phase=Phase.CREATING, generation=2), 0)


CASES: dict[str, tuple[Step, Step]] = {
    "EndpointUpdated": (updating, lambda world: record_updated(world, NAME, 2, SHAPE, 1)),
    "UpdateFailed": (
        updating,
        lambda world: record_update_failed(world, NAME, 2, "UpdateFailed", "its container dies"),
    ),
    "EndpointAwoke": (waking, lambda world: record_awake(world, NAME, 2)),
    "EndpointSlept": (sleeping, lambda world: record_asleep(world, NAME, 2)),
    "CapacityMissing": (waking, lambda world: record_failed(world, NAME, 2, "WakeFailed", "none")),
    "EndpointFailed": (
        creating,
        lambda world: record_failed(world, NAME, 2, "StartFailed", "its container dies"),
    ),
    "WakeRequested": (
        lambda world: begin(world, asleep(NAME), 0),
        lambda world: orders.wake(world, NAME, "Ann"),
    ),
    "HoldSet": (
        lambda world: begin(world, awake(NAME), 1),
        lambda world: overrides.hold(
            world, NAME, 1, Asked(timedelta(hours=1), "a demo", "Ann", replace=True)
        ),
    ),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_the_bus_did_not_take_is_told_by_the_next_tick_and_heard_once(world, kind) -> None:
    prepare, step = CASES[kind]
    prepare(world)
    world.announcer.broken = True
    step(world)
    assert kind in [event.detail_type for event in world.announcer.refused], "the fault fired"
    assert world.announcer.events == []
    world.announcer.broken = False
    if kind != "HoldSet":  # a person's second order is another one
        step(world)  # as Step Functions repeats what was not acknowledged
    reconcile(world)
    reconcile(world)
    assert heard(world).count(kind) == 1
    assert stored(world).untold == ()


def test_an_endpoint_is_looked_after_while_the_bus_takes_nothing_and_the_tick_says_so(
    world,
) -> None:
    begin(world, asleep(NAME), 0)
    record = world.store.records[NAME]
    world.announcer.broken = world.flows.broken = True
    with pytest.raises(ConnectionError, match="the starter died"):
        request_wake(world, record, Cause.MESSAGE, 1, "A request is waiting.")
    world.flows.broken = False
    with pytest.raises(ReconcileError, match="the bus does not answer"):
        reconcile(world)
    assert world.flows.started == [(Flow.WAKE, NAME, 2)]
    world.announcer.broken = False
    reconcile(world)
    assert heard(world) == ["WakeRequested"]


def test_who_wrote_while_it_was_told_keeps_it_and_people_still_hear_of_it_once(world) -> None:
    told = next(event for event in ONE_OF_EACH if event.detail_type == "EndpointAwoke")
    put(world, telling(asleep(NAME), told))
    world.store.conflicts_to_come = 1
    reconcile(world)
    assert world.store.conflicts_to_come == 0, "the fault fired"
    assert len(stored(world).untold) == 1
    reconcile(world)
    assert world.announcer.kinds() == ["EndpointAwoke", "EndpointAwoke"]
    assert heard(world) == ["EndpointAwoke"]
    assert stored(world).untold == ()


def test_a_retired_endpoint_is_forgotten_only_when_that_is_told(world) -> None:
    put(world, asleep(NAME, phase=Phase.RETIRING, generation=2))
    world.scaler.capacities[NAME] = Capacity(exists=False)
    world.announcer.broken = True
    with pytest.raises(NotYetError, match="when the bus has taken"):
        record_retired(world, NAME, 2)
    assert [event.detail_type for event in world.announcer.refused] == ["EndpointRetired"]
    assert stored(world).phase is Phase.RETIRED
    world.announcer.broken = False
    assert record_retired(world, NAME, 2)
    assert world.store.records == {}
    assert world.announcer.kinds() == ["EndpointRetired"]


def test_what_a_retirement_could_not_forget_a_tick_forgets(world) -> None:
    """Its execution has given up: the bus took nothing for longer than it tries."""
    put(world, asleep(NAME, phase=Phase.RETIRING, generation=2))
    world.scaler.capacities[NAME] = Capacity(exists=False)
    world.announcer.broken = True
    with pytest.raises(NotYetError):
        record_retired(world, NAME, 2)
    with pytest.raises(ReconcileError):
        reconcile(world)
    assert stored(world).phase is Phase.RETIRED, "nobody was told"
    world.announcer.broken = False
    reconcile(world)
    assert world.announcer.kinds() == ["EndpointRetired"]
    assert world.store.records == {}


def test_what_the_table_did_not_forget_a_tick_forgets_and_it_is_told_once(
    world, monkeypatch
) -> None:
    """The table takes that it is retired, and then nothing for longer than its execution tries."""
    put(world, asleep(NAME, phase=Phase.RETIRING, generation=2))
    world.scaler.capacities[NAME] = Capacity(exists=False)

    def out(_status) -> None:
        raise TimeoutError("the table does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(world.store, "forget", out)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                record_retired(world, NAME, 2)
        with pytest.raises(ReconcileError, match="the table does not answer"):
            reconcile(world)
        assert stored(world).phase is Phase.RETIRED, "its name is not free"
    reconcile(world)
    assert heard(world) == ["EndpointRetired"]
    assert world.store.records == {}


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: event.detail_type)
def test_an_event_comes_back_from_the_table_as_it_was(event) -> None:
    text = telling(asleep(NAME), event).model_dump_json()
    (kept,) = EndpointStatus.model_validate_json(text).untold
    assert parse_event(kept.detail_type, kept.detail) == event


def test_of_many_the_newest_are_kept(world) -> None:
    event = ONE_OF_EACH[0]
    many = [event.model_copy(update={"generation": n}) for n in range(UNTOLD_KEPT + 3)]
    kept = telling(asleep(NAME), *many).untold
    assert [one.detail["generation"] for one in kept] == list(range(3, UNTOLD_KEPT + 3))
