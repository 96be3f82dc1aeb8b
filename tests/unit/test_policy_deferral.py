"""Requests that may wait: they fill what is idle, and wake only what is worth it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from autoscaler.policy import Phase, ReasonCode, Transition, decide
from tests.unit.policy_cases import MINUTE, NOON, NOTHING, a_spec, codes, decided, seen

NIGHT = {
    "name": "night",
    "days": ["wed"],
    "start": "11:00",
    "end": "13:00",
    "deferrable": True,
}


CLOSED = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "max_copies": 0}


def moment(text: str) -> datetime:
    """The first one after NOON at which UTC's clocks show it."""
    found = NOON.replace(hour=int(text[:2]), minute=int(text[3:]))
    return found if found > NOON else found + timedelta(days=1)


def asleep(count: int, **more: object):
    return seen(Phase.ASLEEP, deferrable=count, **more)


class TestAsleep:
    def test_a_few_that_may_wait_wake_nothing(self) -> None:
        later = NOON + timedelta(hours=5)
        assert decided(a_spec(), asleep(40, deferrable_due_at=later)).transition is None

    def test_a_deadline_leaves_time_for_a_start_and_the_work(self) -> None:
        # 160 requests of 10 s on 16 slots: 100 s; a start takes 300 s; 15 min to spare.
        spec, due_at = a_spec(), NOON + timedelta(hours=1)
        wakes = [
            minute
            for minute in range(60)
            if decide(
                spec, asleep(160, deferrable_due_at=due_at), NOTHING, NOON + minute * MINUTE
            ).transition
        ]
        latest = 60 - (300 + 100) / 60
        assert wakes[0] == pytest.approx(latest - 15, abs=1)

    @pytest.mark.parametrize(
        ("due", "wakes_until"),
        [
            # NOON is a Wednesday's; closed from 22:00 to 06:00
            ("22:30", "22:00"),
            ("02:00", "22:00"),
            ("06:10", "22:00"),  # opened again, but with no time to spare
            ("06:30", None),  # what waits is served from 06:00 on
            ("21:00", "21:00"),
        ],
    )
    def test_what_is_due_while_it_is_closed_wakes_it_before(self, due, wakes_until) -> None:
        spec = a_spec(windows=[{"name": "night", "start": "22:00", "end": "06:00", **CLOSED}])
        due_at = moment(due)
        wakes = [
            now
            for now in (NOON + minute * MINUTE for minute in range(1140))
            if decide(spec, asleep(1, deferrable_due_at=due_at), NOTHING, now).transition
            and now < due_at
        ]
        if wakes_until is None:
            assert min(wakes) >= moment("05:50"), "it opens, and serves at the edge"
            return
        by = moment(wakes_until)
        assert by - 23 * MINUTE < wakes[0] < by - 15 * MINUTE
        text = decide(spec, asleep(1, deferrable_due_at=due_at), NOTHING, wakes[0]).summary
        assert ("and it is closed from" in text) is (due_at != by)

    def test_a_window_that_is_kept_for_them_wakes(self) -> None:
        inside = decided(a_spec(windows=[NIGHT]), asleep(1))
        assert (inside.transition, codes(inside)) == (
            Transition.WAKE,
            [ReasonCode.DEFERRED_WORTH, ReasonCode.WINDOW_OPEN],
        ) or codes(inside)[-1] is ReasonCode.DEFERRED_WORTH
        assert decided(a_spec(windows=[{**NIGHT, "deferrable": False}]), asleep(1)).copies == 0

    def test_work_beside_which_a_start_is_little_wakes(self) -> None:
        # A start takes 300 s: four times that is 1,920 requests of 10 s on 16 slots.
        assert decided(a_spec(), asleep(1919)).transition is None
        worth = decided(a_spec(), asleep(1920))
        assert worth.transition is Transition.WAKE
        assert "1,920 requests that may wait are 20m of work" in worth.summary

    def test_spent_wakes_and_a_back_off_hold_them_too(self) -> None:
        for obstacle in ({"wakes_today": 96}, {"retry_at": NOON + MINUTE}):
            assert decided(a_spec(), asleep(5000, **obstacle)).transition is None


class TestAwake:
    def test_they_ask_for_no_copy_but_keep_it_awake(self) -> None:
        observation = seen(deferrable=5000, last_active_at=NOON - timedelta(hours=1))
        decision = decided(a_spec(), observation)
        assert (decision.copies, decision.transition) == (1, None)
        assert "It stays awake for 5,000 requests that may wait." in decision.summary

    def test_not_when_the_budget_is_spent(self) -> None:
        spec = a_spec(budget={"monthly_usd": 100})
        observation = replace(
            seen(deferrable=5, last_active_at=NOON - timedelta(hours=1)),
            spent_this_month_usd=Decimal(100),
        )
        assert decided(spec, observation).transition is Transition.SLEEP
