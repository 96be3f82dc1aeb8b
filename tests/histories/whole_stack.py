"""What is about the stack as a whole: its deletion, and the sweep of the account."""

from __future__ import annotations

from dataclasses import replace

from tests.histories.checks import wrong_with
from tests.histories.cloudformation import GAVE_UP, SERVICE_TIMEOUT_SECONDS, answered, deletion
from tests.histories.scenarios import ASYNC_PAUSES, Scenario, agreed, awake, left, sweep
from tests.histories.world import World

# An orphan has to be half an hour old and to be seen twice; one sweep removes few.
_SWEEPS = 8


def _delete_stack(world: World) -> None:
    """Until CloudFormation is answered, or gives up and tells so whoever deletes the stack."""
    waits_until = world.clock.time() + SERVICE_TIMEOUT_SECONDS
    heard = len(world.cloudformation.answers)
    world.cloudformation.deletions += 1
    request = deletion(world.cloudformation.deletions)
    for pause in ASYNC_PAUSES:
        world.run(pause)
        if not world.invoke("retire-stack", request).error:
            break
    world.run(720)
    while len(world.cloudformation.answers) == heard and world.clock.time() < waits_until:
        world.run(60)
    if len(world.cloudformation.answers) == heard:
        world.cloudformation.give_up()


def _delete_stack_again(world: World) -> None:
    if not _succeeded(world):
        _delete_stack(world)
    if world.phase() is None and left(world):
        sweep(world, 4)


def _succeeded(world: World) -> bool:
    return answered(world.cloudformation.answers, "SUCCESS")


def _retired(world: World) -> list[str]:
    answered = [] if _succeeded(world) else ["CloudFormation was not told that it may go on"]
    here = [] if world.phase() is None else [f"the endpoint is still {world.phase()}"]
    return answered + here + left(world) + agreed(world)


def _retired_in_time(world: World) -> list[str]:
    waited = GAVE_UP in world.cloudformation.answers
    return _retired(world) + ["CloudFormation waited an hour for nothing"] * waited


def _orphaned(world: World) -> None:
    """Somebody deleted its items from the table: the endpoint runs, and nobody knows of it."""
    awake(world)
    record = world.record()
    assert record is not None
    world.store().forget(record.status)
    assert world.instances() == 1


def _sweep(world: World) -> None:
    sweep(world, _SWEEPS)


def _swept(world: World) -> list[str]:
    told = [] if world.told("OrphansFound") else ["nobody was told of orphans"]
    return told + left(world) + wrong_with(world)


RETIREMENT = Scenario("stack deletion", awake, _delete_stack, _delete_stack_again, _retired)
RETIREMENT_IN_TIME = replace(RETIREMENT, wish=_retired_in_time)
SWEEP = Scenario("sweep", _orphaned, _sweep, _sweep, _swept)
WHOLE_STACK = (RETIREMENT, SWEEP)
