"""What machines enter in wakes and sleeps, counted where neither a state nor a call takes time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from autoscaler.control.start import MEASURED_ENOUGH
from autoscaler.spec import Kind
from tests.histories.world import NAME, World

_LONGEST_SECONDS = 600.0  # of a wake, and of a sleep


@dataclass(frozen=True)
class Entered:
    """States of so many sleeps with their wakes, and how often each function was called."""

    rounds: int
    states: int
    calls: Counter[str]

    @property
    def of_a_round(self) -> float:
        return self.states / self.rounds


def entered(world: World, kind: Kind, copies: int, rounds: int) -> Entered:
    """Applies an endpoint of at most so many copies; its first sleeps and wakes are not counted, as
    it is not known yet how long they take."""
    world.kind = kind
    world.apply(scaling={"max_copies": copies, "keep_alive": "2h"})
    assert world.settle()
    for _ in range(MEASURED_ENOUGH):
        _round(world)
    before = len(world.handlers.invoked)
    states = sum(_round(world) for _ in range(rounds))
    calls = Counter(name for name, _ in world.handlers.invoked[before:])
    return Entered(rounds, states, calls)


def _round(world: World) -> int:
    found = 0
    for command, phase in (("sleep", "ASLEEP"), ("wake", "AWAKE")):
        world.command(command, endpoint=NAME)
        (execution,) = world.states.running()
        world.run(_LONGEST_SECONDS)
        assert (world.phase(), world.states.running()) == (phase, [])
        found += len(execution.path)
    return found
