"""Copies that do not come while others serve: no more are asked for, and it is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.control.reconcile import reconcile
from autoscaler.control.shortage import FIRST_PAUSE, PATIENCE
from autoscaler.endpoints.status import EndpointStatus
from autoscaler.policy.types import Hold
from autoscaler.ports import Capacity
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import awake, put
from tests.unit.test_container_log import BANNER, ENDED, OOM

UP = "INFO:     Application startup complete."
NAME = "llama"
TWO = Hold(until=NOON + timedelta(days=1), min_copies=2, reason="a demo", author="ada")


@pytest.fixture
def world() -> MemoryWorld:
    world = memory_world()
    put(world, awake(NAME, desired_copies=2, hold=TWO, wished_at=NOON - timedelta(hours=1)))
    short(world)
    return world


def short(world: MemoryWorld, **seen: object) -> None:
    there = Capacity(
        exists=True,
        desired_copies=2,
        current_copies=1,
        instances_by_type={"ml.g6e.xlarge": 2},
        status="Updating",
    )
    world.scaler.capacities[NAME] = replace(there, **seen)  # type: ignore[arg-type]


def status(world: MemoryWorld) -> EndpointStatus:
    return world.store.records[NAME].status


def copies(world: MemoryWorld) -> int:
    return world.scaler.look(NAME).desired_copies


def test_a_copy_may_take_its_time(world) -> None:
    reconcile(world)
    world.clock.forward(minutes=19)
    reconcile(world)
    assert (copies(world), status(world).reach) == (2, None)
    assert "CopiesMissing" not in world.announcer.kinds()


@pytest.mark.parametrize("gave_up", [False, True])
def test_what_does_not_come_is_given_up_and_said_once(world, gave_up) -> None:
    reconcile(world)
    if gave_up:
        short(world, status="InService", failure="did not pass the ping health check")
    else:
        short(world, status="InService")
        world.clock.forward(seconds=PATIENCE.total_seconds())
    reconcile(world)
    assert copies(world) == 1, "in spite of the hold: what does not come up is only paid for"
    assert world.announcer.kinds().count("CopiesMissing") == 1
    world.scaler.settle(NAME, 1)
    world.clock.forward(minutes=5)
    reconcile(world)
    assert (copies(world), status(world).bounds.max_copies) == (1, 1)
    assert world.announcer.kinds().count("CopiesMissing") == 1


def test_it_is_tried_again_after_the_pause_which_doubles(world) -> None:
    for times in (1, 2):
        short(world, status="InService", failure="no")
        reconcile(world)
        reach = status(world).reach
        assert reach is not None
        assert reach.until - world.clock.now() == FIRST_PAUSE * times
        world.scaler.settle(NAME, 1)
        world.clock.moment = reach.until
        reconcile(world)
        assert copies(world) == 2, "the hold asks for two again"


def test_when_they_come_after_all_nothing_is_capped_any_more(world) -> None:
    short(world, status="InService", failure="no")
    reconcile(world)
    reach = status(world).reach
    assert reach is not None
    world.clock.moment = reach.until
    world.scaler.settle(NAME, 1)
    reconcile(world)
    short(world)
    reconcile(world)
    world.scaler.settle(NAME, 2)
    reconcile(world)
    assert (status(world).reach, status(world).shortages, copies(world)) == (None, 0, 2)


def serving(world: MemoryWorld) -> None:
    """One came up an hour ago, and complains of requests since."""
    world.logs.say(NOON - timedelta(minutes=59), BANNER, UP, stream="serves")
    for minute in range(0, 30, 5):
        at = NOON + timedelta(minutes=minute)
        world.logs.say(at, "ERROR FileNotFoundError: an image of a request", stream="serves")


def told(world: MemoryWorld) -> list[str]:
    return [e.failure for e in world.announcer.events if e.detail_type == "CopiesMissing"]


def test_a_copy_that_dies_beside_one_that_serves_is_told_with_its_words_in_two_minutes(
    world,
) -> None:
    serving(world)
    world.logs.say(NOON + timedelta(seconds=20), BANNER, f"ERROR {OOM}", ENDED, stream="dies")
    for _minute in range(2):
        reconcile(world)
        world.clock.forward(minutes=1)
    (failure,) = told(world)
    assert "out of accelerator memory" in failure
    assert "serving.context_tokens" in failure
    assert status(world).bounds.max_copies == 1, "no more are asked for, by whomever"
    assert any("out of accelerator memory" in e.text for e in world.store.history(NAME))
    short(world, status="InService")
    reconcile(world)
    assert copies(world) == 1, "as soon as SageMaker takes a change"


def test_what_copies_that_serve_or_came_up_after_all_say_is_no_crash(world) -> None:
    serving(world)
    late = NOON + timedelta(seconds=10)
    world.logs.say(late, BANNER, f"ERROR {OOM}", ENDED, BANNER, UP, stream="came up")
    world.logs.say(late, BANNER, "INFO Loading weights", stream="is on its way")
    for _minute in range(19):
        reconcile(world)
        world.clock.forward(minutes=1)
    assert (told(world), copies(world)) == ([], 2)
    assert world.logs.asked, "it was listened to"


def test_a_copy_that_died_while_it_served_counts_when_it_does_not_come_up_again(world) -> None:
    world.logs.say(NOON - timedelta(minutes=59), BANNER, UP, stream="serves")
    world.logs.say(NOON - timedelta(seconds=5), f"ERROR {OOM}", ENDED, BANNER, stream="serves")
    reconcile(world)
    world.clock.forward(minutes=2)
    reconcile(world)
    assert told(world) == [], "it died once, and is being started"
    world.logs.say(NOON + timedelta(minutes=2), f"ERROR {OOM}", ENDED, stream="serves")
    world.clock.forward(minutes=1)
    reconcile(world)
    assert "out of accelerator memory" in told(world)[0]


def test_the_containers_words_come_before_sagemakers(world) -> None:
    world.logs.say(NOON - timedelta(minutes=2), BANNER, f"ERROR {OOM}", ENDED, stream="dies")
    short(world, status="InService", failure="did not pass the ping health check")
    reconcile(world)
    assert "out of accelerator memory" in told(world)[0]


def test_what_was_said_before_the_wish_is_not_held_against_it(world) -> None:
    record = world.store.records[NAME]
    wish = record.status.model_copy(update={"wished_at": NOON - timedelta(minutes=1)})
    world.store.records[NAME] = record.having(wish)
    world.logs.say(NOON - timedelta(minutes=2), BANNER, f"ERROR {OOM}", ENDED, stream="dies")
    for _minute in range(3):
        reconcile(world)
        world.clock.forward(minutes=1)
    assert told(world) == []
    assert min(world.logs.asked) == wish.wished_at


@pytest.mark.parametrize("missing", [False, True])
def test_the_log_is_read_only_while_copies_are_missing_and_not_capped(world, missing) -> None:
    if not missing:
        world.scaler.settle(NAME, 2)
    for _minute in range(3):
        reconcile(world)
        world.clock.forward(minutes=1)
    assert len(world.logs.asked) == (2 if missing else 0)
    world.logs.say(NOON + timedelta(minutes=1), BANNER, f"ERROR {OOM}", ENDED, stream="dies")
    reconcile(world)
    read = len(world.logs.asked)
    world.clock.forward(minutes=1)
    reconcile(world)
    assert len(world.logs.asked) == read
