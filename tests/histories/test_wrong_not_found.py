"""AWS says once that a thing is not there, and it is: nothing of what was deleted stays behind."""

from __future__ import annotations

from tests.histories.drive import Score, calls_of, cases_of, drive
from tests.histories.faults import Fault
from tests.histories.forks import in_copy
from tests.histories.scenarios import DELETE
from tests.histories.world import World

# What is removed last, with nothing behind it that would look again.
REMOVED = (
    "lambda:DeleteEventSourceMapping",
    "sagemaker:DeleteEndpointConfig",
    "sagemaker:DeleteModel",
)


def _told_wrong(world: World) -> Score:
    DELETE.prepare(world)
    cases = [
        case
        for case in cases_of(calls_of(world, DELETE))
        if case.fault is Fault.NOT_FOUND and case.name in REMOVED
    ]
    return drive(world, DELETE, cases)


def test_what_is_not_found_once_is_asked_for_again(empty: World) -> None:
    score = in_copy(lambda: _told_wrong(empty), 600)
    assert score.fired == score.cases >= len(REMOVED) + 1, "both mappings, a config, a model"
    assert not score.unrecovered, "\n".join(score.unrecovered)
