"""What the hours of a day are booked as, from the tick to the report."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from autoscaler.catalog.prices import BUNDLED_ON, PriceBook, bundled, usd_per_hour
from autoscaler.control.apply import apply
from autoscaler.control.awake import record_awake
from autoscaler.control.plan import Setting
from autoscaler.control.progress import record_retired, record_staged
from autoscaler.control.reconcile import reconcile
from autoscaler.control.signals import brought_up
from autoscaler.control.wishes import request_retirement, request_sleep
from autoscaler.endpoints.status import Cause, Meter, UsageKind, UsageSegment
from autoscaler.ledger.billed import billed_segments
from autoscaler.ledger.costs import summarize
from autoscaler.ledger.csv import render_csv
from autoscaler.ledger.periods import Period
from autoscaler.ledger.report import read_books
from autoscaler.policy.types import Hold
from autoscaler.ports import Load
from tests.ledger_books import segment
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import awake, document, put, spec, ticks

NAME, TYPE = "llama", "ml.g6e.xlarge"
IDLE = Load(backlog=0, concurrency_per_copy=0.0, invocations=0.0)
BUSY = Load(backlog=0, concurrency_per_copy=2.0, invocations=9.0)
SETTING = Setting("stack", "UTC", "us-east-1", lambda model, revision: "c" * 40)
PEAK = {"name": "peak", "days": ["tue"], "start": "11:00", "end": "21:00", "min_copies": 1}


@pytest.fixture
def world() -> MemoryWorld:
    world = memory_world()
    world.scaler.settle(NAME, 1)
    return world


def booked(world: MemoryWorld) -> dict[UsageKind, float]:
    """Minutes by kind after the endpoint went to sleep now."""
    now, record = world.clock.now(), world.store.records[NAME]
    record = brought_up(record, world.load_of(record, now), now)
    request_sleep(world, record, Cause.PERSON, "over")
    minutes: Counter[UsageKind] = Counter()
    for one in world.store.segments:
        minutes[one.kind] += one.instance_seconds / 60
    return dict(minutes)


def fresh(**changes: Any) -> Any:
    """Awake since noon, at work until then."""
    status = awake(NAME, last_active_at=NOON, **changes)
    (meter,) = status.meters
    return status.model_copy(update={"meters": (meter.model_copy(update={"since": NOON}),)})


def test_the_idle_hours_of_a_peak_window_are_kept_warm_and_not_an_idle_tail(world) -> None:
    put(world, fresh(), spec(NAME, schedule={"windows": [PEAK]}))
    ticks(world, 60, BUSY)
    ticks(world, 8 * 60, IDLE)  # until 21:00, when the window closes
    assert booked(world) == {UsageKind.SERVING: 59, UsageKind.KEPT_WARM: 8 * 60 + 1}
    assert world.store.records[NAME].status.meters[0].kind is UsageKind.IDLE_TAIL, "from here on"


def test_what_a_hold_keeps_is_kept_warm(world) -> None:
    hold = Hold(NOON + timedelta(hours=3), 1, "demo", "ada")
    put(world, fresh(hold=hold))
    ticks(world, 180, IDLE)
    assert booked(world) == {UsageKind.KEPT_WARM: 180}


def test_idle_time_before_the_window_opens_is_its_own(world) -> None:
    late = {**PEAK, "start": "13:00"}
    put(world, fresh(), spec(NAME, scaling={"keep_alive": "3h"}, schedule={"windows": [late]}))
    ticks(world, 120, IDLE)
    assert booked(world) == {UsageKind.IDLE_TAIL: 60, UsageKind.KEPT_WARM: 60}


def test_short_pauses_in_a_window_are_part_of_serving(world) -> None:
    put(world, fresh(), spec(NAME, schedule={"windows": [PEAK]}))
    for _ in range(20):
        ticks(world, 4, IDLE)
        ticks(world, 1, BUSY)
    minutes = booked(world)
    assert minutes[UsageKind.SERVING] >= 99
    assert UsageKind.KEPT_WARM not in minutes


def test_without_a_minimum_idle_time_is_an_idle_tail(world) -> None:
    put(world, fresh(), spec(NAME, scaling={"keep_alive": "3h"}))
    ticks(world, 120, IDLE)
    assert booked(world) == {UsageKind.IDLE_TAIL: 120}


class TestSeveralInstances:
    """Of two or more, one goes before the sleep does."""

    FILE: ClassVar[dict[str, Any]] = {"max_copies": 3, "keep_alive": "30m"}

    def awake_with(self, instances: int, **changes: Any) -> MemoryWorld:
        world = memory_world()
        world.scaler.settle(NAME, instances)
        meter = Meter(instances=instances, instance_type=TYPE, kind=UsageKind.SERVING, since=NOON)
        status = awake(NAME, instances=instances, last_active_at=NOON, meters=(meter,))
        put(world, status, spec(NAME, **{"scaling": self.FILE, **changes}))
        return world

    def scaled(self, world: MemoryWorld, instances: int) -> None:
        world.scaler.settle(NAME, instances)

    def test_what_goes_while_idle_was_an_idle_tail_and_so_was_the_rest(self) -> None:
        world = self.awake_with(2)
        ticks(world, 10, BUSY)  # until 12:09
        ticks(world, 8, IDLE)
        self.scaled(world, 1)
        ticks(world, 2, IDLE)  # the first of them sees one, at 12:18
        assert booked(world) == {UsageKind.SERVING: 2 * 9, UsageKind.IDLE_TAIL: 2 * 9 + 2}

    def test_one_that_goes_after_the_other_is_no_work_of_the_third(self) -> None:
        world = self.awake_with(3)
        ticks(world, 1, BUSY)
        for left in (2, 1):
            ticks(world, 7, IDLE)
            self.scaled(world, left)
        ticks(world, 6, IDLE)
        assert set(booked(world)) == {UsageKind.IDLE_TAIL}

    def test_what_goes_between_two_requests_served(self) -> None:
        world = self.awake_with(2)
        ticks(world, 10, BUSY)
        ticks(world, 3, IDLE)
        self.scaled(world, 1)
        ticks(world, 1, IDLE)
        ticks(world, 6, BUSY)
        assert booked(world) == {UsageKind.SERVING: 2 * 13 + 7}

    def test_what_goes_while_another_works_served(self) -> None:
        world = self.awake_with(2)
        ticks(world, 10, BUSY)
        self.scaled(world, 1)
        ticks(world, 10, BUSY)
        assert booked(world) == {UsageKind.SERVING: 2 * 10 + 10}

    def test_where_a_signal_is_missing_nothing_is_called_idle(self) -> None:
        world = self.awake_with(2)
        ticks(world, 8, Load(backlog=0, concurrency_per_copy=None))
        self.scaled(world, 1)
        ticks(world, 1, Load(backlog=0, concurrency_per_copy=None))
        assert {one.kind for one in world.store.segments} == {UsageKind.SERVING}

    def test_what_was_kept_stays_kept_warm(self) -> None:
        world = self.awake_with(2, schedule={"windows": [PEAK]})
        ticks(world, 8, IDLE)
        self.scaled(world, 1)
        ticks(world, 8, IDLE)
        assert set(booked(world)) == {UsageKind.KEPT_WARM}

    def test_a_midnight_alone_closes_a_day_as_it_was(self) -> None:
        world = self.awake_with(2)
        ticks(world, 11 * 60 + 50, BUSY)
        ticks(world, 12, IDLE)  # and over midnight
        yesterday = [one for one in world.store.segments if one.end.date() > NOON.date()]
        assert [one.kind for one in yesterday] == [UsageKind.SERVING]

    def test_of_looks_far_between_it_is_known_too(self) -> None:
        world = self.awake_with(2)
        for instances in (2, 2, 1):
            world.clock.forward(minutes=5)
            self.scaled(world, instances)
            reconcile(world)
        assert {one.kind for one in world.store.segments} == {UsageKind.IDLE_TAIL}


def test_the_budget_of_a_month_agrees_with_its_cost(world) -> None:
    put(world, fresh(), spec(NAME, budget={"monthly_usd": 500}, schedule={"windows": [PEAK]}))
    for _ in range(40):
        world.clock.forward(seconds=1.234567)
        ticks(world, 7, BUSY)
        ticks(world, 6, IDLE)
    now = world.clock.now()
    month = Period.month(now.date())
    report = summarize(read_books(world.store, month), month, now, bundled())
    assert report.endpoints[0].cost.kept_warm > 0
    row = next(csv.DictReader(io.StringIO(render_csv(report))))
    assert row["budget_spent_usd"] == row["cost_usd"]
    assert Decimal(row["cost_usd"]) > 0
    budget = report.endpoints[0].budget
    assert budget is not None
    assert abs(budget.spent_usd - report.endpoints[0].cost.total) < Decimal("1e-20")


def test_what_is_closed_says_where_its_price_was_from(world) -> None:
    put(world, fresh(), spec(NAME))
    midnight = NOON.replace(hour=0) + timedelta(days=1)
    ticks(world, 13 * 60, BUSY)  # a day is closed at its midnight
    listed = {"ml.g6e.xlarge": Decimal("3.10")}
    world.store.keep_prices(PriceBook("eu-central-1", listed, midnight + timedelta(hours=1)))
    ticks(world, 60, BUSY)
    request_sleep(world, world.store.load(NAME), Cause.PERSON, "over")
    first, *_, last = sorted(world.store.segments, key=lambda one: one.start)
    table = f"table list us-east-1 {BUNDLED_ON}"
    assert (first.usd_per_hour, first.price_origin) == (usd_per_hour("ml.g6e.xlarge"), table)
    listed_on = f"list eu-central-1 {midnight.date()}"
    assert (last.usd_per_hour, last.price_origin) == (Decimal("3.10"), listed_on)
    world.clock.forward(minutes=5)  # what still runs is open, and priced too
    period = Period.since(NOON, world.clock.now())
    books = read_books(world.store, period)
    report = summarize(books, period, world.clock.now(), world.store.prices())
    (endpoint,) = report.endpoints
    origins = [span.price_origin for span in endpoint.timeline]
    assert (origins[0], origins[-2:]) == (table, [listed_on, listed_on])
    document = json.loads(report.model_dump_json())
    assert document["endpoints"][0]["timeline"][0]["price_origin"] == table


def test_of_what_an_older_release_closed_it_is_not_known() -> None:
    new = {"price_origin", "made_at"}
    closed = UsageSegment.model_validate(segment(NOON, 60).model_dump(mode="json", exclude=new))
    assert (closed.price_origin, closed.made_at) == (None, None)


def test_what_is_used_says_of_which_endpoint_of_its_name_it_is(world) -> None:
    """Closed at a midnight, over a gap, and still open; it failed once and was created anew."""
    first = NOON - timedelta(days=9)
    put(world, fresh(applied_at=first), spec(NAME))
    ticks(world, 13 * 60, BUSY)
    world.clock.forward(hours=3)
    world.scaler.settle(NAME, 2)
    ticks(world, 1, BUSY)
    now, closed = world.clock.now(), world.store.segments
    assert any(one.over_gap for one in closed)
    used = billed_segments(closed, world.store.load_all(), bundled(), NOON, now, now)
    assert len(used) > len(closed)
    assert {one.made_at for one in used} == {first}


def test_one_that_was_deleted_and_applied_again_is_another_one(world) -> None:
    record = put(world, fresh(), spec(NAME))
    gone = request_retirement(world, record, Cause.PERSON, discard_requests=True)
    world.clock.forward(minutes=5)
    world.scaler.capacities.clear()
    assert record_retired(world, NAME, gone.status.generation)
    world.clock.forward(hours=5)
    again = world.clock.now()
    _, status = apply(world, SETTING, document(NAME))
    world.clock.forward(minutes=1)
    assert record_staged(world, NAME, status.generation, "c" * 40, "s3://weights")
    world.clock.forward(minutes=4)
    world.scaler.settle(NAME, 1)
    assert record_awake(world, NAME, status.generation)
    assert {one.made_at for one in world.store.segments} == {NOON - timedelta(hours=1), again}
    now, period = world.clock.now(), Period.since(NOON, world.clock.now())
    report = summarize(read_books(world.store, period), period, now, bundled())
    assert report.total.baseline_usd == report.total.cost.total > 0
