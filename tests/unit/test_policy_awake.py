"""Awake: growing in steps, shrinking when it is quiet, going to sleep, leaving room to AWS."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.policy import (
    Bounds,
    History,
    Phase,
    ReasonCode,
    Recommendation,
    Transition,
    remember,
)
from autoscaler.policy.stabilization import MOST_REMEMBERED, highest_recommended, limit_step
from tests.unit.policy_cases import (
    MINUTE,
    NOON,
    PEAK,
    a_hold,
    a_spec,
    codes,
    decided,
    recommended,
    seen,
)

SIX = a_spec(scaling={"max_copies": 6})
FIVE_MINUTES = timedelta(minutes=5)


class TestGrowth:
    @pytest.mark.parametrize(
        ("desired", "wanted", "copies"),
        [(1, 3, 3), (1, 5, 5), (1, 6, 5), (4, 9, 8), (10, 50, 20), (10, 15, 15)],
    )
    def test_one_step_doubles_or_adds_four(self, desired: int, wanted: int, copies: int) -> None:
        assert limit_step(desired, wanted).copies == copies

    def test_the_maximum_holds(self) -> None:
        decision = decided(a_spec(), seen(backlog=999))
        assert decision.copies == 2
        assert ReasonCode.CAPPED in codes(decision)

    def test_a_window_is_not_limited_by_the_step(self) -> None:
        spec = a_spec(windows=[{**PEAK, "min_copies": 20, "max_copies": 20}])
        assert decided(spec, seen()).copies == 20

    def test_a_step_begins_at_the_minimum_of_the_window(self) -> None:
        spec = a_spec(windows=[{**PEAK, "min_copies": 4, "max_copies": 9}])
        assert decided(spec, seen(backlog=6 * 192)).copies == 6


class TestBoundsLeaveRoomToApplicationAutoScaling:
    def test_the_lower_bound_rises_to_what_the_backlog_needs(self) -> None:
        decision = decided(SIX, seen(backlog=400))
        assert (decision.copies, decision.bounds) == (3, Bounds(3, 6))

    def test_but_not_beyond_the_step(self) -> None:
        decision = decided(a_spec(scaling={"max_copies": 20}), seen(backlog=1920))
        assert (decision.copies, decision.bounds) == (5, Bounds(5, 20))

    def test_concurrency_moves_copies_and_leaves_the_bounds(self) -> None:
        decision = decided(SIX, seen(in_flight=20.0))
        assert (decision.copies, decision.bounds) == (3, Bounds(1, 6))

    def test_copies_that_aws_added_are_kept_while_they_were_needed(self) -> None:
        decision = decided(SIX, seen(desired_copies=4, in_flight=20.0), recommended((9, 3), (2, 4)))
        assert (decision.copies, decision.bounds) == (4, Bounds(1, 6))

    def test_awake_the_lower_bound_is_never_zero(self) -> None:
        assert decided(SIX, seen()).bounds.min_copies == 1

    def test_a_backlog_out_of_sight_keeps_its_bound(self) -> None:
        blind = seen(backlog=None, desired_copies=3, bounds=Bounds(3, 6))
        assert decided(SIX, blind).bounds == Bounds(3, 6)


class TestShrinking:
    @pytest.mark.parametrize(
        ("remembered", "copies"),
        [
            ([(10, 1)], 1),  # low for the whole window
            ([(10, 5), (4, 1)], 5),  # five was still in force when the window began
            ([(10, 5), (5, 1)], 1),  # and here it was not
            ([(10, 1), (3, 2), (2, 1)], 2),  # down to the highest of the window
            ([(10, 1), (3, 9), (2, 1)], 5),  # never up by memory alone
            ([(5, 2), (5, 1)], 2),  # of two at the same moment the higher
            ([(60, 1)], 1),  # a recommendation holds until the next
            ([(4, 1)], 5),  # memory does not reach back over the window
            ([], 5),
        ],
    )
    def test_only_to_the_highest_recommendation_of_the_window(
        self, remembered: list[tuple[float, int]], copies: int
    ) -> None:
        observation = seen(desired_copies=5, in_flight=3.0)
        assert decided(SIX, observation, recommended(*remembered)).copies == copies

    def test_without_a_window_at_once(self) -> None:
        spec = a_spec(scaling={"max_copies": 6, "stabilization_window": "0s"})
        assert decided(spec, seen(desired_copies=5, in_flight=3.0)).copies == 1

    def test_a_lower_maximum_is_obeyed_at_once(self) -> None:
        assert decided(a_spec(), seen(desired_copies=5, in_flight=99.0)).copies == 2

    @pytest.mark.parametrize("missing", ["backlog", "in_flight"])
    def test_never_on_a_missing_signal(self, missing: str) -> None:
        observation = replace(seen(desired_copies=5), **{missing: None})
        assert decided(SIX, observation, recommended((9, 1))).copies == 5


class TestSleep:
    idle = seen(last_active_at=NOON - timedelta(minutes=10))

    def test_after_the_keep_alive_with_bounds_at_zero(self) -> None:
        decision = decided(SIX, self.idle)
        assert (decision.transition, decision.copies) == (Transition.SLEEP, 0)
        assert decision.bounds == Bounds(0, 0)

    def test_a_second_before_it_stays(self) -> None:
        nearly = replace(self.idle, last_active_at=NOON - timedelta(minutes=9, seconds=59))
        assert decided(SIX, nearly).transition is None

    @pytest.mark.parametrize(
        "changes",
        [
            {"backlog": 1},
            {"in_flight": 0.2},
            {"backlog": None},
            {"in_flight": None},
            {"hold": a_hold(0)},
            {"hold": a_hold(1)},
        ],
        ids=str,
    )
    def test_never_with_work_a_hold_or_a_missing_signal(self, changes: dict[str, object]) -> None:
        decision = decided(SIX, replace(self.idle, **changes))
        assert decision.transition is None
        assert decision.copies >= 1

    def test_never_while_something_keeps_a_copy_warm(self) -> None:
        assert decided(a_spec(windows=[PEAK]), self.idle).transition is None
        assert decided(a_spec(scaling={"min_copies": 1}), self.idle).transition is None

    @pytest.mark.parametrize(("keep_alive", "sleeps"), [("2m", True), ("30m", False)])
    def test_a_window_has_its_own_keep_alive(self, keep_alive: str, sleeps: bool) -> None:
        window = {**PEAK, "min_copies": 0, "keep_alive": keep_alive}
        observation = seen(last_active_at=NOON - timedelta(minutes=12))
        decision = decided(a_spec(windows=[window]), observation)
        assert (decision.transition is Transition.SLEEP) is sleeps

    def test_without_any_activity_idle_counts_from_coming_awake(self) -> None:
        never = seen(last_active_at=None, phase_since=NOON - timedelta(minutes=9))
        assert decided(SIX, never).transition is None
        assert decided(SIX, replace(never, phase_since=NOON - timedelta(minutes=10))).transition

    def test_a_start_that_was_just_paid_for_is_kept_for_one_keep_alive(self) -> None:
        woken = seen(
            last_active_at=NOON - timedelta(hours=9), phase_since=NOON - timedelta(minutes=1)
        )
        assert codes(decided(SIX, woken)) == [ReasonCode.KEPT_ALIVE]


class TestRemember:
    def test_a_recommendation_is_handed_out_unbounded_by_anything_but_demand(self) -> None:
        decision = decided(a_spec(), seen(backlog=1920, hold=a_hold(2)))
        assert decision.recommendation == Recommendation(NOON, 10)

    def test_only_changes_are_kept(self) -> None:
        history = recommended((3, 1), (2, 1), (1, 2))
        history = remember(history, Recommendation(NOON, 2), FIVE_MINUTES, NOON)
        assert history == recommended((3, 1), (1, 2))

    def test_what_was_in_force_when_the_window_began_is_kept_and_older_is_not(self) -> None:
        history = remember(recommended((30, 4), (6, 3), (2, 2)), None, FIVE_MINUTES, NOON)
        assert history == recommended((6, 3), (2, 2))

    def test_order_and_repetition_of_arrival_do_not_matter(self) -> None:
        first, second = Recommendation(NOON - MINUTE, 1), Recommendation(NOON, 2)
        forward, backward = History(), History()
        for one in (first, second, second):
            forward = remember(forward, one, FIVE_MINUTES, NOON)
        for one in (second, first):
            backward = remember(backward, one, FIVE_MINUTES, NOON)
        assert forward == backward == recommended((1, 1), (0, 2))

    def test_it_never_grows_beyond_its_length_nor_forgets_a_high(self) -> None:
        window = timedelta(days=30)
        history = History()
        for number in range(3 * MOST_REMEMBERED):
            at = NOON + number * MINUTE
            copies = 50 if number == 5 else number % 2
            history = remember(history, Recommendation(at, copies), window, at)
        assert len(history.recommendations) == MOST_REMEMBERED
        assert highest_recommended(history, 0, 0, window, NOON + 600 * MINUTE) == 50

    def test_lead_times_stay_as_they_are(self) -> None:
        history = History(lead_times=(MINUTE,))
        assert remember(history, None, FIVE_MINUTES, NOON).lead_times == (MINUTE,)


def test_awake_is_the_only_phase_that_sleeps() -> None:
    for phase in Phase:
        idle = seen(phase, last_active_at=NOON - timedelta(hours=1))
        slept = decided(SIX, idle).transition is Transition.SLEEP
        assert slept is (phase is Phase.AWAKE)
