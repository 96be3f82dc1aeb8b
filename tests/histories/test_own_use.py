"""The transitions that a report estimates, against those of the machines' executions."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

from autoscaler.ledger.own_use import transitions
from autoscaler.spec import Kind
from tests.histories.forks import in_copy
from tests.histories.world import NAME, World

ROUNDS = 3  # of a sleep and a wake: from the second on it is known how long a wake takes


@pytest.mark.parametrize("copies", [1, 2, 3])
@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.value)
def test_what_a_report_estimates_is_what_the_executions_entered(
    empty: World, kind: Kind, copies: int
) -> None:
    counted, estimated = in_copy(lambda: _rounds(empty, kind, copies))
    assert counted > ROUNDS * 40, "it was counted"
    assert estimated == pytest.approx(counted, rel=0.12)


def _rounds(world: World, kind: Kind, copies: int) -> tuple[int, float]:
    """States entered, and what is made of the calls of functions."""
    world.kind = kind
    world.apply(scaling={"max_copies": copies, "keep_alive": "2h"})
    assert world.settle()
    entered, before = 0, len(world.handlers.invoked)
    for command, phase in (("sleep", "ASLEEP"), ("wake", "AWAKE")) * ROUNDS:
        world.command(command, endpoint=NAME)
        (execution,) = world.states.running()
        world.run(600)
        assert (world.phase(), world.states.running()) == (phase, [])
        entered += len(execution.path)
    calls = Counter(name for name, _ in world.handlers.invoked[before:])
    known = {name: Decimal(count) for name, count in calls.items()}
    return entered, float(transitions(known, {kind: ROUNDS}))
