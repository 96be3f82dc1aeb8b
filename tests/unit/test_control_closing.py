"""A closed window in the flows: who is put to zero, who is told what, and what a person can do."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from autoscaler.alerts.events.base import Severity
from autoscaler.control import orders, overrides
from autoscaler.control.awake import record_awake
from autoscaler.control.closing import closed, why_requests_wait
from autoscaler.control.in_force import Kind
from autoscaler.control.messages import Message
from autoscaler.control.overrides import Asked
from autoscaler.control.patience import expected_ready, held_up, time_until_ready
from autoscaler.control.preview import preview
from autoscaler.control.reconcile import reconcile
from autoscaler.control.retry import retry
from autoscaler.control.size import may_sleep
from autoscaler.control.wishes import may_not_wake
from autoscaler.control.world import OrderError
from autoscaler.endpoints.status import Cause, EndpointRecord, EndpointStatus, UsageKind
from autoscaler.gateway.waiting import because
from autoscaler.policy.types import Bounds, OverrideKind, Phase
from autoscaler.ports import Load
from tests.desk import TestDesk, dispatch, memory_desk, message
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, awake, put, spec

NAME = "llama"
# NOON is a Tuesday; a start is thought to take 5 minutes, and a tick comes every minute.
CLOSED = {"name": "night", "days": ["tue"], "start": "11:00", "end": "14:00", "max_copies": 0}
ENDS = NOON + timedelta(hours=2)
WHY = "llama sleeps, even for requests: window night keeps it closed until 24 Nov 14:00 UTC"
WAITING = Load(backlog=4, concurrency_per_copy=None)
IDLE = Load(backlog=0, concurrency_per_copy=0.0)


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


def with_windows(*windows: Any) -> dict[str, Any]:
    return {"schedule": {"windows": list(windows)}}


def put_closed(world: MemoryWorld, status: EndpointStatus, *more: Any) -> EndpointRecord:
    record = put(world, status, spec(NAME, **with_windows(CLOSED, *more)))
    world.scaler.settle(NAME, status.observed_copies)
    return record


def status_of(world: MemoryWorld) -> EndpointStatus:
    return world.store.records[NAME].status


def asking(number: int, **options: str) -> Message:
    return message(number, {"id": f"r-{number}", "prompt": "why?", "autoscaler": options})


def hours(count: float = 1) -> Asked:
    return Asked(timedelta(hours=count), "a demo", "ada")


def look_at(world: MemoryWorld, moment: datetime) -> EndpointStatus:
    world.clock.forward(seconds=(moment - world.clock.now()).total_seconds())
    reconcile(world)
    return status_of(world)


@pytest.mark.parametrize("load", [IDLE, Load(backlog=4, concurrency_per_copy=2.0)])
def test_who_is_awake_is_put_to_zero_and_no_request_turns_that_round(world, load) -> None:
    put_closed(world, awake(NAME))
    world.load.loads[NAME] = load
    reconcile(world)
    assert (status_of(world).phase, status_of(world).cause) == (Phase.SLEEPING, Cause.WINDOW)
    assert may_sleep(world, NAME, status_of(world).generation)
    assert status_of(world).phase is Phase.SLEEPING


def test_requests_wait_and_their_senders_are_told_until_when(world) -> None:
    record, now = put_closed(world, asleep(NAME)), NOON
    assert may_not_wake(record, now)
    assert why_requests_wait(record, now) == held_up(record, now) == WHY
    assert because(record, now) == {"because": WHY}
    # The wake begins a lead time and a tick before the end.
    assert expected_ready(record, now) == timedelta(hours=2) - timedelta(minutes=1)
    assert time_until_ready(record, now, now) == timedelta(minutes=30)
    shown = orders.describe(world, record, False)
    assert shown["closed"] == {"window": "night", "until": ENDS.isoformat()}


def test_what_waits_wakes_it_one_lead_time_and_a_tick_before_the_window_ends(world) -> None:
    put_closed(world, asleep(NAME))
    world.load.loads[NAME] = WAITING
    assert look_at(world, ENDS - timedelta(minutes=7)).phase is Phase.ASLEEP
    after = look_at(world, ENDS - timedelta(minutes=6))
    assert (after.phase, after.cause, after.wish_copies) == (Phase.WAKING, Cause.BACKLOG, 1)
    assert orders.describe(world, world.store.records[NAME], False)["closed"] is None


def test_a_window_that_follows_has_its_copies_in_time_and_is_counted_from_its_edge(world) -> None:
    day = {"name": "day", "days": ["tue"], "start": "14:00", "end": "18:00", "min_copies": 1}
    put_closed(world, asleep(NAME), day)
    world.load.loads[NAME] = Load(backlog=0, concurrency_per_copy=None)
    assert look_at(world, ENDS - timedelta(minutes=7)).phase is Phase.ASLEEP
    after = look_at(world, ENDS - timedelta(minutes=6))
    assert (after.phase, after.cause) == (Phase.WAKING, Cause.WINDOW)
    assert after.meters[0].kind is UsageKind.PROVISIONING


def test_people_hear_of_it_once_a_day_and_not_as_of_a_trouble(world) -> None:
    put_closed(world, asleep(NAME))
    world.load.loads[NAME] = WAITING
    for _ in range(3):
        look_at(world, world.clock.now() + timedelta(minutes=1))
    (told,) = [event for event in world.announcer.events if event.detail_type == "WakeDelayed"]
    assert (told.window, told.until, told.severity) == ("night", ENDS, Severity.INFO)


def test_a_message_wakes_nothing_and_one_that_expires_is_told_why() -> None:
    desk: TestDesk = memory_desk()
    put_closed(desk.world, asleep(NAME))
    assert dispatch(desk, NAME, [asking(1, ttl="64s"), asking(2)]) == ["m-1", "m-2"]
    assert desk.world.flows.started == []
    desk.world.clock.forward(seconds=61)
    assert dispatch(desk, NAME, [asking(1, ttl="64s")]) == []
    assert WHY in desk.results.stored[f"{NAME}/r-1"]["error"]


def test_a_message_may_wake_it_as_soon_as_a_start_ends_with_the_window() -> None:
    desk: TestDesk = memory_desk()
    put_closed(desk.world, asleep(NAME))
    desk.world.clock.forward(minutes=114)
    assert dispatch(desk, NAME, [asking(1)]) == ["m-1"]
    assert [started[1] for started in desk.world.flows.started] == [NAME]


class TestPersons:
    def test_a_wake_by_hand_is_refused_and_says_what_keeps_it_awake(self, world) -> None:
        put_closed(world, asleep(NAME))
        with pytest.raises(OrderError) as refused:
            orders.wake(world, NAME, "bob")
        assert str(refused.value) == (
            "llama would be put to sleep again at once: window night keeps it closed until 24 Nov "
            "14:00 UTC; keep it awake for a while: autoscaler keep-warm llama --for 1h"
        )
        assert status_of(world).phase is Phase.ASLEEP

    def test_nor_is_a_failed_wake_tried_again_by_hand(self, world) -> None:
        put_closed(world, asleep(NAME, retry_at=NOON + timedelta(minutes=5)))
        with pytest.raises(OrderError, match="window night keeps it closed"):
            retry(world, NAME, "bob")

    @pytest.mark.parametrize("kind", [Kind.KEEP_WARM, Kind.HOLD])
    def test_warmth_and_a_hold_wake_it_at_once_and_keep_it(self, world, kind) -> None:
        put_closed(world, asleep(NAME))
        if kind is Kind.HOLD:
            after = overrides.hold(world, NAME, 1, hours())
        else:
            after = overrides.override(world, NAME, OverrideKind.KEEP_WARM, hours())
        assert after.phase is Phase.WAKING
        assert closed(world.store.records[NAME], NOON) is None

    def test_when_that_is_over_it_is_put_to_sleep_again(self, world) -> None:
        put_closed(world, awake(NAME))
        world.load.loads[NAME] = IDLE
        overrides.override(world, NAME, OverrideKind.KEEP_WARM, hours())
        assert look_at(world, NOON + timedelta(minutes=59)).phase is Phase.AWAKE
        assert look_at(world, NOON + timedelta(minutes=61)).phase is Phase.SLEEPING


@pytest.mark.parametrize("phase", [Phase.CREATING, Phase.WAKING])
def test_who_comes_awake_in_it_keeps_its_copy_until_its_sleep_takes_it(world, phase) -> None:
    """Bounds of zero would take it before the wake is recorded, if that takes a second try."""
    put_closed(world, asleep(NAME, phase=phase, generation=2))
    world.scaler.settle(NAME, 1)
    world.load.loads[NAME] = IDLE
    world.store.conflicts_to_come = 1
    assert record_awake(world, NAME, 2)
    assert {bounds for _, _, bounds in world.scaler.calls} == {Bounds(1, 1)}
    reconcile(world)
    assert (status_of(world).phase, status_of(world).cause) == (Phase.SLEEPING, Cause.WINDOW)


def test_copies_that_are_gone_are_not_put_back(world) -> None:
    put_closed(world, awake(NAME))
    world.scaler.settle(NAME, 0)
    world.load.loads[NAME] = WAITING
    reconcile(world)
    assert (status_of(world).phase, status_of(world).cause) == (Phase.SLEEPING, Cause.WINDOW)


def test_idle_hours_in_it_are_nobodys_wish(world) -> None:
    """`min_copies` of the spec do not hold in it: what still runs is no copy that is kept."""
    record = put(world, awake(NAME), spec(NAME, scaling={"min_copies": 1}, **with_windows(CLOSED)))
    world.scaler.settle(NAME, 1)
    world.load.loads[NAME] = Load(backlog=None, concurrency_per_copy=None)
    world.clock.forward(minutes=10)
    reconcile(world)
    assert record.spec.scaling.min_copies == 1
    assert {one.kind for one in world.store.segments} <= {UsageKind.SERVING, UsageKind.IDLE_TAIL}


def test_a_new_file_that_is_closed_now_says_so() -> None:
    lines = list(preview(spec(NAME, **with_windows(CLOSED)), None, NOON))
    assert "copies: none, closed (window night) until 2026-11-24 14:00 UTC" in lines
