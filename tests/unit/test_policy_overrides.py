"""What a person asked for until some time, and what is stronger than it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from autoscaler.policy import (
    Bounds,
    History,
    Observation,
    OverrideKind,
    Phase,
    ReasonCode,
    Transition,
    decide,
)
from autoscaler.spec import EndpointSpec
from tests.unit.policy_cases import (
    NOON,
    PEAK,
    a_hold,
    a_spec,
    an_override,
    codes,
    days_with_requests_at,
    decided,
    recommended,
    seen,
)

SLEEP, WARM, PAUSE = OverrideKind.SLEEP_UNTIL, OverrideKind.KEEP_WARM, OverrideKind.PAUSE_SCALE_IN
BUDGET = {"monthly_usd": 900, "wakes_per_day": 24}
SPENT = {"spent_this_month_usd": Decimal(900)}
LONG_IDLE = NOON - timedelta(hours=2)


def under(observation: Observation, *kinds: OverrideKind, even: bool = False) -> Observation:
    overrides = tuple(an_override(kind, even_for_requests=even) for kind in kinds)
    return replace(observation, overrides=overrides)


class TestSleepUntil:
    def test_a_window_neither_wakes_it_nor_keeps_it_awake(self) -> None:
        spec = a_spec(windows=[PEAK])
        assert decided(spec, seen(Phase.ASLEEP)).transition is Transition.WAKE
        assert decided(spec, under(seen(Phase.ASLEEP), SLEEP)).transition is None
        assert decided(spec, under(seen(), SLEEP)).transition is Transition.SLEEP

    def test_it_goes_to_sleep_without_waiting_for_its_keep_alive(self) -> None:
        spec = a_spec(scaling={"keep_alive": "1h"})
        assert decided(spec, seen()).transition is None
        assert decided(spec, under(seen(), SLEEP)).transition is Transition.SLEEP

    def test_what_woke_it_since_is_kept_for_its_keep_alive(self) -> None:
        woken = seen(last_active_at=NOON - timedelta(minutes=3))
        asked = an_override(SLEEP, since=NOON - timedelta(minutes=20))
        decision = decided(a_spec(), replace(woken, overrides=(asked,)))
        assert decision.transition is None
        assert ReasonCode.KEPT_ALIVE in codes(decision)

    def test_a_request_wakes_it_and_one_in_flight_is_let_end(self) -> None:
        waiting = under(seen(Phase.ASLEEP, backlog=1), SLEEP)
        assert decided(a_spec(), waiting).transition is Transition.WAKE
        assert decided(a_spec(), under(seen(in_flight=1.0), SLEEP)).transition is None

    @pytest.mark.parametrize("work", [{"backlog": 3}, {"in_flight": 2.0}])
    def test_even_for_requests_it_goes_to_sleep_with_work(self, work: dict[str, float]) -> None:
        decision = decided(a_spec(), under(seen(**work), SLEEP, even=True))
        assert (decision.transition, decision.bounds) == (Transition.SLEEP, Bounds(0, 0))

    def test_even_for_requests_they_wait(self) -> None:
        decision = decided(a_spec(), under(seen(Phase.ASLEEP, backlog=3), SLEEP, even=True))
        assert decision.transition is None
        assert codes(decision)[-1] is ReasonCode.REQUESTS_HELD_BACK

    def test_a_signal_that_is_missing_keeps_it_awake_unless_requests_shall_wait_too(self) -> None:
        blind = seen(backlog=None)
        assert decided(a_spec(), under(blind, SLEEP)).transition is None
        assert decided(a_spec(), under(blind, SLEEP, even=True)).transition is Transition.SLEEP

    def test_nothing_is_started_ahead_nor_for_what_is_only_cheap(self) -> None:
        spec = a_spec(scaling={"keep_alive": "learned"})
        history = History(pattern=days_with_requests_at(12, 0))
        asleep = seen(
            Phase.ASLEEP, usd_per_copy_hour=2.61, last_active_at=NOON - timedelta(hours=11)
        )
        assert decided(spec, asleep, history).transition is Transition.WAKE
        assert decided(spec, under(asleep, SLEEP), history).transition is None
        cheap = seen(Phase.ASLEEP, deferrable=5000)
        assert decided(a_spec(), cheap).transition is Transition.WAKE
        assert decided(a_spec(), under(cheap, SLEEP)).transition is None

    def test_what_may_wait_wakes_it_when_it_is_due_unless_even_that_shall_wait(self) -> None:
        due = seen(Phase.ASLEEP, deferrable=1, deferrable_due_at=NOON)
        assert decided(a_spec(), under(due, SLEEP)).transition is Transition.WAKE
        assert decided(a_spec(), under(due, SLEEP, even=True)).transition is None

    def test_a_hold_is_stronger(self) -> None:
        both = replace(under(seen(Phase.ASLEEP), SLEEP, even=True), hold=a_hold(1))
        decision = decided(a_spec(), both)
        assert decision.transition is Transition.WAKE
        assert ReasonCode.PUT_TO_SLEEP not in codes(decision)


class TestKeepWarm:
    def test_it_wakes_and_is_not_put_to_sleep(self) -> None:
        decision = decided(a_spec(), under(seen(Phase.ASLEEP), WARM))
        assert (decision.transition, decision.copies) == (Transition.WAKE, 1)
        idle = seen(last_active_at=LONG_IDLE)
        assert decided(a_spec(), idle).transition is Transition.SLEEP
        assert decided(a_spec(), under(idle, WARM)).transition is None

    def test_more_that_a_window_asks_for_stays(self) -> None:
        spec = a_spec(windows=[{**PEAK, "min_copies": 3}])
        assert decided(spec, under(seen(), WARM)).bounds.min_copies == 3

    def test_a_spent_budget_and_spent_wakes_are_stronger(self) -> None:
        spec = a_spec(budget=BUDGET)
        idle = under(seen(last_active_at=LONG_IDLE, **SPENT), WARM)
        assert decided(spec, idle).transition is Transition.SLEEP
        asleep = under(seen(Phase.ASLEEP, wakes_today=24), WARM)
        assert decided(spec, asleep).transition is None


class TestPauseScaleIn:
    SPEC = a_spec(scaling={"max_copies": 6})

    def test_no_copy_goes_and_aas_may_take_none(self) -> None:
        idle = seen(desired_copies=4, observed_copies=4, bounds=Bounds(1, 6))
        history = recommended((30, 1))
        assert decided(self.SPEC, idle, history).copies == 1
        decision = decided(self.SPEC, under(idle, PAUSE), history)
        assert (decision.copies, decision.bounds) == (4, Bounds(4, 6))

    def test_it_does_not_sleep_and_does_not_wake_either(self) -> None:
        idle = seen(last_active_at=LONG_IDLE)
        assert decided(self.SPEC, under(idle, PAUSE)).transition is None
        assert decided(self.SPEC, under(seen(Phase.ASLEEP), PAUSE)).transition is None

    def test_a_window_that_closes_takes_none(self) -> None:
        spec = a_spec(windows=[{**PEAK, "end": "11:50"}])  # four copies in it, two outside
        awake = under(seen(desired_copies=4, observed_copies=4), PAUSE)
        assert decided(spec, awake).bounds == Bounds(4, 4)

    def test_a_spent_budget_does(self) -> None:
        spec = a_spec(budget=BUDGET, scaling={"max_copies": 6})
        awake = under(seen(desired_copies=4, observed_copies=4, **SPENT), PAUSE)
        assert decided(spec, awake).bounds == Bounds(1, 1)


@pytest.mark.parametrize("kind", OverrideKind)
@pytest.mark.parametrize("phase", [Phase.AWAKE, Phase.ASLEEP, Phase.WAKING])
def test_one_that_is_over_changes_nothing(kind: OverrideKind, phase: Phase) -> None:
    past = an_override(kind, until=NOON, even_for_requests=True)
    spec = a_spec(windows=[PEAK])
    plain = seen(phase, backlog=2)
    assert decided(spec, replace(plain, overrides=(past,))) == decided(spec, plain)


@pytest.mark.parametrize("minutes", [1, 5, 15])
def test_a_window_is_anticipated_by_a_look_that_may_be_the_last_before_it(minutes: int) -> None:
    """Whatever the time between two looks: one of them sees it early enough for its lead time."""
    tick = timedelta(minutes=minutes)
    opens = {**PEAK, "start": "12:10"}
    lead = History(lead_times=(timedelta(minutes=4),))
    at = NOON + timedelta(minutes=6)  # 12:06: the last moment at which a start serves at 12:10
    spec = a_spec(windows=[opens])
    earliest = seen(Phase.ASLEEP, tick=tick)
    soonest = next(
        n for n in range(30) if _wakes(spec, earliest, lead, at - timedelta(minutes=30 - n))
    )
    assert timedelta(minutes=30 - soonest) == tick


def _wakes(spec: EndpointSpec, asleep: Observation, history: History, now: datetime) -> bool:
    return decide(spec, asleep, history, now).transition is Transition.WAKE
