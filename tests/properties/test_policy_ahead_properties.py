"""What holds of an endpoint that looks ahead, and of requests that may wait.

1. No start ahead when wakes run short, the budget is spent, a hold is in force, the price is not
   known, or a person fixed the keep-alive.
2. A pattern that stopped is soon not believed: its starts ahead end, and each lasts for longer than
   a start and a slot.
3. A higher price of waiting never means an earlier sleep, nor a dearer copy a later one.
4. Requests that may wait raise no copies, and wake nothing when wakes are spent.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from autoscaler.policy import Decision, Pattern, Phase, ReasonCode, Transition, decide
from autoscaler.policy.economy import Economy
from autoscaler.policy.pattern import SLOT_SECONDS
from autoscaler.policy.resting import Outlook, look_ahead
from tests.properties.policy_strategies import START, Case, cases, patterns
from tests.properties.test_policy_clock_properties import look, taught
from tests.unit.policy_cases import MINUTE, Loop, a_hold, a_spec, codes

LEARNED = {"keep_alive": "learned"}
OBSTACLES = ["wakes", "budget", "held", "price", "fixed"]


@pytest.mark.parametrize("obstacle", OBSTACLES)
@pytest.mark.parametrize(("hour", "minute"), [(3, 55), (9, 30), (20, 5)])
def test_nothing_starts_ahead_when_something_speaks_against_it(
    hour: int, minute: int, obstacle: str
) -> None:
    last = date(2026, 5, 12)
    history, active = taught("UTC", time(hour, minute), last, days=10)
    now = datetime(2026, 5, 13, hour, minute, tzinfo=UTC) - 5 * MINUTE
    budget = {"monthly_usd": 100, "wakes_per_day": 6}
    spec = a_spec(scaling=LEARNED, budget=budget)
    seen = look(Phase.ASLEEP, now, active)
    free = decide(spec, seen, history, now)
    assert ReasonCode.PATTERN_AHEAD in codes(free)
    if obstacle == "fixed":
        spec = a_spec(scaling={"keep_alive": "10m"}, budget=budget)
    against = {
        "wakes": {"wakes_today": 4},
        "budget": {"spent_this_month_usd": Decimal(100)},
        "held": {"hold": a_hold(0, now=now)},
        "price": {"usd_per_copy_hour": None},
        "fixed": {},
    }[obstacle]
    decision = decide(spec, replace(seen, **against), history, now)
    assert (decision.transition, decision.copies) == (None, 0)


class Silent(Loop):
    """Nobody asks any more. While it sleeps it is looked at every minute of the hour around the
    time at which requests came, and every six otherwise."""

    usual = time(0, 0)

    def minute(self, arrivals: float = 0) -> Decision:
        usual = datetime.combine(self.now.date(), self.usual, UTC)
        if self.phase is Phase.ASLEEP and abs(self.now - usual) > timedelta(minutes=40):
            self.now += 5 * MINUTE
        return super().minute(arrivals)


@pytest.mark.parametrize("clock", [time(8, 0), time(17, 35)])
def test_a_pattern_that_stopped_is_soon_not_believed(clock: time) -> None:
    history, active = taught("UTC", clock, date(2026, 5, 12))
    loop = Silent(
        a_spec(scaling=LEARNED),
        active + timedelta(hours=2),
        usd_per_copy_hour=2.61,
        history=history,
    )
    loop.active, loop.usual = active, clock
    started: list[datetime] = []
    slept: list[datetime] = []
    end = loop.now + timedelta(days=14)
    while loop.now < end:
        transition = loop.minute().transition
        if transition is Transition.WAKE:
            started.append(loop.now)
        elif transition is Transition.SLEEP:
            slept.append(loop.now)
    assert started, "it did believe in it"
    assert len(started) == len(slept) <= 4
    assert max(started) < end - timedelta(days=10)
    lead_and_slot = 4 * MINUTE + timedelta(seconds=SLOT_SECONDS)
    for start, sleep in zip(started, slept, strict=True):
        assert sleep - start >= lead_and_slot


def test_a_weekend_is_no_reason_not_to_believe_in_monday() -> None:
    friday, clock = date(2026, 5, 8), time(8, 0)
    history, active = taught("UTC", clock, friday, days=28, weekdays=range(5))
    monday = datetime.combine(friday + timedelta(days=3), clock, UTC) - 6 * MINUTE
    seen = look(Phase.ASLEEP, monday, active)
    decision = decide(a_spec(scaling=LEARNED), seen, history, monday)
    assert ReasonCode.PATTERN_AHEAD in codes(decision)


def stays(outlook: Outlook) -> float:
    return float("inf") if outlook.stays_seconds is None else outlook.stays_seconds


prices = st.floats(0.0001, 1.0)


@settings(max_examples=150, deadline=None)
@given(
    pattern=patterns(START),
    idle=st.integers(0, 7200),
    lead=st.sampled_from([60.0, 245.0, 525.0]),
    one=prices,
    other=prices,
    usd_per_hour=st.floats(0.5, 100),
)
def test_a_higher_price_of_waiting_never_means_an_earlier_sleep(
    pattern: Pattern, idle: int, lead: float, one: float, other: float, usd_per_hour: float
) -> None:
    def outlook(waiting: float, copy: float) -> Outlook:
        economy = Economy(copy / 3600, waiting / 60, lead)
        idle_from = START - timedelta(seconds=idle)
        return look_ahead(a_spec(), pattern, economy, idle_from, START)

    low, high = sorted((one, other))
    cheap, dear = outlook(low, usd_per_hour), outlook(high, usd_per_hour)
    assert stays(cheap) <= stays(dear)
    assert dear.sleep <= cheap.sleep
    # All is weighed in the same dollars, so that a dearer copy is a lower price of waiting.
    dearer = outlook(high, usd_per_hour * high / low)
    assert stays(dearer) <= stays(dear)


@given(cases([Phase.AWAKE, Phase.WAKING, Phase.CREATING]), st.integers(1, 5000))
def test_requests_that_may_wait_raise_no_copies(case: Case, deferrable: int) -> None:
    spec, observation, history, now = case
    without = decide(spec, replace(observation, deferrable=0), history, now)
    decision = decide(spec, replace(observation, deferrable=deferrable), history, now)
    if without.transition is Transition.SLEEP:
        assert decision.copies <= max(1, observation.desired_copies)
    else:
        assert (decision.copies, decision.bounds) == (without.copies, without.bounds)


@given(cases([Phase.ASLEEP, Phase.SLEEPING]), st.integers(1, 5000))
def test_requests_that_may_wait_wake_nothing_when_wakes_are_spent(
    case: Case, deferrable: int
) -> None:
    spec, observation, history, now = case
    held = observation.hold is not None and observation.hold.until > now
    assume(not held)
    spent = replace(observation, deferrable=deferrable, wakes_today=spec.budget.wakes_per_day)
    assert decide(spec, spent, history, now).transition is None


@given(cases([Phase.ASLEEP]), st.integers(1, 5000))
def test_requests_that_may_wait_wake_one_copy_or_what_others_ask_for(
    case: Case, deferrable: int
) -> None:
    spec, observation, history, now = case
    without = decide(spec, replace(observation, deferrable=0), history, now)
    decision = decide(spec, replace(observation, deferrable=deferrable), history, now)
    assert decision.copies <= max(1, without.copies)
