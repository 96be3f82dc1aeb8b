"""What the flows do otherwise for a realtime or an async endpoint."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autoscaler.control.gaps import gaps
from autoscaler.control.plan import plan
from autoscaler.control.reconcile import reconcile
from autoscaler.control.size import plan_wake
from autoscaler.control.start import Verdict, look_at_start
from autoscaler.control.sweep import Kind as ResourceKind
from autoscaler.control.sweep import Resource
from autoscaler.endpoints.status import Cause, EndpointStatus
from autoscaler.policy.types import Hold, Phase
from autoscaler.ports import Capacity, Flow
from autoscaler.spec import Kind, SpecError
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, awake, document, put, spec
from tests.unit.test_control_apply import setting
from tests.unit.test_control_start import ONE, PATIENCE

NAME = "llama"
WHOLE = (Kind.REALTIME, Kind.ASYNC)
ABSENT = Capacity(exists=False)
AT_ZERO = Capacity(exists=True, status="InService")


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


def there(world: MemoryWorld, status: EndpointStatus, kind: Kind, capacity: Capacity) -> None:
    put(world, status, spec(NAME, kind=kind.value))
    world.scaler.capacities[NAME] = capacity


def after(world: MemoryWorld) -> EndpointStatus:
    reconcile(world)
    return world.store.records[NAME].status


STALE = {"observed_at": NOON - timedelta(hours=1)}


@pytest.mark.parametrize(
    ("kind", "capacity", "phase"),
    [
        (Kind.REALTIME, ABSENT, Phase.ASLEEP),
        (Kind.REALTIME, AT_ZERO, Phase.SLEEPING),  # left over: it is deleted
        (Kind.REALTIME, Capacity(exists=True, status="Failed"), Phase.SLEEPING),
        (Kind.ASYNC, AT_ZERO, Phase.ASLEEP),
        (Kind.ASYNC, ABSENT, Phase.FAILED),
        (Kind.COMPONENT, ABSENT, Phase.FAILED),
    ],
)
def test_asleep_what_is_no_drift_depends_on_the_kind(world, kind, capacity, phase) -> None:
    there(world, asleep(NAME, **STALE), kind, capacity)
    assert after(world).phase is phase


def test_asleep_and_looked_at_lately_a_realtime_endpoint_is_taken_to_be_gone(world) -> None:
    there(world, asleep(NAME), Kind.REALTIME, ABSENT)
    status = after(world)
    assert (status.phase, world.flows.started) == (Phase.ASLEEP, [])


@pytest.mark.parametrize(
    ("kind", "phase", "cause"),
    [
        (Kind.REALTIME, Phase.WAKING, Cause.DRIFT),
        (Kind.ASYNC, Phase.FAILED, Cause.DRIFT),
        (Kind.COMPONENT, Phase.FAILED, Cause.DRIFT),
    ],
)
def test_awake_and_gone_it_is_made_again_if_its_config_was_kept(world, kind, phase, cause) -> None:
    there(world, awake(NAME), kind, ABSENT)
    status = after(world)
    assert (status.phase, status.cause) == (phase, cause)


@pytest.mark.parametrize("phase", [Phase.SLEEPING, Phase.WAKING])
def test_on_its_way_a_realtime_endpoint_may_be_absent(world, phase) -> None:
    there(world, asleep(NAME, phase=phase, generation=3), Kind.REALTIME, ABSENT)
    assert after(world).phase is phase


def test_bounds_and_copies_are_moved_by_the_kind(world) -> None:
    there(
        world,
        awake(NAME, last_active_at=NOON),
        Kind.ASYNC,
        Capacity(exists=True, desired_copies=1, current_copies=1, status="InService"),
    )
    asked: list[Kind] = []
    real = world.scaler.set_bounds
    world.scaler.set_bounds = lambda name, bounds, kind: (  # type: ignore[method-assign]
        asked.append(kind),
        real(name, bounds, kind),
    )[1]
    held = world.store.records[NAME]
    hold = Hold(until=NOON + timedelta(hours=1), min_copies=2, reason="test", author="ada")
    world.store.records[NAME] = held.having(held.status.model_copy(update={"hold": hold}))
    reconcile(world)
    assert asked == [Kind.ASYNC]
    assert ("copies", NAME, 2) in world.scaler.calls


def start(world: MemoryWorld, capacity: Capacity, phase: Phase, kind: Kind) -> Verdict:
    status = asleep(NAME, phase=phase, generation=3, phase_since=NOON, wished_at=NOON)
    there(world, status, kind, capacity)
    return look_at_start(world, NAME, 3, 1, PATIENCE).verdict


@pytest.mark.parametrize(
    ("kind", "phase", "capacity", "verdict"),
    [
        (Kind.REALTIME, Phase.WAKING, ABSENT, Verdict.CREATE),
        # created, as SageMaker had it, and not there: its endpoint would bill for nothing
        (Kind.REALTIME, Phase.CREATING, ABSENT, Verdict.CREATE),
        (Kind.ASYNC, Phase.CREATING, ABSENT, Verdict.CREATE),
        (Kind.COMPONENT, Phase.CREATING, Capacity(False, status="InService"), Verdict.CREATE),
        (Kind.COMPONENT, Phase.CREATING, Capacity(True, status="Creating"), Verdict.WAIT),
        (Kind.REALTIME, Phase.WAKING, Capacity(True, status="Deleting"), Verdict.WAIT),
        (Kind.ASYNC, Phase.WAKING, ABSENT, Verdict.WAIT),
        (Kind.COMPONENT, Phase.WAKING, ABSENT, Verdict.WAIT),
        # an instance that still starts is counted already
        (Kind.ASYNC, Phase.WAKING, Capacity(True, 1, 1, ONE, "Updating"), Verdict.WAIT),
        (Kind.ASYNC, Phase.WAKING, Capacity(True, 1, 1, ONE, "InService"), Verdict.PROBE),
        (Kind.COMPONENT, Phase.WAKING, Capacity(True, 1, 1, ONE, "Updating"), Verdict.PROBE),
        (Kind.ASYNC, Phase.WAKING, AT_ZERO, Verdict.RAISE),
        (Kind.REALTIME, Phase.WAKING, Capacity(True, status="Failed"), Verdict.FAILED),
    ],
)
def test_a_start_is_judged_by_the_kind(world, kind, phase, capacity, verdict) -> None:
    assert start(world, capacity, phase, kind) is verdict


def test_what_cannot_be_made_again_is_given_up(world) -> None:
    status = asleep(NAME, phase=Phase.WAKING, generation=3, phase_since=NOON, wished_at=NOON)
    there(world, status, Kind.REALTIME, ABSENT)
    look_at_start(world, NAME, 3, 1, PATIENCE)
    world.clock.forward(minutes=16)
    assert look_at_start(world, NAME, 3, 1, PATIENCE).error == "NoCapacity"


def test_a_creation_that_makes_nothing_ends_in_time(world) -> None:
    """It was asked for again and again, while its endpoint had an instance."""
    nothing = Capacity(False, instances_by_type=ONE, status="InService")
    assert start(world, nothing, Phase.CREATING, Kind.COMPONENT) is Verdict.CREATE
    world.clock.forward(minutes=61)
    assert look_at_start(world, NAME, 3, 1, PATIENCE).error == "TooSlow"


def test_a_wake_is_planned_from_the_record_that_it_looked_at(world) -> None:
    status = asleep(NAME, phase=Phase.WAKING, generation=3, wish_copies=2)
    there(world, status, Kind.REALTIME, ABSENT)
    planned = plan_wake(world, NAME, 3)
    assert planned.record is not None
    assert (planned.copies, planned.record.spec.kind) == (2, Kind.REALTIME)


@pytest.mark.parametrize("phase", [Phase.AWAKE, Phase.ASLEEP, Phase.FAILED])
def test_another_kind_is_refused_with_the_way_there(world, phase) -> None:
    put(world, asleep(NAME, phase=phase))
    with pytest.raises(SpecError, match="kind: 'llama' is component and cannot become realtime"):
        plan(world, setting(), document(NAME, kind="realtime"))


def test_what_answers_too_late_is_no_fallback(world) -> None:
    put(world, asleep("slow"), spec("slow", kind="async"))
    with pytest.raises(SpecError, match="fallback: 'slow' is async and answers too late"):
        plan(world, setting(), document(NAME, fallback="slow"))


REST = {
    ResourceKind.QUEUE: Resource(ResourceKind.QUEUE, f"prod-{NAME}"),
    ResourceKind.MAPPING: Resource(ResourceKind.MAPPING, "1", parent=f"prod-{NAME}"),
}
ENDPOINT = Resource(ResourceKind.ENDPOINT, f"prod-{NAME}")
TARGET = Resource(ResourceKind.TARGET, f"endpoint/prod-{NAME}/variant/x", parent=f"prod-{NAME}")


@pytest.mark.parametrize(
    ("kind", "phase", "found", "lacks"),
    [
        (Kind.REALTIME, Phase.ASLEEP, (), []),
        (Kind.REALTIME, Phase.AWAKE, (), [ResourceKind.ENDPOINT]),
        (Kind.REALTIME, Phase.AWAKE, (ENDPOINT,), [ResourceKind.TARGET]),
        (Kind.REALTIME, Phase.AWAKE, (ENDPOINT, TARGET), []),
        (Kind.ASYNC, Phase.ASLEEP, (ENDPOINT, TARGET), []),
        (Kind.ASYNC, Phase.ASLEEP, (), [ResourceKind.ENDPOINT]),
        (
            Kind.COMPONENT, Phase.ASLEEP, (ENDPOINT, TARGET), [ResourceKind.COMPONENT],
        ),
    ],
)  # fmt: skip
def test_the_sweep_misses_what_the_kind_needs(world, kind, phase, found, lacks) -> None:
    there(world, asleep(NAME, phase=phase), kind, ABSENT)
    record = world.store.records[NAME]
    told = gaps([record], [*REST.values(), *found], "prod", NOON)
    assert [gap.lacks for gap in told] == lacks


def test_each_kind_has_its_own_flow_of_wakes_as_before(world) -> None:
    there(world, asleep(NAME, phase=Phase.WAKING, generation=3), Kind.REALTIME, ABSENT)
    reconcile(world)
    assert world.flows.started == [(Flow.WAKE, NAME, 3)]
