"""The clocks of functions, of SQS and of Step Functions differ: nothing is decided twice, nothing
is billed backwards, and no request is taken for old or for new because of it."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from autoscaler.control.reconcile import reconcile
from autoscaler.control.wishes import request_wake
from autoscaler.endpoints.status import Cause
from autoscaler.policy.types import Phase
from autoscaler.ports import Flow, Load
from tests.desk import NAME, dispatch, memory_desk, message
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, awake, put

SKEWS = [timedelta(seconds=s) for s in (-300, -30, -1, 1, 30, 300)]
IDLE = Load(backlog=0, concurrency_per_copy=0.0, invocations=0.0)
BUSY = Load(backlog=2, concurrency_per_copy=2.0, invocations=5.0)


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_a_ledger_that_two_clocks_write_has_no_gap_no_overlap_and_no_negative_time(
    world, skew
) -> None:
    """Each change is seen by one clock, and the change back by the other, half a second later: for
    one of the two it was before it."""
    put(world, awake(NAME))
    began = world.store.records[NAME].status.meters[0].since
    world.load.loads[NAME] = BUSY
    backwards = 0
    for minute in range(30):
        for step, copies in enumerate((2, 1)):
            other = skew if (minute + step) % 2 else timedelta(0)
            world.clock.moment = NOON + timedelta(minutes=minute, seconds=step / 2) + other
            world.scaler.settle(NAME, copies)
            (meter,) = world.store.records[NAME].status.meters
            changes = meter.instances != copies
            backwards += changes and world.clock.moment < meter.since
            reconcile(world)
    assert backwards, "no clock was behind at a change"
    segments = sorted(world.store.segments, key=lambda one: one.start)
    assert len(segments) > 3
    assert segments[0].start == began
    assert all(one.end > one.start for one in segments)
    assert all(after.start >= before.end for before, after in pairwise(segments))
    until = world.store.records[NAME].status.meters[0].since
    seconds = sum((one.end - one.start).total_seconds() for one in segments)
    assert seconds == (until - began).total_seconds(), "every second once"


@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_two_ticks_with_different_clocks_put_to_sleep_once(world, skew) -> None:
    put(world, awake(NAME, last_active_at=NOON - timedelta(minutes=11)))
    world.scaler.settle(NAME, 1)
    world.load.loads[NAME] = IDLE
    reconcile(world)
    world.clock.moment = NOON + skew
    reconcile(world)
    assert world.flows.started == [(Flow.SLEEP, NAME, 2)]
    assert world.store.records[NAME].status.generation == 2


@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_a_tick_whose_clock_is_not_the_dispatchers_leaves_a_wake_alone(world, skew) -> None:
    record = put(world, asleep(NAME))
    world.scaler.settle(NAME, 0)
    request_wake(world, record, Cause.MESSAGE, 1, "A request is waiting.")
    world.clock.moment = NOON + skew
    reconcile(world)
    now = world.store.records[NAME].status
    assert (now.phase, now.generation, now.failed_wakes) == (Phase.WAKING, 2, 0)
    assert world.flows.started == [(Flow.WAKE, NAME, 2)]


@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_a_request_that_was_sent_by_another_clock_is_answered(skew) -> None:
    desk = memory_desk()
    put(desk.world, awake(NAME))
    desk.world.scaler.settle(NAME, 1)
    assert dispatch(desk, NAME, [message(waited=-skew.total_seconds())]) == []
    assert "answer" in desk.results.stored[f"{NAME}/r-1"]


@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_a_request_has_its_time_but_for_what_its_clock_is_late(skew) -> None:
    """A `ttl` counts from SQS's clock, a `deadline` is by the sender's: both end by ours."""
    for ttl, answered in (("301s", True), ("30s", skew > timedelta(seconds=-30))):
        desk = memory_desk()
        put(desk.world, awake(NAME))
        desk.world.scaler.settle(NAME, 1)
        body = {"prompt": "x", "autoscaler": {"id": "r-1", "ttl": ttl}}
        dispatch(desk, NAME, [message(1, body, waited=-skew.total_seconds())])
        result = desk.results.stored[f"{NAME}/r-1"]
        assert ("answer" in result) == answered, result
        assert answered or result["code"] == "expired"


@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_a_request_that_waits_comes_back_in_time_whatever_clock_sent_it(skew) -> None:
    desk = memory_desk()
    put(desk.world, asleep(NAME))
    assert dispatch(desk, NAME, [message(waited=-skew.total_seconds())]) == ["m-1"]
    (delay,) = desk.requests.postponed
    assert timedelta(0) <= delay <= timedelta(minutes=15)
    assert desk.world.store.records[NAME].status.phase is Phase.WAKING
    assert (desk.results.stored, desk.requests.refused) == ({}, [])
