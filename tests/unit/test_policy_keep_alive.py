"""The learned keep-alive, and starts ahead: what a calculation over the own idle times says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from autoscaler.policy import History, Pattern, Phase, ReasonCode, Transition, decide
from autoscaler.policy.economy import Economy
from autoscaler.policy.keep_alive import FALLBACK, cheapest, stays
from autoscaler.policy.pattern import EDGES_SECONDS
from autoscaler.policy.resting import look_ahead
from tests.unit.policy_cases import (
    MINUTE,
    NOON,
    a_spec,
    codes,
    days_with_requests_at,
    decided,
    seen,
)

PRICES = Economy(copy_usd=3.6 / 3600, waiting_usd=0.01 / 60, lead_seconds=240)  # start: $0.30
LEARNED = a_spec(scaling={"keep_alive": "learned", "max_copies": 4})


def pattern_of(*minutes: float, times: int = 20, began: datetime = NOON) -> Pattern:
    pattern = Pattern()
    for _ in range(times):
        for length in minutes:
            pattern = pattern.with_gap(began, began + timedelta(minutes=length))
    return pattern


def idle(minutes: float, **more: object):
    return replace(seen(last_active_at=NOON - minutes * MINUTE, usd_per_copy_hour=2.61), **more)


def asleep(minutes: float, **more: object):
    return replace(idle(minutes), phase=Phase.ASLEEP, desired_copies=0, observed_copies=0, **more)


class TestTheLookAhead:
    def test_stays_as_long_as_idle_times_end_soon(self) -> None:
        outlook = look_ahead(LEARNED, pattern_of(4.5), PRICES, NOON - MINUTE, NOON)
        assert not outlook.sleep
        assert outlook.stays_seconds is not None
        assert 180 <= outlook.stays_seconds <= 360

    def test_sleeps_at_once_where_none_does(self) -> None:
        assert look_ahead(LEARNED, pattern_of(55), PRICES, NOON - MINUTE, NOON).sleep

    def test_breaks_even_before_anything_is_known(self) -> None:
        # The chance is 1 / age: staying pays while age < (start + waiting) / price of a second.
        single = 230 * PRICES.waiting_usd
        even = (PRICES.start_usd + single) / PRICES.copy_usd
        outlook = look_ahead(LEARNED, Pattern(), PRICES, NOON, NOON)
        assert outlook.stays_seconds == pytest.approx(even, abs=150)

    def test_stays_longer_where_starts_make_many_wait(self) -> None:
        busy = patient = pattern_of(2, 8, 55)
        for _ in range(10):
            busy = busy.with_burst(NOON, 600.0, 20_000.0, 0.0)
        begun = NOON - 4 * MINUTE
        assert look_ahead(LEARNED, patient, PRICES, begun, NOON).sleep
        assert not look_ahead(LEARNED, busy, PRICES, begun, NOON).sleep

    def test_a_dear_copy_sleeps_sooner(self) -> None:
        dear = replace(PRICES, copy_usd=10 * PRICES.copy_usd)
        busy = pattern_of(2, 8, 25).with_burst(NOON, 600.0, 3_000.0, 0.0)
        cheap_stays, dear_stays = (
            look_ahead(LEARNED, busy, prices, NOON, NOON).stays_seconds for prices in (PRICES, dear)
        )
        assert cheap_stays is not None
        assert dear_stays is not None
        assert dear_stays < cheap_stays


class TestAnIdleEndpoint:
    def test_follows_what_it_learned(self) -> None:
        history = History(pattern=pattern_of(4.5))
        kept = decided(LEARNED, idle(3), history)
        assert codes(kept) == [ReasonCode.KEPT_ALIVE]
        assert "learned from 20 idle times" in kept.summary
        gone = decided(LEARNED, idle(9), history)
        assert gone.transition is Transition.SLEEP
        assert "No request for 9m" in gone.summary

    def test_breaks_even_while_it_knows_nothing(self) -> None:
        decision = decided(LEARNED, idle(3))
        assert decision.transition is None
        assert "where a start breaks even" in decision.summary
        assert decided(LEARNED, idle(12)).transition is Transition.SLEEP

    def test_takes_a_fixed_time_where_the_price_is_not_known(self) -> None:
        history = History(pattern=pattern_of(55))
        assert decided(LEARNED, idle(9, usd_per_copy_hour=None), history).transition is None
        assert timedelta(minutes=10) == FALLBACK

    def test_obeys_a_person_who_wrote_a_time(self) -> None:
        history = History(pattern=pattern_of(55))
        assert decided(a_spec(), idle(9), history).transition is None
        # … to the minute, also when the day's wakes run short.
        spent = idle(10.5, wakes_today=90)
        assert decided(a_spec(), spent, history).transition is Transition.SLEEP

    def test_is_not_moved_by_one_noisy_gap(self) -> None:
        before = pattern_of(4.5)
        after = before.with_gap(NOON - timedelta(hours=5), NOON)
        for pattern in before, after:
            assert decided(LEARNED, idle(3), History(pattern=pattern)).transition is None

    def test_spreads_the_last_wakes_over_the_day(self) -> None:
        history = History(pattern=pattern_of(55))
        assert decided(LEARNED, idle(9), history).transition is Transition.SLEEP
        late = decided(LEARNED, idle(9, wakes_today=90), history)
        assert late.transition is None
        assert "because 90 of 96 wakes are spent today" in late.summary


class TestAStartAhead:
    """Requests come at 12:10 each day, and it is noon; a start takes five minutes."""

    HISTORY = History(pattern=days_with_requests_at(12, 10))

    def ahead(self, history: History = HISTORY, minute: float = 5, **more: object):
        return decide(LEARNED, asleep(11 * 60, **more), history, NOON + minute * MINUTE)

    def test_comes_when_requests_are_near_by_its_own_history(self) -> None:
        starts = [minute for minute in range(-60, 15) if self.ahead(minute=minute).transition]
        assert starts, "it never starts ahead"
        assert 0 <= starts[0] <= 6  # 12:10, less the lead time

    def test_says_so(self) -> None:
        decision = self.ahead()
        assert decision.transition is Transition.WAKE
        assert codes(decision) == [ReasonCode.PATTERN_AHEAD]
        assert "requests come within" in decision.summary

    def test_stops_when_it_did_not_pay(self) -> None:
        pattern = self.HISTORY.pattern
        for day in range(20):  # awake or asleep: nobody came at that time any more
            began = NOON.replace(hour=1) + timedelta(days=day)
            pattern = pattern.with_gap(began, began + timedelta(hours=13))
        assert self.ahead(History(pattern=pattern)).transition is None

    @pytest.mark.parametrize(
        "reason",
        [{"wakes_today": 64}, {"usd_per_copy_hour": None}, {"retry_at": NOON + 30 * MINUTE}],
        ids=["wakes run short", "price unknown", "backing off"],
    )
    def test_not_where(self, reason: dict[str, object]) -> None:
        assert self.ahead(**reason).transition is None

    def test_not_where_a_person_fixed_the_keep_alive_nor_from_few_idle_times(self) -> None:
        now = NOON + 6 * MINUTE
        assert decide(a_spec(), asleep(11 * 60), self.HISTORY, now).transition is None
        young = History(pattern=days_with_requests_at(12, 10, days=2))
        assert self.ahead(young).transition is None


class TestCopiesBeyondTheFirst:
    @pytest.mark.parametrize(
        ("minutes", "expected_seconds"),
        [
            ((4.5,), 330),  # every pause ends within 5 min: staying is cheaper than a start
            ((55,), 0),  # none does
        ],
    )
    def test_their_own_pauses_say_how_long_they_stay(self, minutes, expected_seconds) -> None:
        gaps = pattern_of(*minutes, times=60).gaps
        assert cheapest(gaps, PRICES.copy_usd, PRICES.start_usd) == expected_seconds

    def test_a_dear_start_is_avoided_for_longer(self) -> None:
        gaps = pattern_of(9, 9, 9, 55).gaps
        assert cheapest(gaps, PRICES.copy_usd, 10 * PRICES.start_usd) >= 570
        assert cheapest(gaps, PRICES.copy_usd, 1000.0) in EDGES_SECONDS

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
