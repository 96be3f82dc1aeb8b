"""What a wake's machines are booked as: those that came, those that did not, and those that were
still there."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest

from autoscaler.catalog.prices import usd_per_hour
from autoscaler.control.awake import record_awake
from autoscaler.control.kill_switch import stop
from autoscaler.control.metering import running, settled
from autoscaler.control.progress import record_failed, record_shaped
from autoscaler.control.size import plan_wake
from autoscaler.control.spent import spent_this_month
from autoscaler.control.start import Patience, look_at_start
from autoscaler.control.wishes import request_sleep, request_wake
from autoscaler.endpoints.mode import Mode
from autoscaler.endpoints.status import Cause, Shape
from autoscaler.policy.ladder import TryOutcome
from autoscaler.policy.types import Phase
from autoscaler.ports import Capacity, Load
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, awake, put, spec, ticks

NAME = "llama"
IDLE = Load(backlog=0, concurrency_per_copy=0.0, invocations=0.0)
PATIENCE = Patience(capacity=timedelta(minutes=90), wake=timedelta(hours=2))


def without_machines(world: MemoryWorld, copies: int) -> None:
    """SageMaker was asked for copies, and finds no machine."""
    world.scaler.capacities[NAME] = Capacity(True, desired_copies=copies, status="Updating")


def test_what_never_came_costs_nothing_also_when_it_was_asked_for_the_day_before() -> None:
    world = memory_world()
    world.scaler.settle(NAME, 0)
    put(world, asleep(NAME))
    world.clock.forward(hours=11, minutes=45)  # a quarter to midnight, UTC
    request_wake(world, world.store.load_all()[0], Cause.PERSON, 1, "now")
    ticks(world, 20, IDLE)
    (record,) = world.store.load_all()
    assert record.status.phase is Phase.WAKING and record.status.meters
    record_failed(world, NAME, record.status.generation, "NoCapacity", "nothing came")
    ticks(world, 2, IDLE)
    (record,) = world.store.load_all()
    assert world.store.segments == [] and record.status.meters == ()
    assert record.status.spent_usd == 0


def test_what_never_came_costs_nothing_also_when_the_wake_was_sized_anew_meanwhile() -> None:
    world = memory_world()
    world.scaler.settle(NAME, 0)
    put(world, asleep(NAME))
    request_wake(world, world.store.load_all()[0], Cause.MESSAGE, 1, "A request is waiting.")
    world.clock.forward(minutes=2)  # its execution began late
    world.load.loads[NAME] = Load(backlog=500, concurrency_per_copy=None)
    assert plan_wake(world, NAME, 2).copies == 2
    (record,) = world.store.load_all()
    assert [(one.instances, one.since) for one in record.status.meters] == [(2, NOON)]
    ticks(world, 20, IDLE)
    record_failed(world, NAME, 2, "NoCapacity", "nothing came")
    ticks(world, 2, IDLE)
    (record,) = world.store.load_all()
    assert (world.store.segments, record.status.meters, record.status.spent_usd) == ([], (), 0)


def test_more_than_was_asked_for_counts_from_the_look_that_saw_it() -> None:
    world = memory_world()
    world.scaler.settle(NAME, 0)
    put(world, asleep(NAME))
    request_wake(world, world.store.load_all()[0], Cause.PERSON, 1, "now")
    world.scaler.settle(NAME, 0, instances=1)
    ticks(world, 20, IDLE)
    world.scaler.settle(NAME, 0, instances=4)
    ticks(world, 2, IDLE)
    (record,) = world.store.load_all()
    assert record.status.phase is Phase.WAKING
    assert sum(one.instance_seconds for one in world.store.segments) <= 22 * 60
    assert [one.instances for one in record.status.meters] == [4]
    assert record.status.meters[0].since >= NOON + timedelta(minutes=20)


def test_what_never_came_costs_nothing_also_when_observe_mode_begins_meanwhile() -> None:
    world = memory_world()
    put(world, asleep(NAME))
    request_wake(world, world.store.load_all()[0], Cause.PERSON, 3, "now")
    without_machines(world, copies=3)
    ticks(world, 25, IDLE)
    object.__setattr__(world, "mode", Mode.OBSERVE)
    ticks(world, 2, IDLE)
    world.scaler.settle(NAME, 0, 0)
    ticks(world, 2, IDLE)
    (record,) = world.store.load_all()
    assert (record.status.phase, record.status.meters) == (Phase.ASLEEP, ())
    assert (world.store.segments, record.status.spent_usd) == ([], 0)


@pytest.mark.parametrize("seen", [True, False])
def test_what_went_before_a_sleep_was_turned_round_did_not_come_for_the_wake(seen: bool) -> None:
    """Whether a look saw it go, or not: the wake found no machine, and cost none."""
    world = memory_world()
    put(world, awake(NAME), spec(NAME, scaling={"keep_alive": "1h"}))
    request_sleep(world, world.store.load_all()[0], Cause.IDLE, "idle")
    world.scaler.settle(NAME, 0, 1)
    ticks(world, 1, IDLE)
    world.scaler.settle(NAME, 0, 0)
    ticks(world, 1 if seen else 0, IDLE)
    turned = world.clock.now()
    record = request_wake(world, world.store.load_all()[0], Cause.MESSAGE, 1, "a request")
    without_machines(world, copies=1)
    ticks(world, 20, IDLE)
    record_failed(world, NAME, record.status.generation, "NoCapacity", "nothing came")
    ticks(world, 1, IDLE)
    (record,) = world.store.load_all()
    assert [one for one in world.store.segments if one.end > turned] == []
    assert (record.status.wakes_today, record.status.tries[-1].outcome) == (0, TryOutcome.CAPACITY)


@pytest.mark.parametrize(
    ("looks", "minutes"),
    [
        ([], 60),
        ([("the tick", 0)], 0),
        ([("the wake", 0)], 0),
        ([("the tick", 0), ("the tick", 1)], 60),
        ([("the tick", 0), ("the wake", 1)], 60),
        ([("the wake", 1), ("the tick", 0)], 60),
    ],
    ids=str,
)
def test_what_ran_when_a_sleep_was_turned_round_counts_until_a_look_says_otherwise(
    looks: list[tuple[str, int]], minutes: float
) -> None:
    """In an hour in which nobody looked, a machine that was there is not gone."""
    world = memory_world()
    put(world, awake(NAME), spec(NAME))
    request_sleep(world, world.store.load_all()[0], Cause.IDLE, "idle")
    turned = world.clock.now()
    record = request_wake(world, world.store.load_all()[0], Cause.MESSAGE, 1, "a request")
    for who, instances in looks:
        world.clock.forward(minutes=1)
        world.scaler.settle(NAME, 0, instances)
        if who == "the tick":
            ticks(world, 1, IDLE)
        else:
            look_at_start(world, NAME, record.status.generation, 1, PATIENCE)
    world.clock.moment = turned + timedelta(hours=1)
    record_failed(world, NAME, record.status.generation, "TooSlow", "nobody knows")
    (after,) = world.store.load_all()
    since = [one for one in world.store.segments if one.start >= turned]
    assert sum(one.instance_seconds for one in since) == minutes * 60
    assert bool(after.status.meters) == bool(minutes), "it goes on until it is seen gone"


@pytest.mark.parametrize(
    ("first", "minutes"), [(2, 2 * 10), (1, 10), (0, 0)], ids=["both", "one", "none"]
)
def test_of_two_that_ran_when_it_was_turned_round_those_count_that_are_seen(
    first: int, minutes: float
) -> None:
    world = memory_world()
    put(world, awake(NAME, instances=2), spec(NAME, scaling={"max_copies": 3}))
    request_sleep(world, world.store.load_all()[0], Cause.IDLE, "idle")
    turned = world.clock.now()
    record = request_wake(world, world.store.load_all()[0], Cause.MESSAGE, 2, "a request")
    world.scaler.settle(NAME, 0, first)
    ticks(world, 10, IDLE)
    record_failed(world, NAME, record.status.generation, "TooSlow", "no copy came")
    since = [one for one in world.store.segments if one.start >= turned]
    assert sum(one.instance_seconds for one in since) == minutes * 60


@pytest.mark.parametrize("end", ["it fails", "it is stopped", "it answers", "it alone sees it"])
def test_what_the_wake_itself_sees_beyond_its_wish_does_not_count_from_the_wish_on(
    end: str,
) -> None:
    """Somebody else changed it: four are there, one was asked for."""
    world = memory_world()
    put(world, asleep(NAME), spec(NAME, scaling={"max_copies": 9}))
    world.scaler.settle(NAME, 0)
    wished = world.clock.now()
    record = request_wake(world, world.store.load_all()[0], Cause.MESSAGE, 1, "a request")
    world.scaler.settle(NAME, 0, 1)
    ticks(world, 20, IDLE)
    world.scaler.settle(NAME, 1, 4)
    if end != "it alone sees it":
        look_at_start(world, NAME, record.status.generation, 1, PATIENCE)
    asking = world.store.load_all()[0]
    price = usd_per_hour("ml.g6e.xlarge") or Decimal(0)
    spent = spent_this_month(settled(asking), world.clock.now())
    assert float(spent) == pytest.approx(float(price) / 3), "no budget is spent"
    match end:
        case "it fails":
            record_failed(world, NAME, record.status.generation, "TooSlow", "no copy came")
        case "it is stopped":
            stop(world, "ana", "too dear")
        case _:
            record_awake(world, NAME, record.status.generation)
    (after,) = world.store.load_all()
    assert sum(one.instance_seconds for one in world.store.segments) == 20 * 60
    assert world.clock.now() - wished == timedelta(minutes=20)
    assert running(after.status) == {"ml.g6e.xlarge": 4}, "from its look on"


def test_another_type_that_came_beside_the_one_asked_for_counts_from_its_look_on() -> None:
    world = memory_world()
    machines = {"types": ["ml.g6e.xlarge", "ml.g6e.2xlarge"]}
    put(world, asleep(NAME), spec(NAME, instances=machines, scaling={"max_copies": 9}))
    world.scaler.settle(NAME, 0)
    record = request_wake(world, world.store.load_all()[0], Cause.MESSAGE, 1, "a request")
    ticks(world, 10, IDLE)
    both = {"ml.g6e.xlarge": 1, "ml.g6e.2xlarge": 1}
    world.scaler.capacities[NAME] = Capacity(True, instances_by_type=both, status="Updating")
    ticks(world, 5, IDLE)
    record_failed(world, NAME, record.status.generation, "TooSlow", "no copy came")
    minutes = Counter()
    for one in world.store.segments:
        minutes[one.instance_type] += one.instance_seconds / 60
    assert minutes == {"ml.g6e.xlarge": 15, "ml.g6e.2xlarge": 5}


XL, XL2 = "ml.g6e.xlarge", "ml.g6e.2xlarge"  # the second sorts before the first
SEVERAL = {
    "one goes for one of the type that came beside it": (
        XL,
        [(60, {XL: 1}), (5, {XL: 1, XL2: 1}), (5, {XL2: 2})],
        {XL: 70, XL2: 10},
    ),
    "both types late": (
        XL2,
        [(60, {}), (5, {XL2: 1, XL: 1}), (5, {XL2: 2})],
        {XL2: 70, XL: 10},
    ),
    "two types in the place of one, one after the other": (
        XL,
        [(10, {}), (5, {XL2: 1}), (5, {"ml.g6e.4xlarge": 1})],
        {XL2: 20},
    ),
    "in the place of the one asked for, and one more": (
        XL,
        [(10, {}), (5, {XL2: 1}), (5, {XL2: 2})],
        {XL: 15, XL2: 10},
    ),
}


@pytest.mark.parametrize(("wished", "looks", "minutes"), [*SEVERAL.values()], ids=[*SEVERAL])
def test_of_several_types_each_counts_as_long_as_it_was_asked_for_or_there(
    wished: str, looks: list[tuple[int, dict[str, int]]], minutes: dict[str, int]
) -> None:
    world = memory_world()
    machines = {"types": [wished, XL if wished == XL2 else XL2]}
    before = asleep(NAME, instance_type=wished)
    put(world, before, spec(NAME, instances=machines, scaling={"max_copies": 9}))
    world.scaler.settle(NAME, 0)
    record = request_wake(world, world.store.load_all()[0], Cause.MESSAGE, 1, "a request")
    for for_minutes, there in looks:
        world.scaler.capacities[NAME] = Capacity(True, instances_by_type=there, status="Updating")
        ticks(world, for_minutes, IDLE)
    record_failed(world, NAME, record.status.generation, "TooSlow", "no copy came")
    booked: Counter[str] = Counter()
    for one in world.store.segments:
        booked[one.instance_type] += round(one.instance_seconds / 60)
    assert booked == minutes


def test_a_wake_whose_shape_holds_fewer_copies_asks_for_more_from_its_wish_on() -> None:
    world = memory_world()
    two = asleep(NAME, copies_per_instance=2)
    put(world, two, spec(NAME, scaling={"max_copies": 4}))
    world.scaler.settle(NAME, 0)
    record = request_wake(world, world.store.load_all()[0], Cause.PERSON, 2, "wanted")
    assert running(record.status) == {XL: 1}
    world.clock.forward(minutes=5)
    assert record_shaped(world, NAME, record.status.generation, Shape(), 1)
    assert running(world.store.load_all()[0].status) == {XL: 2}
    world.scaler.settle(NAME, 0, 2)
    ticks(world, 5, IDLE)
    record_failed(world, NAME, record.status.generation, "TooSlow", "no copy came")
    assert sum(one.instance_seconds for one in world.store.segments) == 2 * 10 * 60


@pytest.mark.parametrize("there", [{}, {XL: 1}], ids=["gone", "fewer"])
def test_what_an_older_release_saw_of_a_wake_still_counts(there: dict[str, int]) -> None:
    """Its status says in `came` what looks saw, and knows no `seen`."""
    world = memory_world()
    put(world, asleep(NAME), spec(NAME, scaling={"max_copies": 4}))
    world.scaler.settle(NAME, 0)
    record = request_wake(world, world.store.load_all()[0], Cause.PERSON, 2, "wanted")
    old = {"came": {XL: 2}, "seen": None, "instance_seen_at": world.clock.now()}
    world.store.save(record.status.model_copy(update=old))
    world.scaler.capacities[NAME] = Capacity(True, instances_by_type=there, status="Updating")
    ticks(world, 10, IDLE)
    record_failed(world, NAME, record.status.generation, "TooSlow", "no copy came")
    assert sum(one.instance_seconds for one in world.store.segments) == 2 * 10 * 60


@pytest.mark.parametrize(
    ("look", "outcome", "wakes"),
    [(None, TryOutcome.OTHER, 1), (1, TryOutcome.OTHER, 1), (0, TryOutcome.CAPACITY, 0)],
    ids=["nobody looked", "it was seen", "it was not"],
)
def test_a_machine_that_is_booked_came_for_the_ladder_and_the_days_wakes_too(
    look: int | None, outcome: TryOutcome, wakes: int
) -> None:
    world = memory_world()
    put(world, awake(NAME), spec(NAME))
    request_sleep(world, world.store.load_all()[0], Cause.IDLE, "idle")
    record = request_wake(world, world.store.load_all()[0], Cause.MESSAGE, 1, "a request")
    if look is not None:
        world.scaler.settle(NAME, 0, look)
        ticks(world, 1, IDLE)
    world.clock.forward(minutes=10)
    record_failed(world, NAME, record.status.generation, "Lambda.Unknown", "it was away")
    (after,) = world.store.load_all()
    assert (after.status.tries[-1].outcome, after.status.wakes_today) == (outcome, wakes)
    assert bool(after.status.meters) == (outcome is TryOutcome.OTHER)


def test_one_look_that_sees_nothing_is_no_reason_to_change_what_may_still_run() -> None:
    world = memory_world()
    put(world, awake(NAME, shape=Shape(rungs_build=3)), spec(NAME))
    request_sleep(world, world.store.load_all()[0], Cause.IDLE, "idle")
    record = request_wake(world, world.store.load_all()[0], Cause.MESSAGE, 1, "a request")
    world.scaler.settle(NAME, 0, 0)
    ticks(world, 1, IDLE)
    assert not plan_wake(world, NAME, record.status.generation).reshape


@pytest.mark.parametrize(
    ("copies", "instances", "phase", "minutes"),
    [(0, 0, Phase.ASLEEP, 0), (1, 1, Phase.AWAKE, 10)],
    ids=["it went", "it came"],
)
def test_in_observe_mode_the_look_that_ends_a_wake_is_one(
    copies: int, instances: int, phase: Phase, minutes: float
) -> None:
    """The flow that was under way has ended, and nobody looked since the wish."""
    world = memory_world()
    put(world, awake(NAME), spec(NAME))
    request_sleep(world, world.store.load_all()[0], Cause.IDLE, "idle")
    turned = world.clock.now()
    request_wake(world, world.store.load_all()[0], Cause.MESSAGE, 1, "a request")
    object.__setattr__(world, "mode", Mode.OBSERVE)
    world.scaler.settle(NAME, copies, instances)
    world.clock.forward(minutes=10)
    ticks(world, 1, IDLE)
    (after,) = world.store.load_all()
    since = [one for one in world.store.segments if one.start >= turned]
    assert after.status.phase is phase
    assert sum(one.instance_seconds for one in since) == minutes * 60


def test_another_type_that_came_in_the_place_of_the_one_asked_for_counts_from_the_wish() -> None:
    world = memory_world()
    machines = {"types": ["ml.g6e.xlarge", "ml.g6e.2xlarge"]}
    put(world, asleep(NAME), spec(NAME, instances=machines))
    world.scaler.settle(NAME, 0)
    record = request_wake(world, world.store.load_all()[0], Cause.MESSAGE, 1, "a request")
    ticks(world, 10, IDLE)
    came = {"ml.g6e.2xlarge": 1}
    world.scaler.capacities[NAME] = Capacity(True, instances_by_type=came, status="Updating")
    ticks(world, 5, IDLE)
    record_failed(world, NAME, record.status.generation, "TooSlow", "no copy came")
    assert {(s.instance_type, s.instance_seconds) for s in world.store.segments} == {
        ("ml.g6e.2xlarge", 15 * 60)
    }


def test_a_machine_that_only_the_wake_itself_saw_counts_from_the_wish_on() -> None:
    world = memory_world()
    put(world, asleep(NAME), spec(NAME))
    world.scaler.settle(NAME, 0)
    record = request_wake(world, world.store.load_all()[0], Cause.MESSAGE, 1, "a request")
    world.clock.forward(minutes=5)
    world.scaler.settle(NAME, 0, 1)
    look_at_start(world, NAME, record.status.generation, 1, PATIENCE)
    world.clock.forward(minutes=5)
    record_failed(world, NAME, record.status.generation, "TooSlow", "no copy came")
    assert sum(one.instance_seconds for one in world.store.segments) == 10 * 60
