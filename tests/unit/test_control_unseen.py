"""Instances that nobody saw come or go at once: asked for, or in a time without ticks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from autoscaler.control.progress import record_asleep
from autoscaler.control.reconcile import reconcile
from autoscaler.control.spent import spent_this_month, spent_today
from autoscaler.control.unseen import asked_by_the_wish
from autoscaler.control.wishes import request_sleep
from autoscaler.endpoints.status import Cause, Meter, UsageKind
from autoscaler.ports import Load
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, awake, put, spec

NAME = "llama"
TYPE = "ml.g6e.xlarge"
BUSY = Load(backlog=40, concurrency_per_copy=16.0, invocations=9.0)


@pytest.fixture
def world() -> MemoryWorld:
    world = memory_world()
    world.load.loads[NAME] = BUSY
    return world


def there(world: MemoryWorld, copies: int, instances: int, **changes: Any) -> None:
    """What SageMaker has from now on: copies that were asked for, and machines."""
    world.scaler.settle(NAME, copies, instances)
    world.scaler.capacities[NAME] = replace(
        world.scaler.capacities[NAME], current_copies=min(copies, instances), **changes
    )


def put_awake(world: MemoryWorld, instances: int) -> None:
    meter = Meter(instances=instances, instance_type=TYPE, kind=UsageKind.SERVING, since=NOON)
    status = awake(NAME, instances=instances, observed_at=NOON, phase_since=NOON)
    put(
        world,
        status.model_copy(update={"meters": (meter,)}),
        spec(NAME, scaling={"max_copies": 4, "min_copies": 1, "keep_alive": "3h"}),
    )
    there(world, instances, instances, changed_at=NOON)


def booked(world: MemoryWorld) -> float:
    """Instance-minutes until now, closed and open."""
    now = world.clock.now()
    status = world.store.records[NAME].status
    running = sum(m.instances * (now - m.since).total_seconds() for m in status.meters)
    return (sum(s.instance_seconds for s in world.store.segments) + running) / 60


def over_gaps(world: MemoryWorld) -> float:
    return sum(s.instance_seconds for s in world.store.segments if s.over_gap) / 60


def test_a_machine_that_comes_while_awake_is_booked_from_when_it_was_asked_for(world) -> None:
    put_awake(world, 1)
    world.clock.forward(minutes=1)
    there(world, 2, 1, changed_at=NOON + timedelta(seconds=40))
    reconcile(world)  # it is asked for, and not there
    for minutes in range(1, 6):
        world.clock.forward(minutes=1)
        there(world, 2, 1 if minutes < 5 else 2, changed_at=NOON + timedelta(seconds=40))
        reconcile(world)
    assert booked(world) == pytest.approx(6 + 5 + 20 / 60), "six minutes, and since 12:00:40"
    late = [s for s in world.store.segments if s.kind is UsageKind.PROVISIONING]
    assert [(s.instances, s.start) for s in late] == [(1, NOON + timedelta(seconds=40))]
    assert over_gaps(world) == 0


def test_a_machine_that_never_comes_is_never_booked(world) -> None:
    put_awake(world, 1)
    there(world, 2, 1, changed_at=NOON)
    for _ in range(10):
        world.clock.forward(minutes=1)
        reconcile(world)
    there(world, 1, 1, changed_at=NOON)
    world.clock.forward(minutes=1)
    reconcile(world)
    assert booked(world) == pytest.approx(11)
    assert world.store.records[NAME].status.asked == ()


def test_two_that_were_asked_for_together_and_come_one_by_one_are_two_segments(world) -> None:
    put_awake(world, 1)
    for minutes, instances in ((1, 1), (2, 2), (3, 3)):
        world.clock.moment = NOON + timedelta(minutes=minutes)
        there(world, 3, instances, changed_at=NOON + timedelta(seconds=30))
        reconcile(world)
    late = [s for s in world.store.segments if s.kind is UsageKind.PROVISIONING]
    assert [s.instance_seconds for s in late] == [90, 150]
    assert booked(world) == pytest.approx(3 + 2.5 + 2.5)


def test_the_rest_of_a_wake_is_asked_for_since_its_wish() -> None:
    status = asleep(NAME, wish_copies=3, wished_at=NOON)
    (ask,) = asked_by_the_wish(status, came=1)
    assert (ask.instances, ask.since) == (3, NOON)
    assert asked_by_the_wish(status, came=3) == ()


def test_a_change_in_a_time_without_ticks_is_closed_at_sagemakers_own_time(world) -> None:
    put_awake(world, 2)
    world.clock.forward(hours=2)
    there(world, 1, 1, changed_at=NOON + timedelta(minutes=30))
    reconcile(world)
    assert booked(world) == pytest.approx(2 * 30 + 90)
    assert over_gaps(world) == pytest.approx(150), "all of the gap is an estimate"


def test_without_such_a_time_it_is_closed_when_it_is_seen(world) -> None:
    put_awake(world, 2)
    world.clock.forward(hours=2)
    there(world, 1, 1)
    reconcile(world)
    assert booked(world) == pytest.approx(2 * 120)
    assert over_gaps(world) == pytest.approx(2 * 120)


def test_a_time_without_ticks_in_which_nothing_was_modified_is_no_estimate(world) -> None:
    put_awake(world, 2)
    world.clock.forward(hours=2)
    reconcile(world)
    assert booked(world) == pytest.approx(2 * 120)
    assert over_gaps(world) == 0 and not world.store.segments


def test_the_same_number_with_something_modified_is_an_estimate(world) -> None:
    put_awake(world, 2)
    world.clock.forward(hours=2)
    there(world, 2, 2, changed_at=NOON + timedelta(minutes=30))
    reconcile(world)
    assert (booked(world), over_gaps(world)) == (pytest.approx(240), pytest.approx(240))


def test_a_tick_that_is_late_once_or_twice_is_no_gap(world) -> None:
    put_awake(world, 2)
    world.clock.forward(seconds=140)
    there(world, 1, 1, changed_at=NOON + timedelta(seconds=30))
    reconcile(world)
    assert over_gaps(world) == 0 and booked(world) == pytest.approx(2 * 140 / 60)


def test_a_sleep_that_nobody_watched_ends_at_sagemakers_own_time(world) -> None:
    put_awake(world, 1)
    record = request_sleep(world, world.store.records[NAME], Cause.PERSON, "over")
    there(world, 0, 0, changed_at=NOON + timedelta(minutes=5))
    world.clock.forward(hours=1)
    assert record_asleep(world, NAME, record.status.generation)
    assert (booked(world), over_gaps(world)) == (pytest.approx(5), pytest.approx(5))


@pytest.mark.parametrize(("changed", "minutes"), [(None, 15), (NOON + timedelta(minutes=9), 6)])
def test_machines_found_while_asleep_are_booked_since_they_can_have_come(
    world, changed, minutes
) -> None:
    put(world, asleep(NAME, observed_at=NOON, phase_since=NOON))
    there(world, 0, 1, changed_at=changed)
    world.clock.forward(minutes=15)
    reconcile(world)
    assert booked(world) == pytest.approx(minutes)
    assert over_gaps(world) == pytest.approx(minutes)


def test_a_gap_over_midnight_is_cut_there(world) -> None:
    put_awake(world, 2)
    world.clock.forward(hours=14)
    there(world, 1, 1, changed_at=NOON + timedelta(hours=13))
    reconcile(world)
    assert booked(world) == pytest.approx((2 * 13 + 1) * 60)
    midnight = NOON + timedelta(hours=12)
    assert all(not s.start < midnight < s.end for s in world.store.segments)


def test_what_is_booked_twice_in_one_moment_counts_once(world) -> None:
    put_awake(world, 2)
    world.clock.forward(hours=2)
    there(world, 1, 1, changed_at=NOON + timedelta(minutes=30))
    reconcile(world)
    reconcile(world)
    assert booked(world) == pytest.approx(150)


def test_the_months_dollars_agree_with_the_segments(world) -> None:
    put_awake(world, 2)
    there(world, 3, 2, changed_at=NOON + timedelta(seconds=10))
    world.clock.forward(minutes=1)
    reconcile(world)
    world.clock.forward(hours=2)
    there(world, 3, 3, changed_at=NOON + timedelta(minutes=30))
    reconcile(world)
    status = world.store.records[NAME].status
    price = world.store.book.usd_per_hour(TYPE)
    closed = sum(s.instance_seconds for s in world.store.segments) / 3600
    assert float(status.spent_usd) == pytest.approx(closed * float(price))
    assert booked(world) == pytest.approx(121 * 2 + 121 - 10 / 60)


def test_the_days_dollars_agree_with_the_segments_and_a_budget_for_the_day_sees_them(world) -> None:
    put_awake(world, 2)
    there(world, 3, 2, changed_at=NOON + timedelta(seconds=10))
    world.clock.forward(minutes=1)
    reconcile(world)
    world.clock.forward(hours=2)
    there(world, 1, 1, changed_at=NOON + timedelta(minutes=90))
    reconcile(world)
    record = world.store.load(NAME)
    assert over_gaps(world) > 0
    spent = spent_this_month(record, world.clock.now())
    assert spent > 9
    assert spent_today(record, world.clock.now()) == spent
