"""Troubles that last: a container that dies at each start, shared machines that are full, a removal
that may not make one of its calls.

In one process; the soak has them in the whole embedded account (test_crash_loops,
test_shared_troubles).
"""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.policy.types import Phase
from autoscaler.spec import Kind
from tests.histories.checks import wrong_with
from tests.histories.faults import Call, Fault
from tests.histories.forks import in_copy
from tests.histories.scenarios import asleep, awake, left
from tests.histories.world import NAME, World

OTHER = "other"
# One copy fills the only machine that the two may have.
WHOLE = {
    "types": ["ml.g6e.12xlarge"],
    "accelerators_per_copy": 4,
    "shared": "pair",
    "max_instances": 1,
}
ONE = {"max_copies": 1, "keep_alive": "12h"}
WHY = "CUDA out of memory. Tried to allocate"
# SageMaker alone says so when the health check is over: 105 s for the instance, and 600.
HEALTH_CHECK_SECONDS = 705
LOOK_SECONDS = 15.0
REMOVES = "machine remove-capacity"
REMOVED_SECONDS = 600.0  # in which an endpoint is gone that nothing holds up
STUCK_SECONDS = 4500.0  # until people hear of one that stays (control/stuck.py)


def _dies(world: World, dies: bool) -> None:
    world.containers_speak = True
    world.sagemaker.break_container(world.component(NAME), WHY if dies else None)


def _found_after(world: World) -> float:
    """Seconds until a look at the start says that it cannot succeed."""
    began = world.clock.time()
    while not any(
        name == "look-at-start" and done.payload["verdict"] == "failed"
        for name, done in world.handlers.invoked
    ):
        world.run(LOOK_SECONDS)
        assert world.clock.time() - began < 2 * HEALTH_CHECK_SECONDS, "nobody found it"
    return world.clock.time() - began


def _never_created(world: World) -> tuple[float, list[dict[str, Any]], str | None, list[str]]:
    _dies(world, True)
    assert world.apply().payload["ok"]
    seconds = _found_after(world)
    assert world.settle()
    assert world.instances() == 0
    return seconds, world.told("EndpointFailed"), world.phase(), [*left(world), *wrong_with(world)]


def test_a_container_that_dies_at_each_start_ends_its_creation_with_the_reason(
    empty: World,
) -> None:
    seconds, (told,), phase, stays = in_copy(lambda: _never_created(empty))
    assert seconds < HEALTH_CHECK_SECONDS / 2
    assert "ContainerCrash" in told["failure"] and WHY in told["failure"]
    assert "serving.context_tokens" in told["failure"], "and what would help"
    assert phase == Phase.FAILED
    kinds = {one.split()[2] for one in stays}
    assert kinds == {"queue"}, f"nothing that bills, and its queues: {stays}"


def _deleted_unread(world: World) -> tuple[str | None, list[str], list[str]]:
    _dies(world, True)
    assert world.apply().payload["ok"]
    assert world.settle()
    assert world.phase() == Phase.FAILED
    assert world.command("delete", endpoint=NAME).payload["ok"]
    world.send("one")  # before its queue is closed
    assert world.settle()
    return world.phase(), world.refusals(), [*left(world), *wrong_with(world)]


def test_a_queue_that_nobody_ever_read_is_worked_off_when_its_endpoint_is_deleted(
    empty: World,
) -> None:
    assert in_copy(lambda: _deleted_unread(empty)) == (None, ["one"], [])


def _never_woken(world: World) -> tuple[float, list[dict[str, Any]], list[str], list[str]]:
    asleep(world)
    _dies(world, True)
    world.send("one")
    seconds = _found_after(world)
    world.run(120)
    told = world.told("CapacityMissing")
    _dies(world, False)
    assert world.settle()
    return seconds, told, world.answers(), wrong_with(world)


def test_a_container_that_dies_at_a_wake_is_told_within_minutes_and_mended_later(
    empty: World,
) -> None:
    seconds, (told,), answers, wrong = in_copy(lambda: _never_woken(empty))
    assert seconds < HEALTH_CHECK_SECONDS / 2
    assert told["outcome"] == "container" and WHY in told["failure"]
    assert (answers, wrong) == (["one"], []), "its request was kept"


def _state(world: World, name: str) -> tuple[str | None, bool]:
    """Its phase, and whether it says that it finds no room."""
    record = world.record(name)
    assert record is not None
    return record.status.phase, "hardware resources" in str(record.status.failure)


def _full(world: World) -> list[Any]:
    """What both are, and how many instances bill, as the one and the other find no room."""
    found: list[Any] = []

    def note() -> None:
        found.append([_state(world, NAME), _state(world, OTHER), world.instances()])

    for name in (NAME, OTHER):
        assert world.apply(name, instances=WHOLE, scaling=ONE).payload["ok"]
        world.run(900)
    note()
    assert world.command("sleep", endpoint=NAME).payload["ok"]
    world.run(1500)
    note()
    world.send("one")
    world.run(1500)
    note()
    assert world.command("sleep", endpoint=OTHER).payload["ok"]
    assert world.settle()
    return [*found, world.answers()]


def test_on_shared_machines_that_are_full_one_waits_for_room_and_nobody_makes_any(
    empty: World,
) -> None:
    creation, room, wake, answers = in_copy(lambda: _full(empty))
    assert creation == [(Phase.AWAKE, False), (Phase.STAGING, True), 1], "it waits and says so"
    assert room == [(Phase.ASLEEP, False), (Phase.AWAKE, False), 1]
    (phase, says_so), other, instances = wake
    assert phase != Phase.AWAKE and says_so
    assert (other, instances) == ((Phase.AWAKE, False), 1), "nobody made room"
    assert answers == ["one"], "and its request was kept"


def _never_allowed(world: World, kind: Kind, operation: str) -> dict[str, Any]:
    """What becomes of a deletion whose machine is denied one of its calls, as often as it asks."""

    def strike(call: Call) -> Fault | None:
        denied = call.actor == REMOVES and call.operation == operation
        return Fault.DENIED if denied else None

    world.kind = kind
    awake(world)
    world.wire.strike = strike
    assert world.command("delete", endpoint=NAME).payload["ok"]
    world.run(REMOVED_SECONDS)
    sagemaker, here = world.sagemaker.world, world.instances()
    billing = [here, *sagemaker.components, *sagemaker.endpoints]
    world.run(STUCK_SECONDS)
    record = world.record()
    failure = str(record.status.failure) if record else None
    stuck, phase = world.told("PhaseStuck"), world.phase()
    world.wire.strike = None
    assert world.settle()
    return {
        "billing": billing,
        "failure": failure,
        "stuck": stuck,
        "phase": phase,
        "mended": (world.phase(), [*left(world), *wrong_with(world)]),
    }


@pytest.mark.parametrize("kind", [Kind.COMPONENT, Kind.REALTIME])
@pytest.mark.parametrize("operation", ["DeregisterScalableTarget", "DeleteAlarms"])
def test_what_bills_goes_although_what_bills_nothing_may_not_be_removed(
    empty: World, operation: str, kind: Kind
) -> None:
    found = in_copy(lambda: _never_allowed(empty, kind, operation))
    assert found["billing"] == [0], "no instance, no component, no endpoint"
    assert found["phase"] == Phase.RETIRING, "it is not said to be gone"
    assert "not authorized" in found["failure"] and operation in found["failure"], "`get` says why"
    (stuck,) = found["stuck"]
    assert (stuck["phase"], stuck["instances"]) == (Phase.RETIRING, 0), "people are told"
    assert operation in stuck["failure"], "and why"
    assert found["mended"] == (None, []), "and it goes on when it may"
