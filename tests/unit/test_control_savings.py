"""What a sleep says was saved so far this month is what the month's report says."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from autoscaler.alerts.events.life import EndpointSlept
from autoscaler.alerts.message import message_of
from autoscaler.catalog.prices import bundled
from autoscaler.control.awake import record_awake
from autoscaler.control.progress import record_asleep
from autoscaler.control.reconcile import reconcile
from autoscaler.control.savings import saved_this_month
from autoscaler.control.setbacks import back_to_zero
from autoscaler.control.wishes import request_sleep, request_wake
from autoscaler.endpoints.status import Cause, Meter, UsageKind, UsageSegment
from autoscaler.ledger.costs import Books, summarize
from autoscaler.ledger.periods import Period, PeriodKind
from autoscaler.ledger.report import read_books
from autoscaler.ports import Flow, FlowState
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, awake, put, spec

NAME, TYPE = "llama", "ml.g6e.xlarge"
PRICE = Decimal("2.61")
HOUR = timedelta(hours=1)


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


def used(
    start: datetime, hours: float, price: Decimal | None = PRICE, name: str = NAME
) -> UsageSegment:
    return UsageSegment(
        endpoint=name,
        team="unassigned",
        instance_type=TYPE,
        instances=1,
        kind=UsageKind.SERVING,
        start=start,
        end=start + timedelta(hours=hours),
        usd_per_hour=price,
    )


def slept(world: MemoryWorld, created_before: timedelta) -> EndpointSlept:
    """Goes to sleep at noon on the 24th, after an hour awake."""
    record = put(world, awake(NAME, created_at=NOON - created_before, last_wake_at=NOON - HOUR))
    request_sleep(world, record, Cause.IDLE, "idle")
    world.scaler.settle(NAME, 0)
    assert record_asleep(world, NAME, 2)
    (event,) = [e for e in world.announcer.events if isinstance(e, EndpointSlept)]
    return event


@pytest.mark.parametrize("days", [2, 60], ids=["made this month", "made before it"])
def test_it_is_what_the_report_says(world: MemoryWorld, days: int) -> None:
    month_begins = datetime(2026, 11, 1, tzinfo=NOON.tzinfo)
    world.store.segments += [
        used(NOON - timedelta(days=1, hours=3), 2),
        used(NOON - timedelta(days=1), 5, name="another"),
    ]
    if days == 60:
        world.store.segments.append(used(month_begins - timedelta(hours=1), 2))  # half of it counts
    event = slept(world, timedelta(days=days))
    month = Period.holding(PeriodKind.MONTH, NOON.date())
    report = summarize(read_books(world.store, month), month, world.clock.now(), bundled())
    (line,) = [one for one in report.endpoints if one.name == NAME]
    assert event.saved_usd == line.savings_usd and line.savings_usd
    assert event.cost_usd == PRICE  # the hour of this wake alone


def test_by_hand(world: MemoryWorld) -> None:
    event = slept(world, timedelta(days=60))
    hours = Decimal(23 * 24 + 12)  # from the first of the month to noon on the 24th
    assert event.saved_usd == (hours - 1) * PRICE and event.team == "unassigned"


def test_with_a_price_that_is_not_known_nothing_is_said(world: MemoryWorld) -> None:
    world.store.segments.append(used(NOON - timedelta(days=1), 2, price=None))
    assert slept(world, timedelta(days=2)).saved_usd is None


def test_on_shared_machines_the_open_meters_of_the_others_have_their_part(
    world: MemoryWorld,
) -> None:
    half = {"shared": "small", "weight": Decimal("0.5")}
    machines = {"types": [TYPE], "shared": "small", "max_instances": 2}
    meter = Meter(instances=1, instance_type=TYPE, kind=UsageKind.SERVING, since=NOON - HOUR)
    record, other = (
        put(
            world,
            awake(
                name, created_at=NOON - timedelta(days=60), meters=(meter.model_copy(update=half),)
            ),
            spec(name, instances=machines),
        )
        for name in (NAME, "other")
    )
    closed = used(NOON - HOUR, 1).model_copy(update=half)
    saved = saved_this_month(record, [closed], NOON, [record, other])
    put_down = record.having(record.status.model_copy(update={"meters": ()}))
    month = Period.holding(PeriodKind.MONTH, NOON.date())
    report = summarize(Books([put_down, other], [closed]), month, NOON, bundled())
    (line,) = [one for one in report.endpoints if one.name == NAME]
    assert line.cost.total == PRICE / 2
    assert saved == line.savings_usd


def test_a_wake_that_failed_was_not_awake_since_the_one_before(world: MemoryWorld) -> None:
    record = put(world, asleep(NAME, last_awake_at=NOON - timedelta(days=2)))
    record = request_wake(world, record, Cause.MESSAGE, 1, "a request is waiting")
    world.clock.forward(minutes=10)
    back_to_zero(world, record, "no capacity", world.clock.now())
    world.scaler.settle(NAME, 0)
    assert record_asleep(world, NAME, 3)
    (event,) = [e for e in world.announcer.events if isinstance(e, EndpointSlept)]
    assert event.awake_seconds == 0
    told = message_of(event)
    assert told.body.startswith("It was not awake, and is at zero again because its wake failed.")


def test_copies_that_somebody_put_there_are_no_time_awake(world: MemoryWorld) -> None:
    before = {"last_wake_at": NOON - timedelta(days=2), "last_awake_at": NOON - timedelta(days=2)}
    world.store.segments.append(used(NOON - timedelta(days=2), 10))  # of that wake, and told then
    meter = Meter(instances=1, instance_type=TYPE, kind=UsageKind.IDLE_TAIL, since=NOON - HOUR / 4)
    record = put(world, asleep(NAME, meters=(meter,), **before))
    request_sleep(world, record, Cause.DRIFT, "1 instance ran")
    world.scaler.settle(NAME, 0)
    assert record_asleep(world, NAME, 2)
    (event,) = [e for e in world.announcer.events if isinstance(e, EndpointSlept)]
    assert (event.awake_seconds, event.cost_usd) == (0, PRICE / 4)


def test_a_sleep_that_was_tried_again_ends_what_it_was_awake_when_it_began(
    world: MemoryWorld,
) -> None:
    record = put(world, awake(NAME, last_wake_at=NOON - HOUR))
    request_sleep(world, record, Cause.IDLE, "idle")
    world.scaler.settle(NAME, 0, instances=1)
    world.flows.end(Flow.SLEEP, NAME, 2, FlowState.FAILED, "StillThere")
    world.clock.forward(minutes=30)
    reconcile(world)
    world.scaler.settle(NAME, 0)
    assert record_asleep(world, NAME, 3)
    (event,) = [e for e in world.announcer.events if isinstance(e, EndpointSlept)]
    assert event.awake_seconds == HOUR.total_seconds()


def test_a_sleep_that_was_turned_round_is_of_the_time_awake_that_its_cost_is_of(
    world: MemoryWorld,
) -> None:
    minute = timedelta(minutes=1)
    put(world, asleep(NAME))

    def woken(generation: int) -> None:
        request_wake(world, world.store.records[NAME], Cause.MESSAGE, 1, "a request is waiting")
        world.scaler.settle(NAME, 1)
        world.clock.moment += 5 * minute
        assert record_awake(world, NAME, generation)

    def put_to_sleep(hours: float) -> None:
        world.clock.moment += hours * HOUR
        request_sleep(world, world.store.records[NAME], Cause.IDLE, "idle")
        world.clock.moment += minute

    woken(2)
    put_to_sleep(3)
    woken(4)  # a request came while it went to sleep: nothing told of these three hours
    put_to_sleep(1)
    world.scaler.settle(NAME, 0)
    assert record_asleep(world, NAME, 5)
    (event,) = [e for e in world.announcer.events if isinstance(e, EndpointSlept)]
    assert event.awake_seconds == (4 * HOUR + minute).total_seconds(), "and the sleep's minute"
    ran = 4 * HOUR + 2 * 5 * minute + 2 * minute
    assert event.cost_usd == pytest.approx(PRICE * Decimal(ran / HOUR))
