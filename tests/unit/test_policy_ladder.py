"""The ladder: each rung in its turn, patience when all are taken, no money for hopeless tries."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.policy import ladder
from autoscaler.policy.ladder import Try, TryOutcome, next_step, remembered
from tests.memory import NOON

SERVED, CAPACITY = TryOutcome.SERVED, TryOutcome.CAPACITY
CONTAINER, OTHER = TryOutcome.CONTAINER, TryOutcome.OTHER
MINUTE = timedelta(minutes=1)


def tries(*history: tuple[float, int, TryOutcome]) -> list[Try]:
    """Minutes before noon, rung, outcome; oldest first."""
    return [Try(NOON - minutes * MINUTE, rung, outcome) for minutes, rung, outcome in history]


@pytest.mark.parametrize(
    ("history", "rungs", "rung", "at_once"),
    [
        ([], 3, 0, True),
        ([(1, 0, CAPACITY)], 3, 1, True),
        ([(9, 0, CAPACITY), (1, 1, CAPACITY)], 3, 2, True),
        # all have failed: the oldest failure first, and not at once
        ([(9, 0, CAPACITY), (5, 1, CAPACITY), (0, 2, CAPACITY)], 3, 0, False),
        ([(9, 0, CAPACITY), (5, 1, CAPACITY), (3, 0, CAPACITY)], 2, 1, True),
        # served on the second: it is kept while the first failed lately, and left afterwards
        ([(30, 0, CAPACITY), (20, 1, SERVED)], 2, 1, True),
        ([(90, 0, CAPACITY), (80, 1, SERVED)], 2, 0, True),
        ([(2, 0, SERVED)], 2, 0, True),
        # a rung that the spec no longer has counts for nothing
        ([(9, 1, SERVED), (1, 2, CAPACITY)], 1, 0, True),
    ],
)
def test_which_rung_comes_next(history, rungs, rung, at_once) -> None:
    step = next_step(tries(*history), rungs, NOON)
    assert step.rung == rung
    assert (step.retry_at is None) is at_once
    assert not step.circuit_open


def test_alone_on_its_rung_the_pause_doubles_with_jitter_up_to_half_an_hour() -> None:
    for failures, longest in ((1, 60), (2, 120), (3, 240), (6, 1800), (15, 1800)):
        history = tries(*[(failures - n, 0, CAPACITY) for n in range(failures)])
        step = next_step(history, 1, NOON, "llama")
        assert step.retry_at is not None
        pause = (step.retry_at - history[-1].at).total_seconds()
        assert longest / 2 <= pause <= longest, failures


def test_two_endpoints_do_not_come_back_in_the_same_second() -> None:
    history = tries(*[(9 - n, 0, CAPACITY) for n in range(8)])
    pauses = {next_step(history, 1, NOON, name).retry_at for name in "abcdefgh"}
    assert len(pauses) > 6


def test_one_dead_container_is_tried_again_and_the_second_opens_the_circuit() -> None:
    once = next_step(tries((1, 0, CONTAINER)), 1, NOON)
    assert not once.circuit_open
    twice = next_step(tries((9, 0, CONTAINER), (1, 0, CONTAINER)), 1, NOON)
    assert twice.circuit_open
    assert twice.retry_at == NOON - MINUTE + ladder.FIRST_OPEN
    again = [*tries((500, 0, CONTAINER), (490, 0, CONTAINER)), *tries((1, 0, CONTAINER))]
    assert next_step(again, 1, NOON).retry_at == NOON - MINUTE + 2 * ladder.FIRST_OPEN


def test_a_container_that_dies_on_one_rung_may_live_on_the_next() -> None:
    step = next_step(tries((9, 0, CONTAINER), (1, 0, CONTAINER)), 2, NOON)
    assert (step.rung, step.circuit_open, step.retry_at) == (1, False, None)
    both = tries((9, 0, CONTAINER), (7, 1, CONTAINER), (5, 0, CONTAINER), (1, 1, CONTAINER))
    assert next_step(both, 2, NOON).circuit_open


def test_no_capacity_never_opens_the_circuit_because_nothing_is_paid_for() -> None:
    history = tries(*[(20 - n, 0, CAPACITY) for n in range(20)])
    assert not next_step(history, 1, NOON).circuit_open


def test_a_fallback_answers_once_every_rung_has_failed_and_not_before() -> None:
    assert not next_step(tries((1, 0, CAPACITY)), 2, NOON).exhausted
    assert next_step(tries((2, 0, CAPACITY), (1, 1, CAPACITY)), 2, NOON).exhausted
    mended = tries((3, 0, CAPACITY), (2, 1, CAPACITY), (1, 0, SERVED))
    assert not next_step(mended, 2, NOON).exhausted


histories = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(TryOutcome), st.integers(0, 90)), max_size=20
)


@given(histories, st.integers(1, 4))
def test_whatever_happened_the_ladder_names_a_rung_and_never_waits_longer_than_a_day(
    history: list[tuple[int, TryOutcome, int]], rungs: int
) -> None:
    moment, taken = NOON - timedelta(days=3), []
    for rung, outcome, minutes in history:
        moment += minutes * MINUTE
        taken.append(Try(moment, rung, outcome))
    step = next_step(taken, rungs, moment, "llama")
    assert 0 <= step.rung < rungs
    assert step == next_step(taken, rungs, moment, "llama")
    assert step.retry_at is None or step.retry_at <= moment + timedelta(hours=24)
    assert not step.circuit_open or step.exhausted
    counted = [one for one in taken if one.rung < rungs]
    if not counted or counted[-1].outcome is SERVED:
        assert step.retry_at is None, "what served last may be woken at once"


@given(st.integers(1, 4))
def test_every_rung_is_tried_before_any_is_tried_twice(rungs: int) -> None:
    taken: list[Try] = []
    order = []
    for n in range(rungs):
        step = next_step(taken, rungs, NOON + n * MINUTE)
        assert step.retry_at is None
        order.append(step.rung)
        taken.append(Try(NOON + n * MINUTE, step.rung, CAPACITY))
    assert order == list(range(rungs))
    assert next_step(taken, rungs, NOON + rungs * MINUTE).retry_at is not None


def test_only_the_latest_tries_are_remembered() -> None:
    taken: tuple[Try, ...] = ()
    for n in range(30):
        taken = remembered(taken, Try(NOON + n * MINUTE, 0, CAPACITY))
    assert len(taken) == ladder.TRIES_KEPT
    assert taken[-1].at == NOON + 29 * MINUTE


TAKEN = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 2), st.sampled_from(TryOutcome)),
    min_size=1,
    max_size=40,
)


@given(TAKEN, st.integers(0, 90))
def test_what_is_not_remembered_would_have_changed_nothing(
    taken: list[tuple[int, int, TryOutcome]], since: int
) -> None:
    now, whole, kept = NOON, (), ()
    for minutes, rung, outcome in taken:
        now += minutes * MINUTE
        latest = Try(now, rung, outcome)
        whole, kept = (*whole, latest)[-ladder.TRIES_KEPT :], remembered(kept, latest)
    later = now + since * MINUTE
    assert next_step(kept, 3, later) == next_step(whole, 3, later)
    hour = later - timedelta(hours=1)
    assert [one for one in kept if one.at > hour] == [one for one in whole if one.at > hour]


def test_of_wakes_that_serve_those_of_the_last_hour_are_remembered() -> None:
    taken: tuple[Try, ...] = ()
    for n in range(12):
        taken = remembered(taken, Try(NOON + n * 20 * MINUTE, 0, SERVED))
    assert [(taken[-1].at - one.at) / MINUTE for one in taken] == [40, 20, 0]
