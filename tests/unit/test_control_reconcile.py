"""The tick: level-triggered, one endpoint's trouble is not another's."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from autoscaler.control.metering import running
from autoscaler.control.progress import record_asleep
from autoscaler.control.reconcile import ReconcileError, _urgency, reconcile
from autoscaler.control.wishes import FLOWS
from autoscaler.endpoints.status import Cause, Meter, UsageKind
from autoscaler.policy.forecast import Spending
from autoscaler.policy.types import Bounds, Hold, Phase
from autoscaler.ports import Capacity, Flow, Load
from autoscaler.spec import Kind
from tests.memory import MemoryWorld, memory_world
from tests.samples import asleep, awake, put, spec, ticks

NAME = "llama"
BUSY = Load(backlog=3, concurrency_per_copy=2.0, invocations=5.0)


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


def status(world: MemoryWorld):
    return world.store.records[NAME].status


def test_an_idle_endpoint_is_put_to_sleep_after_its_keep_alive(world) -> None:
    put(world, awake(NAME, last_active_at=world.clock.now() - timedelta(minutes=9)))
    world.scaler.settle(NAME, 1)
    reconcile(world)
    assert status(world).phase is Phase.AWAKE
    world.clock.forward(minutes=1)
    reconcile(world)
    assert status(world).phase is Phase.SLEEPING
    assert world.flows.started == [(Flow.SLEEP, NAME, 2)]


def test_whoever_moves_copies_sets_the_bounds_too_which_may_be_anothers(world) -> None:
    """A tick that raised them ended before it was stored, and nobody wants that size any more."""
    bounds, now = Bounds(1, 3), world.clock.now()
    file = spec(NAME, scaling={"max_copies": 3, "keep_alive": "1h"})
    put(world, awake(NAME, bounds=bounds, last_active_at=now), file)
    world.scaler.settle(NAME, 2)
    quiet = Load(backlog=0, concurrency_per_copy=0.1, invocations=1.0, seconds_per_request=5.0)
    ticks(world, 30, quiet)
    assert world.scaler.calls == [("bounds", NAME, bounds), ("copies", NAME, 1)]


def test_traffic_that_came_and_went_between_two_ticks_counts_as_activity(world) -> None:
    put(world, awake(NAME))
    world.scaler.settle(NAME, 1)
    world.load.loads[NAME] = Load(backlog=0, concurrency_per_copy=0.0, invocations=4.0)
    reconcile(world)
    assert status(world).phase is Phase.AWAKE
    assert status(world).last_active_at == world.clock.now()


def test_a_missing_signal_never_puts_to_sleep(world) -> None:
    put(world, awake(NAME))
    world.scaler.settle(NAME, 1)
    world.load.loads[NAME] = Load(backlog=0, concurrency_per_copy=None)
    world.clock.forward(hours=3)
    reconcile(world)
    assert status(world).phase is Phase.AWAKE


def test_a_backlog_wakes_even_if_no_dispatcher_did(world) -> None:
    put(world, asleep(NAME))
    world.load.loads[NAME] = Load(backlog=3, concurrency_per_copy=None)
    reconcile(world)
    assert status(world).phase is Phase.WAKING
    assert status(world).cause is Cause.BACKLOG


def test_a_window_with_a_minimum_wakes_a_lead_time_ahead(world) -> None:
    window = {"name": "peak", "days": ["tue"], "start": "12:04", "end": "18:00", "min_copies": 1}
    put(world, asleep(NAME), spec(NAME, schedule={"windows": [window]}))
    reconcile(world)
    assert (status(world).phase, status(world).cause) == (Phase.WAKING, Cause.WINDOW)


def test_bounds_move_before_copies(world) -> None:
    put(world, awake(NAME))
    world.scaler.settle(NAME, 1)
    world.load.loads[NAME] = Load(backlog=400, concurrency_per_copy=16.0)
    reconcile(world)
    assert world.scaler.calls == [("bounds", NAME, Bounds(2, 2)), ("copies", NAME, 2)]
    assert {"CopiesChanged", "BoundsChanged"} <= set(world.announcer.kinds())


def test_a_change_of_bounds_names_the_window_in_force(world) -> None:
    window = {"name": "peak", "days": ["tue"], "start": "08:00", "end": "18:00", "min_copies": 2}
    put(world, awake(NAME), spec(NAME, schedule={"windows": [window]}))
    world.scaler.settle(NAME, 1)
    reconcile(world)
    (told,) = (one for one in world.announcer.events if one.detail_type == "BoundsChanged")
    assert (told.after.min_copies, told.window) == (2, "peak")


def test_copies_wait_while_an_earlier_change_is_being_made(world) -> None:
    put(world, awake(NAME))
    world.scaler.settle(NAME, 1)
    world.scaler.capacities[NAME] = replace(world.scaler.look(NAME), status="Updating")
    world.load.loads[NAME] = Load(backlog=400, concurrency_per_copy=16.0)
    reconcile(world)
    assert [call[0] for call in world.scaler.calls] == ["bounds"]


def test_copies_set_to_zero_from_outside_are_put_right(world) -> None:
    put(world, awake(NAME))
    world.scaler.settle(NAME, 0)
    reconcile(world)
    assert (status(world).phase, status(world).cause) == (Phase.WAKING, Cause.DRIFT)


def test_instances_found_while_asleep_are_put_to_zero_and_billed(world) -> None:
    put(world, asleep(NAME, observed_at=world.clock.now() - timedelta(hours=1)))
    world.scaler.settle(NAME, 1)
    reconcile(world)
    assert (status(world).phase, status(world).cause) == (Phase.SLEEPING, Cause.DRIFT)
    assert running(status(world)) == {"ml.g6e.xlarge": 1}


@pytest.mark.parametrize("phase", [Phase.AWAKE, Phase.ASLEEP, Phase.WAKING, Phase.SLEEPING])
def test_an_endpoint_deleted_from_outside_is_said_to_have_failed(world, phase) -> None:
    old = world.clock.now() - timedelta(hours=1)
    put(world, awake(NAME, phase=phase, observed_at=old, phase_since=world.clock.now()))
    if phase in FLOWS:
        world.flows.start(FLOWS[phase], NAME, 1)
    world.scaler.capacities[NAME] = Capacity(exists=False)
    reconcile(world)
    assert (status(world).phase, status(world).failed_in) == (Phase.FAILED, phase)
    assert "deleted from outside" in (status(world).failure or "")
    assert world.announcer.kinds() == ["EndpointFailed"]
    assert world.flows.stopped == ([(FLOWS[phase], NAME, 1)] if phase in FLOWS else [])
    assert status(world).meters == ()


def test_that_an_endpoint_is_gone_is_believed_when_it_was_said_twice(world) -> None:
    put(world, awake(NAME))
    world.scaler.settle(NAME, 1)
    world.load.loads[NAME] = Load(0, 1.0)
    look, answers = world.scaler.look, [Capacity(exists=False)]
    world.scaler.look = lambda *asked: answers.pop() if answers else look(*asked)
    reconcile(world)
    assert not answers, "the wrong answer was given"
    assert status(world).phase is Phase.AWAKE
    assert running(status(world)) == {"ml.g6e.xlarge": 1}


@pytest.mark.parametrize(("phase", "looks"), [(Phase.ASLEEP, 4), (Phase.AWAKE, 60)])
def test_one_that_sleeps_is_looked_at_four_times_an_hour(world, phase, looks) -> None:
    at_rest = awake(NAME) if phase is Phase.AWAKE else asleep(NAME)
    put(world, at_rest.model_copy(update={"observed_at": world.clock.now()}))
    world.scaler.settle(NAME, 1 if phase is Phase.AWAKE else 0)
    world.load.loads[NAME] = Load(0, 1.0 if phase is Phase.AWAKE else None)
    look, seen = world.scaler.look, []
    world.scaler.look = lambda *asked: (seen.append(asked), look(*asked))[1]
    for _ in range(60):
        world.clock.forward(minutes=1)
        reconcile(world)
    assert status(world).phase is phase
    assert len(seen) == looks


def test_what_is_left_of_an_endpoint_that_lost_its_component_is_removed(world) -> None:
    put(world, awake(NAME))
    world.scaler.capacities[NAME] = Capacity(exists=False, instances_by_type={"ml.g6e.xlarge": 1})
    reconcile(world)
    reconcile(world)
    assert world.flows.started == [(Flow.REMOVE, NAME, 3)]
    assert running(status(world)) == {"ml.g6e.xlarge": 1}, "it is billed until it is gone"


def test_copies_that_failed_for_good_go_to_zero_and_are_woken_again_later(world) -> None:
    put(world, awake(NAME))
    world.scaler.settle(NAME, 1)
    failed = {"current_copies": 0, "status": "Failed", "failure": "container exited"}
    world.scaler.capacities[NAME] = replace(world.scaler.look(NAME), **failed)
    world.load.loads[NAME] = BUSY
    reconcile(world)
    assert (status(world).phase, status(world).cause) == (Phase.SLEEPING, Cause.FAILED_WAKE)
    assert "container exited" in (status(world).failure or "")
    assert world.announcer.kinds() == ["CapacityMissing"]
    world.scaler.settle(NAME, 0)
    assert record_asleep(world, NAME, status(world).generation)
    reconcile(world)
    assert status(world).phase is Phase.ASLEEP, "not at once, though requests wait"
    world.clock.forward(hours=1)
    reconcile(world)
    assert (status(world).phase, status(world).cause) == (Phase.WAKING, Cause.BACKLOG)


def test_a_failed_change_that_left_copies_is_tried_again(world) -> None:
    put(world, awake(NAME))
    world.scaler.settle(NAME, 1)
    world.scaler.capacities[NAME] = replace(world.scaler.look(NAME), status="Failed")
    world.load.loads[NAME] = Load(backlog=400, concurrency_per_copy=16.0)
    reconcile(world)
    assert world.scaler.calls[-1] == ("copies", NAME, 2)


def test_a_failed_endpoint_that_still_has_instances_loses_them(world) -> None:
    put(world, asleep(NAME, phase=Phase.FAILED, observed_at=None))
    world.scaler.settle(NAME, 1)
    reconcile(world)
    assert world.flows.started == [(Flow.REMOVE, NAME, 2)]


def test_a_hold_keeps_it_awake_and_expires_by_itself(world) -> None:
    hold = Hold(world.clock.now() + timedelta(hours=1), 1, "demo", "ada")
    put(world, awake(NAME, hold=hold))
    world.scaler.settle(NAME, 1)
    reconcile(world)
    assert status(world).phase is Phase.AWAKE
    world.clock.forward(hours=1)
    reconcile(world)
    assert status(world).phase is Phase.SLEEPING


def test_one_endpoint_that_cannot_be_reconciled_does_not_stop_the_others(world) -> None:
    put(world, awake("broken"))
    put(world, awake(NAME, last_active_at=world.clock.now() - timedelta(hours=1)))
    world.scaler.settle(NAME, 1)
    world.scaler.settle("broken", 1)
    real_look = world.scaler.look

    def look(name: str, *kind: Kind) -> Capacity:
        if name == "broken":
            raise TimeoutError("SageMaker did not answer")
        return real_look(name, *kind)

    world.scaler.look = look  # type: ignore[method-assign]
    with pytest.raises(ReconcileError, match=r"broken.*SageMaker did not answer"):
        reconcile(world)
    assert status(world).phase is Phase.SLEEPING


def test_somebody_else_writing_first_is_left_to_the_next_tick(world) -> None:
    """And it is done then, by what is there then: nothing of the tick that lost is left."""
    put(world, awake(NAME, last_active_at=world.clock.now() - timedelta(hours=1)))
    world.scaler.settle(NAME, 1)
    world.store.conflicts_to_come = 1
    assert reconcile(world).conflicts == [NAME]
    assert (status(world).phase, world.flows.started) == (Phase.AWAKE, [])
    assert (world.store.segments, world.announcer.events) == ([], [])
    world.clock.forward(minutes=1)
    assert reconcile(world).conflicts == []
    assert (status(world).phase, world.flows.started) == (Phase.SLEEPING, [(Flow.SLEEP, NAME, 2)])


def test_the_busy_are_left_alone(world) -> None:
    put(world, awake(NAME))
    world.scaler.settle(NAME, 1)
    world.load.loads[NAME] = BUSY
    for _ in range(5):
        world.clock.forward(minutes=1)
        reconcile(world)
    assert world.scaler.calls == []
    assert world.announcer.events == []


def test_an_endpoint_whose_queue_cannot_be_read_is_told_and_the_others_are_done(world) -> None:
    put(world, asleep("busy"))
    put(world, asleep(NAME))
    world.load.loads["busy"] = Load(None, None, trouble="its queue could not be read: throttled")
    world.load.loads[NAME] = Load(backlog=3, concurrency_per_copy=None)
    with pytest.raises(ReconcileError, match=r"busy.*its queue could not be read: throttled"):
        reconcile(world)
    assert status(world).phase is Phase.WAKING
    assert world.store.records["busy"].status.phase is Phase.ASLEEP


def test_when_its_time_is_over_a_tick_begins_no_endpoint_and_says_which_it_left(world) -> None:
    put(world, asleep(NAME))
    world.load.loads[NAME] = Load(backlog=3, concurrency_per_copy=None)
    with pytest.raises(ReconcileError, match=f"{NAME}.*comes first in the next one"):
        reconcile(world, patience_seconds=-1)
    assert status(world).phase is Phase.ASLEEP
    reconcile(world, patience_seconds=60)
    assert status(world).phase is Phase.WAKING


def test_who_was_left_out_longest_comes_first_and_who_rests_comes_last(world) -> None:
    now = world.clock.now()
    put(world, asleep("resting", observed_at=now - timedelta(minutes=14)))
    put(world, awake("seen", observed_at=now - timedelta(minutes=1)))
    put(world, awake("left", observed_at=now - timedelta(minutes=3)))
    records = sorted(world.store.load_all(), key=_urgency)
    assert [record.status.name for record in records] == ["left", "seen", "resting"]


def test_endpoints_are_looked_at_several_at_a_time(world) -> None:
    """Each look waits until two of them are under way: one after the other none would end."""
    together = threading.Barrier(2, timeout=10)
    for name in ("a", "b"):
        put(world, awake(name))
        world.scaler.settle(name, 1)
    look = world.scaler.look
    world.scaler.look = lambda name, *kind: (together.wait(), look(name))[1]
    assert reconcile(world).endpoints == 2


def test_the_tick_says_what_the_dashboard_shows(world) -> None:
    """Copies of whoever is not at rest, and the day's dollars of all: open meters too."""
    put(world, awake(NAME))
    today, month = world.clock.now().date(), {"spent_usd": Decimal(30), "spent_in": "2026-11"}
    put(world, asleep("resting", spending=Spending(today, Decimal(7)), **month))
    yesterday = Spending(today - timedelta(days=1), Decimal(9))
    put(world, asleep("stale", spending=yesterday, **month))
    put(world, asleep("left-over", observed_instances=1))
    world.scaler.settle(NAME, 1)
    outcome = reconcile(world)
    assert outcome.copies == {NAME: 1, "left-over": 0}
    assert outcome.spent_today_usd == Decimal(7) + Decimal("2.61")  # an hour awake


@pytest.mark.parametrize("began", ["2026-11-30T22:00", "2026-11-23T22:00"])
def test_the_days_dollars_begin_at_midnight_though_nobody_looked_then(world, began) -> None:
    """On the first of a month as on any other day."""
    before = datetime.fromisoformat(f"{began}+00:00")
    meter = Meter(instances=1, instance_type="ml.g6e.xlarge", kind=UsageKind.SERVING, since=before)
    put(world, awake(NAME, at=before, meters=(meter,), spending=Spending(before.date())))
    world.scaler.settle(NAME, 1)
    world.load.loads[NAME] = BUSY
    world.clock.moment = before + timedelta(hours=5)  # three of them on the new day
    assert reconcile(world).spent_today_usd == 3 * Decimal("2.61")


@pytest.mark.parametrize(
    ("phase", "copies", "rests"),
    [
        (Phase.ASLEEP, 0, True),
        (Phase.FAILED, 0, True),
        (Phase.WAKING, 0, True),  # there is no copy whose metrics there could be
        (Phase.WAKING, 1, False),
        (Phase.CREATING, 0, True),
        (Phase.SLEEPING, 0, False),  # a request that it still answers turns it round
        (Phase.AWAKE, 0, False),  # or its missing signal would be noticed by nobody
    ],
)
def test_metrics_are_read_of_whatever_may_have_a_copy(world, phase, copies, rests) -> None:
    asked: list[set[str]] = []
    read = world.load.read
    world.load.read = lambda *a, resting=(), **k: (
        asked.append(set(resting)) or read(*a, resting=resting, **k)
    )
    put(world, awake(NAME, phase=phase, observed_copies=copies))
    reconcile(world)
    assert asked == [{NAME} if rests else set()]


def test_a_look_at_what_goes_on_as_before_writes_once(world) -> None:
    put(world, awake(NAME))
    world.scaler.settle(NAME, 1)
    world.load.loads[NAME] = Load(backlog=1, concurrency_per_copy=1.0)
    for _ in range(3):  # bounds, reasons and recommendations are settled after them
        reconcile(world)
        world.clock.forward(minutes=1)
    before = status(world).version
    reconcile(world)
    assert status(world).version == before + 1
    assert status(world).observed_at == world.clock.now()
