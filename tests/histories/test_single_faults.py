"""One call fails, in each way in which it can: afterwards the world agrees with the newest wish.

Each case is a whole piece of an endpoint's life (scenarios.py) in which one call of one handler or
state machine is disturbed. The soak runs the first, the second and the last call of each operation
that each handler and machine makes, with every fault; here a spread of these cases runs, others
each day (rotation.py).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

import pytest

from tests.histories.alerts import ALERTS
from tests.histories.drive import Case, Score, calls_of, cases_of, drive
from tests.histories.faults import Call
from tests.histories.forks import in_copy
from tests.histories.gateway import TICKET
from tests.histories.rotation import again, sample
from tests.histories.rounds import ROUNDS
from tests.histories.scenarios import ALL, ASYNC, REALTIME, Scenario
from tests.histories.staged import WEIGHTS
from tests.histories.unanswered import UNANSWERED
from tests.histories.whole_stack import WHOLE_STACK
from tests.histories.world import World

log = logging.getLogger("histories")
CASES = 2  # of each scenario, in a turn
SCENARIOS = (*ALL, *REALTIME, *ASYNC, *WEIGHTS, *ROUNDS, *WHOLE_STACK, ALERTS, TICKET, *UNANSWERED)


def _of_each(calls: Sequence[Call]) -> list[Case]:
    """The first, second and last call of each operation by each actor, with all that may be."""
    last = Counter((call.actor, call.name) for call in calls)
    return [
        case
        for case in cases_of(calls)
        if case.number <= 2 or case.number == last[case.actor, case.name]
    ]


def _driven(world: World, scenario: Scenario, count: int | None) -> Score:
    scenario.prepare(world)
    cases = [one for one in _of_each(calls_of(world, scenario)) if scenario.possible(one)]
    return drive(world, scenario, sample(cases, count) if count else cases)


def _judge(score: Score) -> None:
    kinds = ", ".join(f"{fault}: {n}" for fault, n in sorted(score.by_fault.items()) if n)
    told = "%d cases, %d fired, %d unrecovered; %s"
    log.info(told, score.cases, score.fired, len(score.unrecovered), kinds)
    assert score.fired == score.cases > 0, f"some faults never fired {again()}"
    assert not score.unrecovered, "\n".join([*score.unrecovered, again()])


@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_a_fault_at_any_call_is_recovered_from(empty: World, scenario: Scenario) -> None:
    _judge(in_copy(lambda: _driven(empty, scenario, CASES), 600))


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_every_fault_at_every_call_is_recovered_from(empty: World, scenario: Scenario) -> None:
    _judge(in_copy(lambda: _driven(empty, scenario, None), 7000))
