"""Asleep, on the way down and on the way up: when to wake, how big, and what stands in the way."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.policy import (
    Bounds,
    History,
    Phase,
    ReasonCode,
    StackWakes,
    Transition,
    decide,
    lead_time,
)
from tests.unit.policy_cases import NOON, PEAK, a_hold, a_spec, codes, decided, seen

FOUR = a_spec(scaling={"max_copies": 4})
AFTERNOON = {**PEAK, "start": "12:05", "end": "18:00", "min_copies": 2}
NONE_LEFT = StackWakes(NOON.date(), 40, 40)
LIMITED = a_spec(budget={"monthly_usd": 100, "wakes_per_day": 3}, windows=[PEAK])


class TestWake:
    @pytest.mark.parametrize(("backlog", "copies"), [(1, 1), (192, 1), (193, 2), (9999, 4)])
    def test_the_backlog_sizes_a_wake_at_once(self, backlog: int, copies: int) -> None:
        decision = decided(FOUR, seen(Phase.ASLEEP, backlog=backlog))
        assert decision.transition is Transition.WAKE
        assert decision.copies == copies

    def test_the_bounds_of_a_wake_keep_its_size(self) -> None:
        assert decided(FOUR, seen(Phase.ASLEEP, backlog=400)).bounds == Bounds(3, 4)

    def test_an_open_window_wakes(self) -> None:
        decision = decided(a_spec(windows=[PEAK]), seen(Phase.ASLEEP))
        assert (decision.transition, decision.copies) == (Transition.WAKE, 1)

    def test_nothing_to_do_stays_asleep_with_room_above(self) -> None:
        decision = decided(FOUR, seen(Phase.ASLEEP))
        assert (decision.transition, decision.copies) == (None, 0)
        assert decision.bounds == Bounds(0, 4)

    def test_an_unknown_backlog_wakes_nothing(self) -> None:
        decision = decided(FOUR, seen(Phase.ASLEEP, backlog=None))
        assert (decision.transition, decision.copies) == (None, 0)

    def test_a_sleep_turns_round_for_a_request(self) -> None:
        decision = decided(FOUR, seen(Phase.SLEEPING, backlog=1))
        assert (decision.transition, decision.copies) == (Transition.WAKE, 1)

    def test_a_sleep_turns_round_for_a_hold(self) -> None:
        decision = decided(FOUR, seen(Phase.SLEEPING, hold=a_hold(2)))
        assert (decision.transition, decision.copies) == (Transition.WAKE, 2)

    def test_a_sleep_that_nothing_stops_goes_on_to_zero(self) -> None:
        decision = decided(FOUR, seen(Phase.SLEEPING))
        assert (decision.transition, decision.copies) == (None, 0)
        assert decision.bounds == Bounds(0, 0)


class TestWindowsAhead:
    @pytest.mark.parametrize(("minutes", "wakes"), [(6, True), (6.1, False)])
    def test_five_minutes_and_a_tick_before_until_a_start_was_measured(
        self, minutes: float, wakes: bool
    ) -> None:
        spec = a_spec(windows=[AFTERNOON])
        now = NOON + timedelta(minutes=5 - minutes)
        decision = decide(spec, seen(Phase.ASLEEP), History(), now)
        assert (decision.transition is Transition.WAKE) is wakes

    def test_the_size_and_the_maximum_are_those_of_the_window(self) -> None:
        small = a_spec(windows=[{**AFTERNOON, "min_copies": 3}], scaling={"max_copies": 1})
        decision = decided(small, seen(Phase.ASLEEP))
        assert (decision.copies, decision.bounds) == (3, Bounds(3, 3))

    def test_the_highest_minimum_within_the_lead_time_counts(self) -> None:
        first = {**AFTERNOON, "name": "first", "start": "12:02", "end": "12:04", "min_copies": 3}
        assert decided(a_spec(windows=[first, AFTERNOON]), seen(Phase.ASLEEP)).copies == 3

    @pytest.mark.parametrize(("minutes", "stays"), [(12, True), (12.1, False)])
    def test_an_awake_endpoint_stays_when_a_sleep_and_a_start_would_take_longer(
        self, minutes: float, stays: bool
    ) -> None:
        now = NOON + timedelta(minutes=5 - minutes)
        idle = seen(phase_since=now - timedelta(hours=2), last_active_at=now - timedelta(hours=1))
        decision = decide(a_spec(windows=[AFTERNOON]), idle, History(), now)
        assert (decision.transition is None) is stays
        assert decision.copies == (1 if stays else 0), "one copy bridges, whatever the window wants"

    def test_an_awake_endpoint_does_not_sleep_into_a_window(self) -> None:
        idle = seen(last_active_at=NOON - timedelta(hours=1))
        decision = decided(a_spec(windows=[AFTERNOON]), idle)
        assert (decision.transition, decision.copies) == (None, 2)

    @pytest.mark.parametrize(
        ("minutes", "expected"),
        [([], 5), ([7], 7), ([4, 30, 5], 30), ([*range(1, 11)], 9), ([*range(20, 0, -1)], 18)],
    )
    def test_the_lead_time_is_the_p90_of_measured_starts(
        self, minutes: list[int], expected: int
    ) -> None:
        history = History(lead_times=tuple(timedelta(minutes=one) for one in minutes))
        assert lead_time(history) == timedelta(minutes=expected)


class TestObstacles:
    @pytest.mark.parametrize("phase", [Phase.ASLEEP, Phase.SLEEPING])
    @pytest.mark.parametrize("backlog", [0, 500])
    def test_spent_wakes_let_backlog_and_windows_wait(self, phase: Phase, backlog: int) -> None:
        decision = decided(LIMITED, seen(phase, backlog=backlog, wakes_today=3))
        assert (decision.transition, decision.copies) == (None, 0)
        assert codes(decision)[-1] is ReasonCode.WAKES_SPENT

    @pytest.mark.parametrize("phase", [Phase.ASLEEP, Phase.SLEEPING])
    @pytest.mark.parametrize("backlog", [0, 500])
    def test_so_do_those_of_the_whole_stack(self, phase: Phase, backlog: int) -> None:
        decision = decided(LIMITED, seen(phase, backlog=backlog, stack_wakes=NONE_LEFT))
        assert (decision.transition, decision.copies) == (None, 0)
        assert codes(decision)[-1] is ReasonCode.WAKES_SPENT

    @pytest.mark.parametrize("spent", [{"wakes_today": 3}, {"stack_wakes": NONE_LEFT}])
    def test_a_hold_wakes_in_spite_of_spent_wakes(self, spent: dict[str, Any]) -> None:
        decision = decided(LIMITED, seen(Phase.ASLEEP, hold=a_hold(1), **spent))
        assert decision.transition is Transition.WAKE

    def test_after_a_failed_wake_everything_waits(self) -> None:
        later = NOON + timedelta(minutes=1)
        waiting = seen(Phase.ASLEEP, backlog=500, hold=a_hold(1), retry_at=later)
        assert decided(FOUR, waiting).transition is None
        due = seen(Phase.ASLEEP, backlog=500, retry_at=NOON)
        assert decided(FOUR, due).transition is Transition.WAKE

    def test_nothing_to_wake_for_is_no_obstacle(self) -> None:
        decision = decided(a_spec(), seen(Phase.ASLEEP, wakes_today=99))
        assert codes(decision) == [ReasonCode.NOTHING_TO_DO]


class TestBudget:
    spent = {"spent_this_month_usd": Decimal(100)}

    def test_a_spent_budget_still_answers_requests_with_one_copy(self) -> None:
        decision = decided(LIMITED, seen(Phase.ASLEEP, backlog=500, **self.spent))
        assert (decision.transition, decision.copies) == (Transition.WAKE, 1)
        assert decision.bounds == Bounds(1, 1)

    def test_a_spent_budget_follows_no_window(self) -> None:
        assert decided(LIMITED, seen(Phase.ASLEEP, **self.spent)).transition is None

    def test_a_spent_budget_sleeps_when_idle_although_a_window_is_open(self) -> None:
        idle = seen(last_active_at=NOON - timedelta(minutes=10), **self.spent)
        assert decided(LIMITED, idle).transition is Transition.SLEEP

    def test_a_hold_does_not_go_beyond_a_spent_budget(self) -> None:
        decision = decided(LIMITED, seen(desired_copies=3, hold=a_hold(4), **self.spent))
        assert (decision.copies, decision.bounds) == (1, Bounds(1, 1))

    def test_a_hold_wakes_one_copy_in_spite_of_a_spent_budget(self) -> None:
        decision = decided(LIMITED, seen(Phase.ASLEEP, hold=a_hold(4), **self.spent))
        assert (decision.transition, decision.copies) == (Transition.WAKE, 1)

    def test_a_cent_below_is_not_spent(self) -> None:
        nearly = seen(Phase.ASLEEP, spent_this_month_usd=Decimal("99.99"))
        assert decided(LIMITED, nearly).transition is Transition.WAKE

    def test_without_a_budget_nothing_is_ever_spent(self) -> None:
        rich = seen(Phase.ASLEEP, backlog=1, spent_this_month_usd=Decimal(10**9))
        assert ReasonCode.BUDGET_SPENT not in codes(decided(FOUR, rich))


class TestHold:
    @pytest.mark.parametrize(
        ("asked", "windows", "copies"),
        [(1, [], 1), (2, [], 2), (9, [], 2), (9, [{**PEAK, "days": ["sun"]}], 4)],
    )
    def test_a_hold_reaches_to_the_highest_maximum_of_all_windows(
        self, asked: int, windows: list[Any], copies: int
    ) -> None:
        decision = decided(a_spec(windows=windows), seen(Phase.ASLEEP, hold=a_hold(asked)))
        assert decision.copies == copies
        assert decision.bounds.max_copies == max(2, copies)

    def test_a_hold_of_nothing_wakes_nothing_but_lets_nothing_sleep(self) -> None:
        hold = a_hold(0)
        assert decided(FOUR, seen(Phase.ASLEEP, hold=hold)).transition is None
        idle = seen(last_active_at=NOON - timedelta(hours=1), hold=hold)
        assert decided(FOUR, idle).transition is None

    def test_a_hold_expires_by_itself(self) -> None:
        decision = decided(FOUR, seen(Phase.ASLEEP, hold=a_hold(2, minutes=0)))
        assert codes(decision) == [ReasonCode.NOTHING_TO_DO]


class TestStarting:
    @pytest.mark.parametrize("phase", [Phase.WAKING, Phase.CREATING])
    @pytest.mark.parametrize(("backlog", "copies"), [(0, 2), (1, 2), (384, 2), (400, 3), (9999, 4)])
    def test_a_start_grows_with_demand_and_never_shrinks(
        self, phase: Phase, backlog: int, copies: int
    ) -> None:
        decision = decided(FOUR, seen(phase, desired_copies=2, backlog=backlog))
        assert (decision.transition, decision.copies) == (None, copies)
        assert (ReasonCode.SIZE_FROZEN in codes(decision)) is (copies == 2)

    def test_a_start_without_signals_keeps_its_size(self) -> None:
        blind = seen(Phase.WAKING, desired_copies=3, backlog=None, in_flight=None)
        assert decided(FOUR, blind).copies == 3


@pytest.mark.parametrize(
    "phase", [Phase.STAGING, Phase.UPDATING, Phase.RETIRING, Phase.RETIRED, Phase.FAILED]
)
def test_other_phases_are_left_alone(phase: Phase) -> None:
    busy = seen(phase, desired_copies=3, bounds=Bounds(2, 4), backlog=999, hold=a_hold(2))
    decision = decided(FOUR, busy)
    assert (decision.transition, decision.copies, decision.bounds) == (None, 3, Bounds(2, 4))
    assert decision.recommendation is None
