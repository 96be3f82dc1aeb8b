"""Pieces of an endpoint's life: what comes before, what is disturbed, and what shall be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from autoscaler.policy.types import Phase
from autoscaler.spec import Kind
from tests.histories.checks import ledger_is_off, wrong_with
from tests.histories.template import STACK
from tests.histories.world import NAME, TICK_SECONDS, World
from tests.samples import document

Step = Callable[[World], None]
# Lambda's tries of an event that it took, with the pauses between them.
ASYNC_PAUSES = (0.0, 60.0, 120.0)


@dataclass(frozen=True)
class Scenario:
    """`act` is disturbed; `again` is what a person does who was told that it did not come to pass.

    `possible`: whether a case (drive.py) can come to pass at all. `by_itself`: `again` is no
    person's doing, only the next round or more time. `denied_seconds`: a denial lasts until
    somebody mends the template, who hears of it at last when an endpoint is stuck, one that goes or
    is billed after an hour (control/stuck.py).
    """

    name: str
    prepare: Step
    act: Step
    again: Step
    wish: Callable[[World], list[str]]
    possible: Callable[[Any], bool] = lambda case: True
    by_itself: bool = False
    denied_seconds: float = 4500.0


def nothing(_world: World) -> None:
    """Nobody does anything."""


def awake(world: World) -> None:
    world.apply()
    world.run(600)
    assert world.phase() == Phase.AWAKE, world.phase()


def asleep(world: World) -> None:
    awake(world)
    assert world.command("sleep", endpoint=NAME).payload["ok"]
    world.run(420)
    assert world.phase() == Phase.ASLEEP, world.phase()
    assert world.instances() == 0


def _phase(world: World, *wanted: Phase) -> list[str]:
    phase = world.phase()
    return [] if phase in wanted else [f"{NAME} is {phase}, not {' or '.join(wanted)}"]


def _answered(world: World, *wanted: str) -> list[str]:
    missing = sorted(set(wanted) - set(world.answers()))
    told = {detail["request_id"] for detail in world.told("RequestAnswered")}
    silent = sorted(set(wanted) - set(missing) - told)
    return [f"not answered: {one}" for one in missing] + [f"not told: {one}" for one in silent]


def agreed(world: World) -> list[str]:
    return wrong_with(world) + ledger_is_off(world, NAME, spare=1800)


def _sent(world: World) -> None:
    world.send("one")
    world.run(480)


def _woken(world: World) -> list[str]:
    return _phase(world, Phase.AWAKE) + _answered(world, "one") + agreed(world)


def _retry(world: World) -> None:
    """After wakes that were paid for and failed, the circuit is open for a day: whoever has mended
    what they were told of closes it."""
    world.command("retry", endpoint=NAME)


def _answered_once(world: World) -> list[str]:
    """Since it sleeps soon again, wherever that is."""
    return _phase(world, Phase.AWAKE, Phase.ASLEEP) + _answered(world, "one") + agreed(world)


def _slept(world: World) -> list[str]:
    return _phase(world, Phase.ASLEEP) + agreed(world)


def _sleep(world: World) -> None:
    if world.phase() == Phase.AWAKE:
        world.command("sleep", endpoint=NAME)


def _sleep_and_wait(world: World) -> None:
    _sleep(world)
    world.run(360)


def _apply(world: World) -> None:
    if world.phase() in (None, Phase.FAILED):
        world.apply()


def _apply_and_wait(world: World) -> None:
    _apply(world)
    world.run(540)


def _made(world: World) -> list[str]:
    return _phase(world, Phase.AWAKE) + agreed(world)


def _delete(world: World) -> None:
    if world.phase() not in (None, Phase.RETIRING):
        world.command("delete", endpoint=NAME)


def sweep_what_is_left(world: World) -> None:
    if world.phase() is None and left(world):
        sweep(world, 4)


def sweep(world: World, hours: int) -> None:
    """Every hour, as the schedule has it; the ticks between would see nothing."""
    for _ in range(hours):
        world.move_to(world.clock.time() + 3600)
        for pause in ASYNC_PAUSES:
            world.run(pause)
            if not world.invoke("sweep-account", {"sweep": "remove"}).error:
                break


def left(world: World) -> list[str]:
    """Whatever of an endpoint is still in the account."""
    prefix, sagemaker = f"{STACK}-{NAME}", world.sagemaker.world
    found = [
        f"left behind: {kind} {name}"
        for kind, names in (
            ("model", sagemaker.models),
            ("config", sagemaker.configs),
            ("endpoint", sagemaker.endpoints),
            ("component", sagemaker.components),
        )
        for name in names
        if name.startswith(prefix)
    ]
    queues = world.client("sqs").list_queues(QueueNamePrefix=prefix).get("QueueUrls", [])
    described = world.client("cloudwatch").describe_alarms(AlarmNamePrefix=prefix)
    alarms = [one["AlarmName"] for one in described["MetricAlarms"]]
    mappings = world.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    targets = world.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="sagemaker"
    )["ScalableTargets"]
    for kind, things in (
        ("queue", queues), ("alarm", alarms), ("mapping", mappings), ("target", targets),
    ):  # fmt: skip
        found += [f"left behind: {kind} {one}" for one in things]
    return found


def gone(world: World) -> list[str]:
    here = [] if world.phase() is None else [f"{NAME} is still {world.phase()}"]
    told = [] if world.told("EndpointRetired") else ["nobody was told that it is gone"]
    return here + told + left(world) + agreed(world)


def _held(world: World) -> None:
    _hold(world)
    world.run(540)


def _hold(world: World) -> None:
    record = world.record()
    if record is not None and record.status.hold is None:
        world.command("hold", endpoint=NAME, min_copies=2, seconds=36_000.0, reason="a test")


def _two(world: World) -> list[str]:
    copies = world.copies(NAME)
    few = [] if copies == 2 else [f"{NAME} has {copies} copies, not 2"]
    return few + _phase(world, Phase.AWAKE) + agreed(world)


def _longer(world: World) -> None:
    record = world.record()
    if record is None or record.status.phase not in (Phase.AWAKE, Phase.FAILED):
        return
    if record.spec.serving.context_tokens != 4096 or record.status.phase is Phase.FAILED:
        world.apply(serving={"context_tokens": 4096})


def _update_and_wait(world: World) -> None:
    _longer(world)
    world.run(900)


def _updated(world: World) -> list[str]:
    record = world.record()
    tokens = record.spec.serving.context_tokens if record else None
    old = [] if tokens == 4096 else [f"{NAME} has the old file: {tokens}"]
    return old + _phase(world, Phase.AWAKE) + agreed(world)


def _is_stopped(world: World) -> bool:
    return world.store().stack().stopped is not None


def _stop(world: World) -> None:
    if not _is_stopped(world):
        world.command("stop", reason="a test")


def _stop_and_wait(world: World) -> None:
    _stop(world)
    world.run(360)


def _all_stopped(world: World) -> list[str]:
    off = [] if _is_stopped(world) else ["the switch is not off"]
    return off + _phase(world, Phase.ASLEEP) + agreed(world)


def _awake_for_short(world: World) -> None:
    """On machines of one type, which an endpoint does not tell."""
    one = {**document(NAME)["instances"], "types": ["ml.g6e.xlarge"]}
    world.apply(scaling={"max_copies": 2, "keep_alive": "10m"}, instances=one)
    world.run(420)
    assert world.phase() == Phase.AWAKE, world.phase()


def _idle(world: World) -> None:
    """By itself, because nobody asks."""
    for _ in range(30):
        world.move_to(world.clock.time() + TICK_SECONDS)
        world.tick()
        if world.phase() == Phase.SLEEPING:
            return


def _sleep_and_send(world: World) -> None:
    """The request is there before the first step of the sleep, which finds it."""
    _idle(world)
    world.send("one")
    world.run(480)


def _send_while_it_sleeps(world: World) -> None:
    """The request comes when its copies are going: whoever takes it turns it round."""
    _idle(world)
    world.run(20)
    world.send("one")
    world.run(480)


def deletion(
    name: str,
    prepare: Step,
    delete: Step,
    wish: Callable[[World], list[str]],
    possible: Callable[[Any], bool] = lambda case: True,
) -> Scenario:
    """`delete` orders it where that is still to be done. What is left of one that is gone is for
    the sweep, which comes every hour."""

    def act(world: World) -> None:
        delete(world)
        world.run(420)

    def again(world: World) -> None:
        delete(world)
        sweep_what_is_left(world)

    return Scenario(name, prepare, act, again, wish, possible)


def of_kind(kind: Kind, scenario: Scenario) -> Scenario:
    """The same of an endpoint whose copies are whole instances."""

    def prepare(world: World) -> None:
        world.kind = kind
        scenario.prepare(world)

    return replace(scenario, name=f"{scenario.name} ({kind})", prepare=prepare)


WAKE = Scenario("wake", asleep, _sent, _retry, _woken)
SLEEP = Scenario("sleep", awake, _sleep_and_wait, _sleep, _slept)
APPLY = Scenario("apply", nothing, _apply_and_wait, _apply, _made)
DELETE = deletion("delete", awake, _delete, gone)
HOLD = Scenario("hold", awake, _held, _hold, _two)
UPDATE = Scenario("update", awake, _update_and_wait, _longer, _updated)
STOP = Scenario("stop", awake, _stop_and_wait, _stop, _all_stopped)
TURNED = Scenario("turned round", _awake_for_short, _sleep_and_send, _retry, _answered_once)
TURNED_LATE = Scenario(
    "turned round late", _awake_for_short, _send_while_it_sleeps, _retry, _answered_once
)
ALL = (WAKE, SLEEP, APPLY, DELETE, HOLD, UPDATE, STOP, TURNED, TURNED_LATE)
REALTIME = tuple(of_kind(Kind.REALTIME, one) for one in (WAKE, SLEEP, APPLY, DELETE, UPDATE))
ASYNC = tuple(of_kind(Kind.ASYNC, one) for one in (WAKE, SLEEP, APPLY, DELETE))
