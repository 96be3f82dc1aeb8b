"""The pairs that race."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoscaler.policy.types import Phase
from tests.histories.races import Pair
from tests.histories.scenarios import agreed, asleep, awake, left
from tests.histories.world import NAME, World


def _wake(world: World) -> Any:
    return world.command("wake", endpoint=NAME)


def _sleep(world: World) -> Any:
    return world.command("sleep", endpoint=NAME)


def _delete(world: World) -> Any:
    return world.command("delete", endpoint=NAME)


def _stop(world: World) -> Any:
    return world.command("stop", reason="a test")


def _start(world: World) -> Any:
    return world.command("start")


def _hold(world: World) -> Any:
    return world.command("hold", endpoint=NAME, min_copies=2, seconds=36_000.0, reason="a test")


def _shorter(world: World) -> Any:
    return world.apply(serving={"context_tokens": 4096})


def _longer(world: World) -> Any:
    return world.apply(serving={"context_tokens": 6144})


def _tick(world: World) -> Any:
    return world.tick()


def _deliver(world: World) -> Any:
    return world.mappings.deliver()


def _steps(world: World) -> None:
    """The execution that is under way goes on to its next wait."""
    for execution in world.states.running():
        for _ in range(12):
            if execution.running and execution.due <= world.clock.time():
                world.states.step(execution)


def _with_message(world: World) -> None:
    asleep(world)
    world.send("one")


def _awake_with_message(world: World) -> None:
    awake(world)
    world.send("one")


def _held(world: World) -> None:
    """The next tick raises the bounds and the copies."""
    awake(world)
    assert _hold(world).payload["ok"]


def _unstarted(world: World) -> None:
    """A wish whose starter died before it began to carry it out."""
    awake(world)
    assert _sleep(world).payload["ok"]
    world.states.executions = {
        arn: one for arn, one in world.states.executions.items() if not one.running
    }


def _going_down(world: World) -> None:
    awake(world)
    assert _sleep(world).payload["ok"]
    world.run(5)


def _coming_up(world: World) -> None:
    """A copy serves, and the wake has not seen it yet."""
    asleep(world)
    assert _wake(world).payload["ok"]
    world.run(100)
    assert world.phase() == Phase.WAKING
    world.move_to(world.clock.time() + 60)


def _is(world: World, *phases: Phase | None) -> list[str]:
    found = world.phase()
    named = [str(phase) for phase in phases]
    return [] if found in phases else [f"{NAME} is {found}, not {' or '.join(named)}"]


def _ok(answer: Any) -> bool:
    return answer is not None and answer.payload is not None and bool(answer.payload["ok"])


def _awake(world: World, _: Sequence[Any]) -> list[str]:
    return _is(world, Phase.AWAKE) + agreed(world)


def _at_zero(world: World, _: Sequence[Any]) -> list[str]:
    return _is(world, Phase.ASLEEP) + agreed(world)


def _answered(world: World, _: Sequence[Any]) -> list[str]:
    lost = [] if world.answers() == ["one"] else ["its request has no answer"]
    return lost + _is(world, Phase.AWAKE) + agreed(world)


def _answered_or_sleeping(world: World, answers: Sequence[Any]) -> list[str]:
    """Asleep, if it was answered before the sleep began; else it waits in its queue until the
    sleep is over, and wakes the endpoint."""
    lost = [] if world.answers() == ["one"] else ["its request has no answer"]
    return lost + _agreed(world, answers)


def _down_if_taken(world: World, answers: Sequence[Any]) -> list[str]:
    wanted = Phase.ASLEEP if _ok(answers[0]) else Phase.AWAKE
    return _is(world, wanted) + agreed(world)


def _gone_if_taken(world: World, answers: Sequence[Any]) -> list[str]:
    if _ok(answers[1]):
        return _is(world, None) + left(world) + agreed(world)
    return _awake(world, answers)


def _two(world: World, answers: Sequence[Any]) -> list[str]:
    component = world.sagemaker.find_component(f"autoscaler-{NAME}")
    copies = component.desired if component else 0
    return ([] if copies == 2 else [f"{copies} copies, not 2"]) + _awake(world, answers)


def _either(world: World, answers: Sequence[Any]) -> list[str]:
    """Whose file is in force is in force everywhere; the other one was told so."""
    record = world.record()
    tokens = record.spec.serving.context_tokens if record else None
    taken = {4096: _ok(answers[0]), 6144: _ok(answers[1])}
    found = [] if taken.get(tokens or 0) else [f"the file with {tokens} tokens is nobody's"]
    return found + _awake(world, answers)


def _agreed(world: World, _: Sequence[Any]) -> list[str]:
    return _is(world, Phase.AWAKE, Phase.ASLEEP) + agreed(world)


PAIRS = (
    Pair("wake and wake", asleep, _wake, _wake, _awake),
    Pair("request and wake", _with_message, _deliver, _wake, _answered),
    Pair("request and tick", _with_message, _deliver, _tick, _answered),
    Pair("tick and tick, a request waits", _with_message, _tick, _tick, _answered),
    Pair("request and sleep", _awake_with_message, _deliver, _sleep, _answered_or_sleeping),
    Pair("sleep and tick", awake, _sleep, _tick, _down_if_taken),
    Pair("sleep and sleep", awake, _sleep, _sleep, _at_zero),
    Pair("wake and sleep's steps", _going_down, _wake, _steps, _awake),
    Pair("sleep and wake's steps", _coming_up, _sleep, _steps, _agreed),
    Pair("stop and wake's steps", _coming_up, _stop, _steps, _at_zero),
    Pair("stop and a tick that raises", _held, _stop, _tick, _at_zero),
    Pair("tick and tick, both raise", _held, _tick, _tick, _two),
    Pair("tick and tick, nobody started", _unstarted, _tick, _tick, _at_zero),
    Pair("wake and tick, nobody started", _unstarted, _wake, _tick, _awake),
    Pair("delete and apply", awake, _shorter, _delete, _gone_if_taken),
    Pair("delete and tick", awake, _tick, _delete, _gone_if_taken),
    Pair("delete and wake", asleep, _wake, _delete, _gone_if_taken),
    Pair("apply and apply", awake, _shorter, _longer, _either),
    Pair("start and stop", asleep, _start, _stop, _agreed),
)
