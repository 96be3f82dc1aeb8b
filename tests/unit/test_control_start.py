"""How a start is judged, look by look."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from autoscaler.control.start import (
    OFTEN,
    SELDOM,
    USUAL,
    Look,
    Patience,
    Verdict,
    look_at_start,
    may_be_ready,
    pace,
)
from autoscaler.endpoints.status import Cause, ColdStart, EndpointRecord
from autoscaler.policy.types import Phase
from autoscaler.ports import Capacity
from tests.memory import NOON, MemoryLogs, MemoryWorld, memory_world
from tests.samples import asleep, put, spec

NAME = "llama"
PATIENCE = Patience(capacity=timedelta(minutes=15), wake=timedelta(minutes=60))
ONE = {"ml.g6e.xlarge": 1}
OOM = ("ERROR CUDA out of memory", "Engine core initialization failed")


@pytest.fixture
def world() -> MemoryWorld:
    world = memory_world()
    put(world, asleep(NAME, phase=Phase.WAKING, generation=3, phase_since=NOON, wished_at=NOON))
    return world


@pytest.fixture
def logs(world) -> MemoryLogs:
    return world.logs


def look(world: MemoryWorld, *, generation: int = 3, copies: int = 1) -> Look:
    return look_at_start(world, NAME, generation, copies, PATIENCE)


def there(world: MemoryWorld, **seen: object) -> None:
    fields = {"exists": True, "status": "Updating", "desired_copies": 1, **seen}
    world.scaler.capacities[NAME] = Capacity(**fields)


@pytest.mark.parametrize(
    ("seen", "minutes", "verdict", "error"),
    [
        ({}, 1, Verdict.WAIT, ""),
        ({"status": "InService", "desired_copies": 0}, 1, Verdict.RAISE, ""),
        ({"current_copies": 1, "instances_by_type": ONE}, 1, Verdict.PROBE, ""),
        # a copy that is on its way out is none that could answer
        ({"current_copies": 1, "desired_copies": 0, "status": "InService"}, 1, Verdict.RAISE, ""),
        ({"status": "Failed", "failure": "bad"}, 1, Verdict.FAILED, "ComponentFailed"),
        ({"status": "InService", "failure": "none left"}, 1, Verdict.FAILED, "NoCapacity"),
        ({}, 15, Verdict.FAILED, "NoCapacity"),
        ({"instances_by_type": ONE}, 15, Verdict.WAIT, ""),
        ({"instances_by_type": ONE}, 60, Verdict.FAILED, "TooSlow"),
        ({"current_copies": 1, "instances_by_type": ONE}, 90, Verdict.PROBE, ""),
    ],
)
def test_verdicts(world, seen, minutes, verdict, error) -> None:
    there(world)
    look(world)
    there(world, **seen)
    world.clock.forward(minutes=minutes)
    found = look(world)
    assert (found.verdict, found.error) == (verdict, error)
    assert bool(found.cause) == (verdict is Verdict.FAILED)


def test_what_came_before_copies_were_asked_for_takes_nothing_of_their_patience(
    world, logs
) -> None:
    """Another rung's config takes minutes to get into its place."""
    world.clock.forward(minutes=20)
    there(world)
    assert look(world).verdict is Verdict.WAIT
    world.clock.forward(minutes=14)
    assert look(world).verdict is Verdict.WAIT
    world.clock.forward(minutes=1)
    assert look(world).error == "NoCapacity"


def test_a_container_that_dies_ends_the_start_with_its_own_words(world, logs) -> None:
    there(world, instances_by_type=ONE)
    logs.say(NOON + timedelta(seconds=90), *OOM)
    world.clock.forward(minutes=2)
    found = look(world)
    assert (found.verdict, found.error) == (Verdict.FAILED, "ContainerCrash")
    assert "CUDA out of memory" in found.cause
    assert "serving.context_tokens" in found.cause, "and what would help"


@pytest.mark.parametrize(("spoke", "verdict"), [(False, Verdict.FAILED), (True, Verdict.WAIT)])
def test_on_shared_machines_instances_of_others_are_no_room(spoke: bool, verdict: Verdict) -> None:
    world = memory_world()
    machines = {"types": ["ml.g6e.12xlarge"], "shared": "pair", "max_instances": 1}
    shared = spec(NAME, instances={**machines, "accelerators_per_copy": 1})
    status = asleep(NAME, phase=Phase.WAKING, generation=3, phase_since=NOON, wished_at=NOON)
    put(world, status, shared)
    there(world, instances_by_type={"ml.g6e.12xlarge": 1})
    assert look(world).verdict is Verdict.WAIT
    world.clock.forward(minutes=15)
    if spoke:
        world.logs.say(world.clock.now() - timedelta(minutes=1), "Loading weights")
    found = look(world)
    assert found.verdict is verdict
    assert found.error == ("" if spoke else "NoCapacity")


def test_what_was_said_before_this_start_is_not_held_against_it(world, logs) -> None:
    there(world, instances_by_type=ONE)
    logs.say(NOON - timedelta(seconds=5), *OOM)
    world.clock.forward(minutes=2)
    assert look(world).verdict is Verdict.WAIT
    assert logs.asked == [NOON]


def test_without_an_instance_no_log_is_read(world, logs) -> None:
    there(world)
    assert look(world).verdict is Verdict.WAIT
    assert logs.asked == []


@pytest.mark.parametrize("generation", [2, 4])
def test_another_wish_is_told_that_it_was_overtaken(world, logs, generation) -> None:
    there(world)
    assert look(world, generation=generation).verdict is Verdict.OVERTAKEN


def test_an_endpoint_that_starts_nothing_has_overtaken_it_too(world, logs) -> None:
    put(world, asleep("other", generation=3))
    found = look_at_start(world, "other", 3, 1, PATIENCE)
    assert found.verdict is Verdict.OVERTAKEN


def test_each_stage_is_noted_when_it_is_seen_first(world, logs) -> None:
    there(world)
    look(world)
    world.clock.forward(seconds=105)
    there(world, instances_by_type=ONE)
    look(world)
    world.clock.forward(seconds=75)
    logs.say(NOON + timedelta(seconds=165), "vLLM API server version 0.27.1")
    look(world)
    world.clock.forward(seconds=75)
    there(world, instances_by_type=ONE, current_copies=1, status="InService")
    assert look(world).verdict is Verdict.PROBE
    status = world.store.records[NAME].status
    seconds = [
        (at - NOON).total_seconds()
        for at in (
            status.asked_at,
            status.instance_seen_at,
            status.container_seen_at,
            status.copy_seen_at,
        )
        if at
    ]
    assert seconds == [0, 105, 165, 255]
    assert status.cause is Cause.APPLY, "nothing else was touched"


@pytest.mark.parametrize(
    ("phase", "took_seconds", "seconds", "pace"),
    [
        (Phase.WAKING, (300, 400), 10, SELDOM),
        (Phase.WAKING, (300, 400), 135, SELDOM),
        (Phase.WAKING, (300, 400), 210, 3 * USUAL),
        (Phase.WAKING, (300, 400), 225, 2 * USUAL),  # not beyond the 255 s, when it may be ready
        (Phase.WAKING, (300, 400), 254, OFTEN),
        (Phase.WAKING, (300, 400), 256, OFTEN),
        (Phase.WAKING, (300, 400, 360), 254, OFTEN),  # they differ much
        (Phase.WAKING, (300, 304, 302), 180, 7.5),  # and here little
        (Phase.WAKING, (300, 324, 310), 180, 7.2),
        (Phase.WAKING, (300, 400), 519, OFTEN),  # two minutes after the longest
        (Phase.WAKING, (300, 400), 521, USUAL),
        (Phase.WAKING, (), 10, USUAL),  # nothing is known of it
        (Phase.CREATING, (300, 400), 10, USUAL),
    ],
)
def test_a_wake_is_looked_at_often_when_it_should_be_ready(
    phase: Phase, took_seconds: tuple[int, ...], seconds: int, pace: float
) -> None:
    world = memory_world()
    starts = tuple(
        ColdStart(
            requested_at=NOON,
            ready_at=NOON + timedelta(seconds=took),
            cause=Cause.MESSAGE,
            copies=1,
        )
        for took in took_seconds
    )
    status = asleep(
        NAME, phase=phase, generation=3, phase_since=NOON, wished_at=NOON, cold_starts=starts
    )
    put(world, status)
    there(world, desired_copies=1)
    world.clock.forward(seconds=seconds)
    found = look(world)
    assert (found.verdict, found.pace) == (Verdict.WAIT, pace)


@pytest.mark.parametrize(
    ("capacity", "pace"),
    [
        ({"desired_copies": 1}, SELDOM),
        ({"desired_copies": 0, "status": "Updating"}, USUAL),
        ({"desired_copies": 1, "status": "Deleting"}, USUAL),
    ],
)
def test_what_turned_a_sleep_round_is_looked_at_as_usual_until_it_can_be_asked_for(
    capacity: dict[str, Any], pace: float
) -> None:
    world = memory_world()
    starts = tuple(a_start(300) for _ in range(3))
    put(
        world,
        asleep(
            NAME, phase=Phase.WAKING, generation=3, phase_since=NOON, wished_at=NOON,
            cold_starts=starts,
        ),
    )  # fmt: skip
    there(world, **capacity)
    world.clock.forward(seconds=10)
    found = look(world)
    assert (found.verdict, found.pace) == (Verdict.WAIT, pace)


def a_start(seconds: float) -> ColdStart:
    ready = NOON + timedelta(seconds=seconds)
    return ColdStart(requested_at=NOON, ready_at=ready, cause=Cause.MESSAGE, copies=1)


def waited(before: Sequence[float], lead: float) -> float:
    """Seconds from the wish until the look that sees a wake that is ready after `lead` of them."""
    starts = tuple(map(a_start, before))
    status = asleep(NAME, phase=Phase.WAKING, wished_at=NOON, cold_starts=starts)
    record, seconds = EndpointRecord(spec=spec(NAME), status=status), 0.0
    while seconds < lead:
        often = pace(record, NOON + timedelta(seconds=seconds))
        seconds += max(5, round(15 * often))  # as wake_endpoint waits
    return seconds


@pytest.mark.parametrize(("usual", "now"), [(245, 125), (600, 490), (245, 200), (525, 258)])
def test_wakes_that_became_shorter_are_seen_in_time_from_the_fifth_on(usual, now) -> None:
    known = [usual] * 20
    late = []
    for _ in range(8):
        known = [*known, waited(known, now)][-20:]
        late.append(known[-1] - now)
    assert max(late[4:]) <= 8
    assert max(late) <= 120, late


def test_wakes_that_take_the_same_are_looked_at_four_times() -> None:
    assert waited([245] * 20, 245) - 245 <= 8
    assert may_be_ready([timedelta(seconds=245)] * 20) == timedelta(seconds=237.5)


@pytest.mark.parametrize("poll", [5, 15])
@pytest.mark.parametrize("lead", [54, 107, 160, 300, 1800])
def test_a_wake_that_takes_as_long_as_the_last_is_seen_within_a_usual_look(lead, poll) -> None:
    start = ColdStart(
        requested_at=NOON,
        ready_at=NOON + timedelta(seconds=lead),
        cause=Cause.MESSAGE,
        copies=1,
    )
    status = asleep(NAME, phase=Phase.WAKING, wished_at=NOON, cold_starts=(start,))
    record, seconds = EndpointRecord(spec=spec(NAME), status=status), 0.0
    while seconds < lead:
        often = pace(record, NOON + timedelta(seconds=seconds))
        seconds += max(5, round(poll * often))  # as wake_endpoint waits
    assert seconds - lead <= poll
