"""A tick reads metrics when they matter, and misses nothing of the time in which it did not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from autoscaler.control import signals
from autoscaler.endpoints.status import UsageKind
from autoscaler.policy.types import Phase
from autoscaler.ports import Load
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import awake, put, spec, ticks

NAME = "llama"
IDLE = Load(backlog=0, concurrency_per_copy=0.0, invocations=0.0)
BUSY = Load(backlog=0, concurrency_per_copy=2.0, invocations=9.0, served_per_second=0.15)
PEAK = {"name": "peak", "days": ["tue"], "start": "11:00", "end": "21:00", "min_copies": 1}
MINUTE = timedelta(minutes=1)


@pytest.fixture
def world() -> MemoryWorld:
    return a_world()


def a_world(**changes: Any) -> MemoryWorld:
    world = memory_world()
    world.scaler.settle(NAME, 1)
    put(world, awake(NAME, last_active_at=NOON), spec(NAME, **changes))
    return world


def status(world: MemoryWorld) -> Any:
    return world.store.load(NAME).status


def test_of_an_hour_of_traffic_eight_looks_read_metrics(world) -> None:
    ticks(world, 60, BUSY)
    assert world.load.metrics_read == [NAME] * 8
    assert status(world).phase is Phase.AWAKE
    assert status(world).observed_at >= NOON + 58 * MINUTE, "every second look is stored"
    assert world.store.records[NAME].status.version == 33


def test_it_sleeps_in_the_minute_in_which_it_would_if_every_look_read_them(
    world, monkeypatch
) -> None:
    slept = {}
    for name, reads in (("when they matter", False), ("always", True)):
        world = a_world()
        if reads:
            monkeypatch.setattr(signals, "may_wait", lambda *_: False)
        ticks(world, 7, BUSY)
        ticks(world, 30, IDLE)
        slept[name] = (status(world).phase_since, status(world).last_active_at)
        assert status(world).phase is Phase.SLEEPING
    assert slept["when they matter"] == slept["always"] == (NOON + 16 * MINUTE, NOON + 6 * MINUTE)


def test_what_is_learned_is_what_every_look_would_have_learned(monkeypatch) -> None:
    learned = {}
    for name, reads in (("when they matter", False), ("always", True)):
        world = a_world(schedule={"time_zone": "UTC", "windows": [PEAK]})
        if reads:
            monkeypatch.setattr(signals, "may_wait", lambda *_: False)
        for idle in (3, 9, 27, 4, 14, 6, 31, 8):
            ticks(world, idle, IDLE)
            ticks(world, 2, BUSY)
        ticks(world, 16, IDLE)
        learned[name] = world.store.load(NAME).pattern
        assert (len(world.load.metrics_read) > 100) is reads
    assert learned["always"].pattern().gaps.total > 7
    assert learned["when they matter"] == learned["always"]


def test_another_number_of_copies_makes_it_read_at_once(world) -> None:
    ticks(world, 2, BUSY)
    world.scaler.settle(NAME, 2)
    ticks(world, 1, BUSY)
    assert world.load.metrics_read == [NAME, NAME]


def test_something_that_waits_makes_it_read_at_once(world) -> None:
    ticks(world, 2, BUSY)
    ticks(world, 1, Load(backlog=3, concurrency_per_copy=2.0))
    assert world.load.metrics_read == [NAME, NAME]


def test_kept_warm_ends_with_the_first_request_and_not_when_it_is_heard_of() -> None:
    world = a_world(schedule={"time_zone": "UTC", "windows": [PEAK]})
    ticks(world, 33, IDLE)
    ticks(world, 20, BUSY)  # from 12:33 on
    ends = [(s.kind, s.end) for s in world.store.segments if s.end > NOON + 10 * MINUTE]
    assert ends == [(UsageKind.KEPT_WARM, NOON + 32 * MINUTE)]
    (meter,) = status(world).meters
    assert (meter.kind, meter.since) == (UsageKind.SERVING, NOON + 32 * MINUTE)
