"""The cases of each day: as many as asked for, spread, and in the end every one."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.histories.races import is_run
from tests.histories.rotation import VARIABLE, again, sample

CASES = range(1446)  # as many as the wake has


@pytest.mark.parametrize("count", [1, 6, 7, 1446, 5000])
def test_every_case_has_its_turn_and_each_turn_has_so_many_far_apart(count: int) -> None:
    turns = -(-len(CASES) // min(count, len(CASES)))
    seen = [sample(CASES, count, 739_582 + turn) for turn in range(turns)]
    assert {case for cases in seen for case in cases} == set(CASES)
    for cases in seen:
        assert len(cases) == min(count, len(CASES))
        assert cases == sorted(set(cases))
        assert all(b - a <= 2 * turns for a, b in pairwise(cases))


def test_the_same_turn_has_the_same_cases_and_says_how_to_have_them_again() -> None:
    assert sample(CASES, 6, 7) == sample(CASES, 6, 7) != sample(CASES, 6, 8)
    assert f"{VARIABLE}=7" in again(7)


def test_of_nothing_nothing_runs() -> None:
    assert sample([], 6) == []


@pytest.mark.parametrize("turn", range(3))
def test_every_schedule_of_a_race_has_its_turn(turn: int) -> None:
    run = [number for number in range(1, 31) if is_run(number, 3, turn)]
    assert len(run) == 10 == (30 + turn) // 3
    assert {n % 3 for n in run} == {-turn % 3}, "another third each turn"
