"""Whose execution was ended from outside, in each phase: the next tick tries again, and a person
need not wait for it. Either way with the rights of who does it, and no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from autoscaler.control.wishes import FLOWS
from autoscaler.policy.types import Phase
from tests.histories.checks import wrong_with
from tests.histories.forks import in_copy
from tests.histories.scenarios import asleep, awake, left, nothing
from tests.histories.world import NAME, World


@dataclass(frozen=True)
class Way:
    """Into a phase, what its next execution does, and where the endpoint rests in the end."""

    phase: Phase
    before: Callable[[World], None]
    order: Callable[[World], object]
    then: Phase
    ends: Phase | None


WAYS = (
    Way(Phase.STAGING, nothing, World.apply, Phase.STAGING, Phase.AWAKE),
    Way(Phase.CREATING, nothing, World.apply, Phase.CREATING, Phase.AWAKE),
    # Its request waits: to zero first, and woken once more.
    Way(Phase.WAKING, asleep, lambda w: w.send("one"), Phase.SLEEPING, Phase.AWAKE),
    Way(
        Phase.UPDATING,
        awake,
        lambda w: w.apply(serving={"context_tokens": 4096}),
        Phase.UPDATING,
        Phase.AWAKE,
    ),
    Way(
        Phase.SLEEPING,
        awake,
        lambda w: w.command("sleep", endpoint=NAME),
        Phase.SLEEPING,
        Phase.ASLEEP,
    ),
    Way(
        Phase.RETIRING,
        awake,
        lambda w: w.command("delete", endpoint=NAME),
        Phase.RETIRING,
        None,
    ),
)
ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.phase.value)


def _ended_from_outside(world: World, way: Way) -> str:
    """The name of the execution that somebody ended as soon as its phase was there."""
    way.before(world)
    way.order(world)
    world.until(lambda: world.phase() == way.phase, most_seconds=600, step_seconds=1)
    record = world.record()
    assert record is not None and record.status.phase is way.phase
    name = f"{NAME}-{record.status.generation}"
    for one in [one for one in world.states.running() if one.name.startswith(name)]:
        one.stop("States.Aborted", "ended from outside")
    return name


def _tries_at_once(world: World, way: Way, again: Callable[[World], object]) -> bool:
    """Whether the flow that follows is at work under another generation."""
    ended = _ended_from_outside(world, way)
    again(world)
    flow = FLOWS[way.then].replace("_", "-")
    return any(one.flow == flow and one.name != ended for one in world.states.running())


def _through(world: World, way: Way, again: Callable[[World], object]) -> tuple[bool, list[str]]:
    tried = _tries_at_once(world, way, again)
    assert world.settle()
    stays = left(world) if way.ends is None else []
    return tried, [*wrong_with(world), *stays]


@ways
def test_the_next_tick_tries_again(empty: World, way: Way) -> None:
    def lived() -> tuple[bool, str | None, list[str]]:
        tried, wrong = _through(empty, way, World.tick)
        return tried, empty.phase(), wrong

    assert in_copy(lived) == (True, way.ends, [])


@ways
def test_a_person_need_not_wait_for_it(empty: World, way: Way) -> None:
    def lived() -> tuple[bool, str | None, list[str]]:
        def retry(world: World) -> None:
            answer = world.command("retry", endpoint=NAME).payload
            assert answer["ok"], answer

        tried, wrong = _through(empty, way, retry)
        return tried, empty.phase(), wrong

    assert in_copy(lived) == (True, way.ends, [])
