"""The learned keep-alive: break-even between staying and a cold start, from the idle times seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.policy import History, Pattern, ReasonCode, Transition
from autoscaler.policy.economy import Economy
from autoscaler.policy.keep_alive import FALLBACK, cheapest, expected_waiting, stays
from autoscaler.policy.pattern import EDGES_SECONDS, Gaps
from tests.unit.policy_cases import MINUTE, NOON, a_spec, codes, decided, seen

PRICES = Economy(copy_usd=3.6 / 3600, waiting_usd=0.01 / 60, lead_seconds=240)  # start: $0.30
LEARNED = a_spec(scaling={"keep_alive": "learned", "max_copies": 4})


def pattern_of(*minutes: float, times: int = 20, began=NOON) -> Pattern:
    pattern = Pattern()
    for _ in range(times):
        for length in minutes:
            pattern = pattern.with_gap(began, timedelta(minutes=length))
    return pattern


def idle(minutes: float, **more: object):
    return replace(seen(last_active_at=NOON - minutes * MINUTE, usd_per_copy_hour=2.61), **more)


class TestTheCheapestTime:
    @pytest.mark.parametrize(
        ("minutes", "expected_seconds"),
        [
            ((4.5,), 300),  # every idle time ends within 5 min: staying is cheaper than a start
            ((55,), 60),  # none does: the sooner the better
            ((1.2, 1.2, 1.2, 55), 90),  # just long enough for the short ones
            ((9, 9, 9, 55), 60),  # staying 10 min would cost $0.60, a start $0.30
        ],
    )
    def test_follows_the_idle_times(self, minutes, expected_seconds) -> None:
        gaps = pattern_of(*minutes).all_gaps
        assert cheapest((gaps,), PRICES.copy_usd, PRICES.start_usd) == expected_seconds

    def test_a_dear_start_is_avoided_for_longer(self) -> None:
        gaps = pattern_of(9, 9, 9, 55).all_gaps
        assert cheapest((gaps,), PRICES.copy_usd, 10 * PRICES.start_usd) >= 600

    def test_of_the_hour_counts_more_than_of_the_day_as_soon_as_it_is_known(self) -> None:
        day, hour = pattern_of(55, times=40).all_gaps, pattern_of(4.5, times=200).all_gaps
        assert cheapest((day, hour), PRICES.copy_usd, PRICES.start_usd) == 300
        assert cheapest((day, Gaps().with_gap(270)), PRICES.copy_usd, PRICES.start_usd) == 60

    def test_only_edges_come_out(self) -> None:
        assert cheapest((Gaps(),), PRICES.copy_usd, 1000.0) in EDGES_SECONDS


class TestAnIdleEndpoint:
    def test_follows_what_it_learned(self) -> None:
        history = History(pattern=pattern_of(4.5))
        kept = decided(LEARNED, idle(4.9), history)
        assert codes(kept) == [ReasonCode.KEPT_ALIVE]
        assert "it sleeps after 5m without one, learned from 20 idle times" in kept.summary
        assert decided(LEARNED, idle(5.1), history).transition is Transition.SLEEP

    def test_takes_a_fixed_time_while_it_knows_too_little(self) -> None:
        history = History(pattern=pattern_of(55, times=5))
        decision = decided(LEARNED, idle(9), history)
        assert decision.transition is None
        assert "its idle times are not known yet" in decision.summary
        assert decided(LEARNED, idle(10), history).transition is Transition.SLEEP

    def test_takes_a_fixed_time_where_the_price_is_not_known(self) -> None:
        history = History(pattern=pattern_of(55))
        assert decided(LEARNED, idle(9, usd_per_copy_hour=None), history).transition is None
        assert timedelta(minutes=10) == FALLBACK

    def test_obeys_a_person_who_wrote_a_time(self) -> None:
        history = History(pattern=pattern_of(55))
        assert decided(a_spec(), idle(9), history).transition is None

    def test_is_not_moved_by_one_noisy_gap(self) -> None:
        before = pattern_of(4.5)
        after = before.with_gap(NOON, timedelta(hours=5))
        for pattern in before, after:
            assert decided(LEARNED, idle(4.9), History(pattern=pattern)).transition is None

    def test_stays_longer_where_its_wakes_made_many_wait(self) -> None:
        busy = patient = pattern_of(2, 8, 55)
        for _ in range(10):
            busy = busy.with_wake(NOON, 20_000.0)
        assert decided(LEARNED, idle(9.5), History(pattern=patient)).transition is Transition.SLEEP
        assert decided(LEARNED, idle(9.5), History(pattern=busy)).transition is None

    def test_spreads_the_last_wakes_over_the_day(self) -> None:
        history = History(pattern=pattern_of(55))
        assert decided(LEARNED, idle(9), history).transition is Transition.SLEEP
        late = decided(LEARNED, idle(9, wakes_today=90), history)
        assert late.transition is None
        assert "because 90 of 96 wakes are spent today" in late.summary


class TestWhatAWakeCosts:
    def test_one_request_is_assumed_before_any_was_seen(self) -> None:
        assert expected_waiting(Pattern(), PRICES, 12) == pytest.approx(230 * 0.01 / 60)

    def test_then_what_was_seen_at_that_hour_counts_most(self) -> None:
        pattern = Pattern()
        for _ in range(50):
            pattern = pattern.with_wake(NOON, 12_000.0)
        for _ in range(50):
            pattern = pattern.with_wake(NOON + 6 * 60 * MINUTE, 1_200.0)
        at_noon, at_six = (expected_waiting(pattern, PRICES, hour) for hour in (12, 18))
        assert at_six == pytest.approx(0.2, rel=0.15)
        assert at_noon == pytest.approx(2.0, rel=0.15)


class TestCopiesBeyondTheFirst:
    def test_stay_for_what_a_new_start_and_its_queue_would_cost(self) -> None:
        (second,) = stays(LEARNED, History(), PRICES, 2)
        waiting_usd = 16 * 240 / 2 * 0.01 / 60  # half of its slots, for a lead time
        again_usd = PRICES.start_usd + waiting_usd
        assert second.total_seconds() == pytest.approx(again_usd / PRICES.copy_usd)

    def test_never_shorter_than_the_stabilization_window(self) -> None:
        pattern = Pattern()
        for _ in range(20):
            pattern = pattern.with_upper_gap(2, timedelta(hours=5))
        second, third = stays(LEARNED, History(pattern=pattern), PRICES, 3)
        assert second == LEARNED.scaling.stabilization_window
        assert third > second  # nothing is known of it

    def test_without_a_price_the_window_decides(self) -> None:
        assert stays(LEARNED, History(), None, 3) == (LEARNED.scaling.stabilization_window,) * 2
