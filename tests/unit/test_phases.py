"""The table of transitions, every pair of it."""

from __future__ import annotations

from itertools import product

import pytest

from autoscaler.endpoints.phases import IN_TRANSITION, TRANSITIONS, PhaseError, check_transition
from autoscaler.policy.types import Phase

# Written out a second time, by phase and in the words of the design: a change must be made twice.
ALLOWED = {
    "STAGING": "CREATING FAILED RETIRING",
    "CREATING": "AWAKE STAGING FAILED RETIRING",
    "ASLEEP": "WAKING SLEEPING UPDATING FAILED RETIRING",
    "WAKING": "AWAKE SLEEPING FAILED RETIRING",
    "AWAKE": "SLEEPING WAKING UPDATING FAILED RETIRING",
    "SLEEPING": "ASLEEP WAKING FAILED RETIRING",
    "UPDATING": "AWAKE ASLEEP SLEEPING FAILED RETIRING",
    "RETIRING": "RETIRED",
    "RETIRED": "STAGING",
    "FAILED": "STAGING RETIRING",
}
PAIRS = list(product(Phase, Phase))


@pytest.mark.parametrize(("current", "wanted"), PAIRS, ids=lambda phase: phase.value)
def test_every_pair_of_phases(current: Phase, wanted: Phase) -> None:
    if wanted == current or wanted.value in ALLOWED[current.value].split():
        check_transition(current, wanted)
    else:
        with pytest.raises(PhaseError, match=f"{current} cannot become {wanted}"):
            check_transition(current, wanted)


def test_every_phase_has_a_row() -> None:
    assert set(TRANSITIONS) == set(Phase)


def test_every_phase_can_be_left() -> None:
    assert all(TRANSITIONS[phase] for phase in Phase)


def test_every_phase_can_be_reached() -> None:
    reached = {wanted for targets in TRANSITIONS.values() for wanted in targets}

    assert reached == set(Phase)


def test_everything_that_exists_can_be_retired() -> None:
    gone = {Phase.RETIRING, Phase.RETIRED}

    assert all(Phase.RETIRING in TRANSITIONS[phase] for phase in set(Phase) - gone)


def test_an_execution_is_at_work_exactly_in_the_phases_that_end_by_themselves() -> None:
    assert {phase.value for phase in IN_TRANSITION} == {
        "STAGING",
        "CREATING",
        "WAKING",
        "SLEEPING",
        "UPDATING",
        "RETIRING",
    }
