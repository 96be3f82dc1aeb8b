"""Meters, budgets and told costs of endpoints that share their machines, tick by tick."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from autoscaler.catalog.prices import bundled, usd_per_hour
from autoscaler.control.awake import record_awake
from autoscaler.control.metering import asked_for_copies
from autoscaler.control.progress import record_asleep, record_failed, record_shaped
from autoscaler.control.reconcile import reconcile
from autoscaler.control.size import plan_wake
from autoscaler.control.spent import spent_this_month
from autoscaler.control.start import Patience, look_at_start
from autoscaler.control.wishes import request_sleep, request_wake
from autoscaler.endpoints.status import (
    Cause,
    EndpointRecord,
    EndpointStatus,
    Shape,
    UsageKind,
)
from autoscaler.ledger.costs import summarize
from autoscaler.ledger.figures import CostReport
from autoscaler.ledger.periods import Period
from autoscaler.ledger.report import read_books
from autoscaler.policy.types import Phase
from autoscaler.ports import Capacity, Load
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, put, spec

TYPE = "ml.g6e.xlarge"
PRICE = usd_per_hour(TYPE) or Decimal(0)
HALF = Decimal("0.5")
PATIENCE = Patience(capacity=timedelta(hours=2), wake=timedelta(hours=3))
BUSY = Load(backlog=0, concurrency_per_copy=2.0, invocations=9.0)


@pytest.fixture
def world() -> MemoryWorld:
    """Ada and Bob are asleep, two copies of each fill an instance; Own has machines of its own."""
    world = memory_world()
    for name in ("ada", "bob"):
        world.load.loads[name] = BUSY
        add(world, name)
    put(world, asleep("own"), spec("own"))
    seen(world, 0, ada=0, bob=0)
    world.scaler.capacities["own"] = Capacity(exists=True, status="InService")
    return world


def add(world: MemoryWorld, name: str, per_instance: int = 2, most: int = 4) -> EndpointRecord:
    machines = {"types": [TYPE], "shared": "small-models", "max_instances": most}
    wanted = spec(name, instances=machines, budget={"monthly_usd": 500}, scaling={"max_copies": 6})
    return put(world, asleep(name, copies_per_instance=per_instance), wanted)


def seen(world: MemoryWorld, instances: int, **copies: int) -> None:
    """What SageMaker says from now on: the instances are everybody's who has copies there."""
    for name, count in copies.items():
        theirs = instances if count or not any(copies.values()) else 0
        world.scaler.capacities[name] = Capacity(
            exists=True,
            desired_copies=count,
            current_copies=count,
            instances_by_type={TYPE: theirs} if theirs else {},
            status="InService",
        )


def status(world: MemoryWorld, name: str) -> EndpointStatus:
    return world.store.records[name].status


def wake(world: MemoryWorld, name: str, copies: int) -> EndpointStatus:
    request_wake(world, world.store.records[name], Cause.PERSON, copies, "wanted")
    return status(world, name)


def awoke(world: MemoryWorld, name: str) -> None:
    assert record_awake(world, name, status(world, name).generation)


def ticks(world: MemoryWorld, minutes: int) -> None:
    for _ in range(minutes):
        reconcile(world)
        world.clock.forward(minutes=1)


def reported(world: MemoryWorld) -> CostReport:
    now = world.clock.now()
    month = Period.month(now.date())
    return summarize(read_books(world.store, month), month, now, bundled())


def counted(record: EndpointStatus) -> list[tuple[int, Decimal, str]]:
    return [(m.instances, m.weight, m.shared) for m in record.meters]


def test_a_wake_beside_others_asks_for_what_all_of_them_take(world) -> None:
    assert counted(wake(world, "bob", 3)) == [(2, Decimal("1.5"), "small-models")]
    ticks(world, 1)
    assert (status(world, "ada").share, status(world, "ada").beside) == (
        Decimal("0.25"),
        Decimal("1.5"),
    )
    assert counted(wake(world, "ada", 1)) == [(2, HALF, "small-models")], "it fits beside"
    record = world.store.records["ada"]
    assert asked_for_copies(record, 2) == {TYPE: 3}, "it does not"
    assert asked_for_copies(record, 6) == {TYPE: 4}, "there are no more than four"


def test_thirds_fill_an_instance_and_not_a_bit_more(world) -> None:
    record = add(world, "cleo", per_instance=3, most=9)
    five = sum([Decimal(2) / 3] * 5, Decimal(0))
    assert five + Decimal(2) / 3 > 4, "that is how decimals add up"
    record = record.having(record.status.model_copy(update={"beside": five}))
    assert asked_for_copies(record, 2) == {TYPE: 4}
    assert asked_for_copies(record, 3) == {TYPE: 5}


def test_of_machines_of_its_own_nothing_changes(world) -> None:
    own = wake(world, "own", 2)
    ticks(world, 1)
    assert counted(own) == [(2, 0, "")]
    assert (status(world, "own").share, status(world, "own").beside) == (1, 0)
    assert own.meters[0].share == 1


def test_the_copies_that_weigh(world) -> None:
    wake(world, "ada", 1)
    world.load.loads["ada"] = Load(backlog=500, concurrency_per_copy=None)
    world.clock.forward(minutes=1)
    plan = plan_wake(world, "ada", status(world, "ada").generation)
    assert plan.copies > 1
    assert status(world, "ada").meters[0].weight == HALF * plan.copies, "asked for"
    assert world.store.segments == [], "what was closed could not be taken back"
    world.load.loads["ada"] = BUSY
    seen(world, 2, ada=3, bob=0)
    awoke(world, "ada")
    assert counted(status(world, "ada"))[0][:2] == (2, Decimal("1.5")), "came into service"
    seen(world, 1, ada=2, bob=0)
    ticks(world, 1)
    assert counted(status(world, "ada"))[0][:2] == (1, Decimal(1)), "as scaled since"
    request_sleep(world, world.store.records["ada"], Cause.PERSON, "over")
    assert status(world, "ada").meters[0].weight == 1, "not gone yet"
    seen(world, 1, ada=0, bob=0)
    ticks(world, 1)
    assert counted(status(world, "ada"))[0][:2] == (1, HALF), "the last one holds the machine"


def test_what_was_asked_for_and_was_there_already_is_taken_back(world) -> None:
    wake(world, "bob", 2)
    seen(world, 1, ada=0, bob=2)
    ticks(world, 5)
    awoke(world, "bob")
    ticks(world, 5)
    asked = wake(world, "ada", 1)
    assert asked.meters[0].instances == 2
    seen(world, 1, ada=1, bob=1)  # one of Bob's copies has gone meanwhile
    ticks(world, 5)
    assert status(world, "ada").meters[0].instances == 2, "it may still come"
    awoke(world, "ada")
    assert status(world, "ada").meters[0].instances == 1
    assert reported(world).total.instance_hours == pytest.approx(15 / 60)


def test_instances_that_were_asked_for_count_from_the_wish_on(world) -> None:
    wake(world, "bob", 2)
    seen(world, 1, ada=0, bob=2)
    ticks(world, 5)
    awoke(world, "bob")
    ticks(world, 5)
    wake(world, "ada", 1)
    ticks(world, 4)
    seen(world, 2, ada=1, bob=2)
    ticks(world, 1)
    awoke(world, "ada")
    assert reported(world).total.instance_hours == pytest.approx((10 + 2 * 5) / 60)


def test_money_spent_alone_stays_spent_when_another_one_comes(world) -> None:
    wake(world, "ada", 2)
    seen(world, 1, ada=2, bob=0)
    awoke(world, "ada")
    ticks(world, 60)
    before = spent_this_month(world.store.records["ada"], world.clock.now())
    assert before == PRICE
    wake(world, "bob", 2)
    seen(world, 2, ada=2, bob=2)
    awoke(world, "bob")
    ticks(world, 1)
    assert status(world, "ada").share == HALF
    after = spent_this_month(world.store.records["ada"], world.clock.now())
    assert after == before + PRICE / 60, "a half of two"


def test_budgets_come_near_the_report_and_their_sum_is_what_the_machines_cost(world) -> None:
    lives = [(1, 2, 0), (2, 2, 2), (2, 3, 1), (1, 1, 1), (1, 0, 1), (2, 1, 3), (1, 2, 0)]
    for instances, ada, bob in lives:
        for name, copies in (("ada", ada), ("bob", bob)):
            if copies and status(world, name).phase is Phase.ASLEEP:
                wake(world, name, copies)
            if not copies and status(world, name).phase is Phase.AWAKE:
                request_sleep(world, world.store.records[name], Cause.PERSON, "over")
        seen(world, instances, ada=ada, bob=bob)
        for name, copies in (("ada", ada), ("bob", bob)):
            if not copies and status(world, name).phase is Phase.SLEEPING:
                assert record_asleep(world, name, status(world, name).generation)
            if copies and status(world, name).phase is Phase.WAKING:
                ticks(world, 1)
                awoke(world, name)
        ticks(world, 45)
    found, now = reported(world), world.clock.now()
    costs = {line.name: line.cost.total for line in found.endpoints}
    spent = {n: spent_this_month(world.store.records[n], now) for n in ("ada", "bob")}
    for line in found.endpoints[:2]:
        assert line.budget is not None and line.budget.spent_usd == spent[line.name]
        assert float(spent[line.name]) == pytest.approx(float(costs[line.name]), rel=0.05)
    machines = sum(instances for instances, *_ in lives) * Decimal(45) / 60
    assert float(found.total.instance_hours) == pytest.approx(float(machines), rel=0.03)
    assert float(sum(spent.values())) == pytest.approx(float(found.total.cost.total), rel=0.03)


def test_while_it_waits_the_largest_share_that_was_found_counts(world) -> None:
    wake(world, "bob", 2)
    seen(world, 1, ada=0, bob=2)
    awoke(world, "bob")
    ticks(world, 1)
    first = wake(world, "ada", 1).meters[0]
    assert first.share == Decimal("0.333333333333")
    seen(world, 1, ada=1, bob=0)
    request_sleep(world, world.store.records["bob"], Cause.PERSON, "over")
    assert record_asleep(world, "bob", status(world, "bob").generation)
    ticks(world, 1)
    (meter,) = status(world, "ada").meters
    assert (meter.share, meter.since) == (1, first.since), "nothing of the wake was closed"


@pytest.mark.parametrize("came", [False, True], ids=["and it fails", "and it answers"])
def test_copies_that_turn_out_smaller_in_a_wake_close_nothing_of_it(world, came: bool) -> None:
    first = wake(world, "ada", 1).meters[0]
    world.clock.forward(minutes=5)
    assert record_shaped(world, "ada", status(world, "ada").generation, Shape(), 4)
    ticks(world, 5)
    (meter,) = status(world, "ada").meters
    assert (meter.weight, meter.since) == (HALF / 2, first.since)
    assert world.store.segments == [], "what was closed could not be taken back"
    if came:
        seen(world, 1, ada=1, bob=0)
        awoke(world, "ada")
    else:
        generation = status(world, "ada").generation
        assert record_failed(world, "ada", generation, "WakeFailed", "no capacity")
        assert status(world, "ada").phase is Phase.SLEEPING
    assert reported(world).total.instance_hours == pytest.approx(10 / 60 if came else 0)


def test_copies_that_are_more_or_fewer_in_a_wake_close_nothing_of_it(world) -> None:
    wake(world, "ada", 1)
    for copies in (3, 1, 2):
        seen(world, 0, ada=copies, bob=0)
        ticks(world, 5)
        assert status(world, "ada").meters[0].weight == HALF * copies, "as they are now"
    assert world.store.segments == []
    generation = status(world, "ada").generation
    assert record_failed(world, "ada", generation, "WakeFailed", "no capacity")
    assert reported(world).total.instance_hours == 0


def test_a_wake_that_was_turned_round_weighs_as_what_it_asks_for(world) -> None:
    """And not as the copies that were on their way out: the others would pay too little."""
    for name, copies in (("ada", 4), ("bob", 2)):
        wake(world, name, copies)
    seen(world, 3, ada=4, bob=2)
    for name in ("ada", "bob"):
        awoke(world, name)
    ticks(world, 10)
    request_sleep(world, world.store.records["ada"], Cause.PERSON, "over")
    ticks(world, 1)
    wake(world, "ada", 1)
    seen(world, 1, ada=1, bob=2)  # asked for, and there is no room
    ticks(world, 180)
    costs = {line.name: float(line.cost.total) for line in reported(world).endpoints}
    assert costs["bob"] > 1.7 * costs["ada"] - float(PRICE), "three hours of one copy beside two"
    assert status(world, "ada").meters[0].weight == HALF


def test_what_a_wake_saw_beyond_its_wish_counts_from_then_on_and_for_nobody_before(world) -> None:
    wake(world, "bob", 2)
    seen(world, 1, ada=0, bob=2)
    awoke(world, "bob")
    woken = wake(world, "ada", 1)
    ticks(world, 30)
    seen(world, 3, ada=1, bob=6)
    look_at_start(world, "ada", woken.generation, 1, PATIENCE)
    assert record_failed(world, "ada", woken.generation, "WakeFailed", "no copy")
    assert reported(world).total.instance_hours == pytest.approx(30 / 60)


@pytest.mark.parametrize("copies", [0, 1], ids=["in vain", "not in vain"])
def test_a_wake_in_vain_is_given_back_to_everybody_whose_machines_came_for_others(
    world, copies: int
) -> None:
    """Machines that are there say nothing of whose they are; a copy of its own does."""
    names = ("ada", "bob")
    for name in names:
        wake(world, name, 1)
    seen(world, 1, ada=copies, bob=copies)
    ticks(world, 2)
    for name in names:
        assert status(world, name).instance_seen_at is not None
        assert status(world, name).wakes_today == 1
        assert record_failed(world, name, status(world, name).generation, "NoCapacity", "no copy")
    assert [status(world, name).wakes_today for name in names] == [copies, copies]


def test_a_told_cost_is_of_its_part(world) -> None:
    for name in ("ada", "bob"):
        wake(world, name, 2)
    seen(world, 2, ada=2, bob=2)
    for name in ("ada", "bob"):
        awoke(world, name)
    ticks(world, 120)
    request_sleep(world, world.store.records["bob"], Cause.PERSON, "over")
    seen(world, 1, ada=2, bob=0)
    assert record_asleep(world, "bob", status(world, "bob").generation)
    (slept,) = [e for e in world.announcer.events if e.detail_type == "EndpointSlept"]
    assert slept.endpoint == "bob"
    assert float(slept.cost_usd) == pytest.approx(2 * float(PRICE), rel=0.03)


def test_how_a_sleeping_one_stands_is_stored_once(world) -> None:
    ticks(world, 2)
    quiet = status(world, "ada").version
    wake(world, "bob", 2)
    ticks(world, 1)
    assert status(world, "ada").beside == 1
    assert status(world, "ada").version == quiet + 1
    ticks(world, 3)
    assert status(world, "ada").version == quiet + 1
    assert status(world, "ada").observed_at == NOON, "that is no look at SageMaker"


def test_kinds_are_ones_own(world) -> None:
    for name in ("ada", "bob"):
        wake(world, name, 2)
    seen(world, 2, ada=2, bob=2)
    awoke(world, "ada")
    world.clock.forward(minutes=10)
    kinds = {name: status(world, name).meters[0].kind for name in ("ada", "bob")}
    assert kinds == {"ada": UsageKind.SERVING, "bob": UsageKind.PROVISIONING}
    costs = {line.name: line.cost for line in reported(world).endpoints}
    assert costs["ada"].serving == costs["bob"].provisioning
    assert float(costs["ada"].serving) == pytest.approx(float(PRICE) * 2 * 10 / 60 / 2)
    assert world.clock.now() - NOON == timedelta(minutes=10)
