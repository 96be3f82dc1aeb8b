"""Endpoints that are to be deleted while requests lie in their queues."""

from __future__ import annotations

from autoscaler.policy.types import Phase
from tests.histories.scenarios import Scenario, agreed, asleep, deletion, gone
from tests.histories.world import NAME, World


def _failed(world: World) -> None:
    """Its creation failed, so that nothing reads its queue yet."""
    world.containers_speak = True
    world.sagemaker.break_container(world.component(NAME), "CUDA error: out of memory")
    world.apply()
    assert world.settle()
    assert world.phase() == Phase.FAILED, world.phase()


def _delete(world: World) -> None:
    """Once it is taken a request comes, before the queue is closed."""
    if world.phase() != Phase.FAILED:
        return
    world.command("delete", endpoint=NAME)
    if world.phase() == Phase.RETIRING:
        world.send("one")


def _refused(world: World) -> list[str]:
    told = world.refusals() or world.answers()
    return ([] if told == ["one"] else ["one has no answer and no refusal"]) + gone(world)


def _stopped(world: World) -> None:
    """Nothing wakes, and a request waits."""
    asleep(world)
    assert world.command("stop", reason="a test").payload["ok"]
    world.send("one")
    world.run(60)


def _delete_in_vain(world: World) -> None:
    """Nobody said that what waits may be lost."""
    world.command("delete", endpoint=NAME)
    _start(world)
    world.run(480)


def _start(world: World) -> None:
    world.command("start")
    if world.phase() != Phase.AWAKE:
        world.command("retry", endpoint=NAME)


def _answered(world: World) -> list[str]:
    off = [] if world.phase() == Phase.AWAKE else [f"{NAME} is {world.phase()}"]
    lost = [] if world.answers() == ["one"] else ["one is not answered"]
    return off + lost + agreed(world)


UNREAD = deletion("delete unread", _failed, _delete, _refused)
KEPT = Scenario(
    "delete in vain",
    _stopped,
    _delete_in_vain,
    _start,
    _answered,
    possible=lambda case: case.actor == "accept-command",  # the rest is a wake
)
UNANSWERED = (UNREAD, KEPT)
