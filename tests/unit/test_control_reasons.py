"""Why an endpoint is as it is can be asked for; a wake that has to wait is told, once a day."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from autoscaler.alerts.message import message_of
from autoscaler.control import orders
from autoscaler.control.reconcile import reconcile
from autoscaler.policy.types import Phase, ReasonCode
from autoscaler.ports import Flow, Load
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, put, spec

NAME = "llama"
WAITING = Load(backlog=7, concurrency_per_copy=None)
SPENT: dict[str, Any] = {"wakes_on": NOON.date(), "wakes_today": 3}
LIMITED = {"budget": {"wakes_per_day": 3}}


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


def sleeping(world: MemoryWorld, load: Load = WAITING, **changes: Any) -> None:
    put(world, asleep(NAME, **changes), spec(NAME, **LIMITED))
    world.scaler.settle(NAME, 0)
    world.load.loads[NAME] = load


def ticks(world: MemoryWorld, count: int) -> None:
    for _ in range(count):
        reconcile(world)
        world.clock.forward(minutes=1)


def delays(world: MemoryWorld) -> list[Any]:
    return [event for event in world.announcer.events if event.detail_type == "WakeDelayed"]


def test_requests_that_wait_because_the_wakes_are_spent_are_told_once_a_day(world) -> None:
    sleeping(world, **SPENT)
    ticks(world, 30)
    assert world.flows.started == []
    (told,) = delays(world)
    assert (told.reason, told.waiting, told.wakes_today) == (ReasonCode.WAKES_SPENT, 7, 3)
    assert told.until == NOON + timedelta(hours=12)
    assert [e.text for e in world.store.entries if "3 of 3 wakes are spent today" in e.text]


def test_after_midnight_it_wakes_and_a_new_day_is_told_anew(world) -> None:
    sleeping(world, **SPENT)
    ticks(world, 1)
    world.clock.forward(hours=13)
    ticks(world, 1)
    assert world.flows.started == [(Flow.WAKE, NAME, 2)]
    world.flows.states.clear()
    world.store.records.clear()
    day = world.clock.now().date()
    sleeping(world, wakes_on=day, wakes_today=3)
    ticks(world, 2)
    first, second = delays(world)
    assert first.dedupe_key != second.dedupe_key


def test_a_wake_that_backs_off_is_told_with_the_time_of_the_next_try(world) -> None:
    retry_at = NOON + timedelta(minutes=20)
    sleeping(world, retry_at=retry_at)
    ticks(world, 10)
    (told,) = delays(world)
    assert told.until == retry_at
    assert "tried again at 24 Nov 12:20 UTC" in message_of(told).body


def test_what_sleeps_and_is_not_wanted_tells_nothing(world) -> None:
    sleeping(world, Load(backlog=0, concurrency_per_copy=None), **SPENT)
    ticks(world, 30)
    assert delays(world) == []


def test_people_can_ask_for_the_last_reason(world) -> None:
    sleeping(world, **SPENT)
    ticks(world, 1)
    seen = orders.describe(world, world.store.records[NAME], with_history=True)
    assert "3 of 3 wakes are spent today: 7 requests" in seen["last_reason"]
    assert seen["last_reason_at"] == "2026-11-24T12:00:00Z"
    assert any("3 of 3 wakes are spent" in line["text"] for line in seen["history"])


def test_the_same_reasons_are_stored_once_and_others_when_they_come(world) -> None:
    sleeping(world, Load(backlog=0, concurrency_per_copy=None))
    ticks(world, 1)
    before = world.store.records[NAME].status
    assert before.last_reason
    ticks(world, 10)
    assert world.store.records[NAME].status.version == before.version, "no write a tick"
    world.load.loads[NAME] = WAITING
    ticks(world, 1)
    after = world.store.records[NAME].status
    assert (after.phase, after.reasons[-1]) == (Phase.WAKING, ReasonCode.BACKLOG_WAITING)
    assert after.last_reason_at == NOON + timedelta(minutes=11)
