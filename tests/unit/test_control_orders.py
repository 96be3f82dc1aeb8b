"""What a person may order, and the sentence that refuses what cannot be done now."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from autoscaler.control import orders
from autoscaler.control.world import OrderError, UnknownEndpointError
from autoscaler.endpoints.status import Cause
from autoscaler.policy.types import Hold, Phase
from autoscaler.ports import Flow, Load
from tests.memory import MemoryWorld, memory_world
from tests.samples import asleep, awake, put, spec

NAME = "llama"
BUSY = Load(backlog=3, concurrency_per_copy=0.0)
PEAK = {"name": "peak", "days": ["tue"], "start": "08:00", "end": "18:00", "min_copies": 1}


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


def test_an_unknown_name_is_answered_with_those_there_are(world) -> None:
    put(world, awake("qwen"))
    with pytest.raises(UnknownEndpointError, match="no endpoint 'llama'; endpoints here: qwen"):
        orders.wake(world, NAME, "ada")


@pytest.mark.parametrize("phase", [Phase.ASLEEP, Phase.SLEEPING])
def test_a_person_wakes_it(world, phase) -> None:
    put(world, asleep(NAME, phase=phase))
    status = orders.wake(world, NAME, "ada")
    assert (status.phase, status.cause) == (Phase.WAKING, Cause.PERSON)
    assert world.store.entries[-1].text == "ada woke it."


@pytest.mark.parametrize("phase", [Phase.AWAKE, Phase.WAKING])
def test_waking_what_is_awake_changes_nothing(world, phase) -> None:
    record = put(world, awake(NAME, phase=phase))
    assert orders.wake(world, NAME, "ada") == record.status
    assert world.flows.started == []


def test_what_is_failed_cannot_be_woken(world) -> None:
    put(world, asleep(NAME, phase=Phase.FAILED))
    with pytest.raises(OrderError, match="llama is FAILED: it can be woken when it is ASLEEP"):
        orders.wake(world, NAME, "ada")


def test_a_person_puts_it_to_sleep(world) -> None:
    put(world, awake(NAME))
    assert orders.sleep(world, NAME, "ada").phase is Phase.SLEEPING
    assert world.flows.started == [(Flow.SLEEP, NAME, 2)]


REFUSED_SLEEPS: list[tuple[dict[str, Any], dict[str, Any], Load, str]] = [
    ({"phase": Phase.WAKING}, {}, Load(0, 0.0), "is WAKING"),
    ({}, {"schedule": {"windows": [PEAK]}}, Load(0, 0.0), "the schedule keeps llama at 1"),
    ({}, {}, BUSY, "3 requests are waiting for llama"),
]


@pytest.mark.parametrize(("status", "changes", "load", "words"), REFUSED_SLEEPS)
def test_a_sleep_that_would_not_last_is_refused(world, status, changes, load, words) -> None:
    put(world, awake(NAME, **status), spec(NAME, **changes))
    world.load.loads[NAME] = load
    with pytest.raises(OrderError, match=words):
        orders.sleep(world, NAME, "ada")
    assert world.flows.started == []


def test_what_is_held_is_not_put_to_sleep(world) -> None:
    hold = Hold(world.clock.now() + timedelta(hours=1), 1, "demo", "bob")
    put(world, awake(NAME, hold=hold))
    with pytest.raises(
        OrderError, match=r"held at 1 copy or more until .* by bob: demo; release it"
    ):
        orders.sleep(world, NAME, "ada")


DELETABLE = [Phase.STAGING, Phase.CREATING, Phase.AWAKE, Phase.ASLEEP, Phase.WAKING, Phase.FAILED]


@pytest.mark.parametrize("phase", DELETABLE)
def test_whatever_its_phase_waiting_requests_keep_it_from_being_deleted(world, phase) -> None:
    put(world, awake(NAME, phase=phase))
    world.load.loads[NAME] = BUSY
    with pytest.raises(OrderError, match=r"^3 waiting requests in .* --discard-requests"):
        orders.delete(world, NAME, discard_requests=False)
    assert orders.delete(world, NAME, discard_requests=True).phase is Phase.RETIRING


def test_deleting_twice_starts_one_retirement(world) -> None:
    put(world, awake(NAME))
    orders.delete(world, NAME, discard_requests=False)
    orders.delete(world, NAME, discard_requests=False)
    assert world.flows.started == [(Flow.RETIRE, NAME, 2)]


def test_refused_requests_keep_it_from_being_deleted_and_they_alone_are_told(world) -> None:
    put(world, asleep(NAME))
    world.load.refused[NAME] = 2
    with pytest.raises(OrderError, match=r"^2 refused requests in .* --discard"):
        orders.delete(world, NAME, discard_requests=False)
    assert world.flows.started == []
    assert orders.delete(world, NAME, discard_requests=True).discard_requests


def test_a_retirement_that_waits_for_requests_may_be_told_to_discard_them(world) -> None:
    put(world, awake(NAME))
    assert not orders.delete(world, NAME, discard_requests=False).discard_requests
    told = orders.delete(world, NAME, discard_requests=True)
    assert (told.discard_requests, told.generation) == (True, 2)
    assert world.store.records[NAME].status.discard_requests
    assert world.flows.started == [(Flow.RETIRE, NAME, 2)], "the same retirement goes on"
