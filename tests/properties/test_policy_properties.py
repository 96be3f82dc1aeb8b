"""What holds of every decision, whatever the history.

1. Bounds are never broken: copies lie within them, and they within the spec's.
2. A spent budget allows one copy at most, or none; spent wakes and a back-off allow no wake.
3. No sleep with work, a hold, or a missing signal, unless a person asked for a sleep even for
   requests; no step down on a missing signal; unless the kill switch is on, or a budget is spent
   that ends in sleep: those hold against everything.
4. More backlog never means fewer copies.
5. The same input gives the same output; an observation that comes twice, late or blind teaches
   nothing.
6. Under constant load copies go up, come down once, and stay: no oscillation.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from autoscaler.policy import (
    Bounds,
    Observation,
    Override,
    OverrideKind,
    Pattern,
    Phase,
    Transition,
    decide,
    learn,
    remember,
)
from autoscaler.policy.budget import is_spent
from autoscaler.policy.economy import Economy
from autoscaler.policy.keep_alive import cheapest
from autoscaler.policy.schedule import bounds_at
from autoscaler.policy.stabilization import MOST_REMEMBERED
from autoscaler.policy.worth import Flow, worthwhile
from autoscaler.spec import OnForecast, WhenSpent
from tests.properties.policy_strategies import (
    LEFT_ALONE,
    STACK_LIMITS,
    START,
    Case,
    cases,
    must_be_at_zero,
    patterns,
)
from tests.unit.policy_cases import Loop, a_spec


def holds(observation: Observation, now: datetime) -> bool:
    return observation.hold is not None and observation.hold.until > now


def in_force(case: Case, kind: OverrideKind) -> Override | None:
    _, observation, _, now = case
    return next((o for o in observation.overrides if o.kind is kind and o.until > now), None)


def sleeps_even_for_requests(case: Case) -> bool:
    sleep = in_force(case, OverrideKind.SLEEP_UNTIL)
    return sleep is not None and sleep.even_for_requests and not holds(case[1], case[3])


def zero_whatever_waits(case: Case) -> bool:
    return sleeps_even_for_requests(case) or bounds_at(case[0], case[3]).is_closed


@given(cases())
def test_bounds_are_never_broken(case: Case) -> None:
    spec, observation, _, _ = case
    decision = decide(*case)
    low, high = decision.bounds.min_copies, decision.bounds.max_copies
    assert 0 <= low <= decision.copies <= high
    # A window ahead may have a minimum above the present maximum, never above its own.
    assert high <= spec.highest_max_copies
    assert decision.reasons
    if observation.phase is Phase.AWAKE and decision.transition is None:
        assert low >= 1


@given(cases())
def test_the_switch_and_a_budget_that_ends_in_sleep_hold_against_everything(case: Case) -> None:
    decision = decide(*case)
    if must_be_at_zero(case):
        assert (decision.copies, decision.bounds) == (0, Bounds(0, 0))
        expected = Transition.SLEEP if case[1].phase is Phase.AWAKE else None
        assert decision.transition is expected


@given(cases(), st.booleans())
def test_an_alert_alone_changes_no_decision(case: Case, more: bool) -> None:
    spec, observation, history, now = case
    alerts = {"when_spent": WhenSpent.ALERT, "on_forecast": OnForecast.ALERT}
    quiet = spec.model_copy(update={"budget": spec.budget.model_copy(update=alerts)})
    limit = STACK_LIMITS[0] if more else None
    told = replace(limit, action=WhenSpent.ALERT) if limit else None
    seen = replace(observation, stack_limit=told)
    free = replace(
        seen,
        stack_limit=None,
        spent_this_month_usd=Decimal(0),
        spent_today_usd=Decimal(0),
        forecast_over_usd=None,
    )
    assert decide(quiet, seen, history, now) == decide(quiet, free, history, now)


@given(cases())
def test_the_budget_is_never_broken(case: Case) -> None:
    spec, observation, _, now = case
    decision = decide(*case)
    if is_spent(spec, observation):
        assert decision.bounds.max_copies <= 1
    if decision.transition is Transition.WAKE:
        left = observation.wakes_today < spec.budget.wakes_per_day and not observation.stack_wakes
        assert left or holds(observation, now)
        assert observation.retry_at is None or observation.retry_at <= now


@given(cases(), st.sampled_from(["spent_this_month_usd", "spent_today_usd"]))
def test_more_that_is_spent_never_means_more_copies(case: Case, which: str) -> None:
    spec, observation, history, now = case
    less, more = (
        decide(spec, replace(observation, **{which: Decimal(usd)}), history, now)
        for usd in (0, 500)
    )
    assert more.copies <= less.copies
    assert more.bounds.max_copies <= less.bounds.max_copies


@given(cases([Phase.AWAKE]))
def test_no_sleep_with_work_a_hold_or_a_missing_signal(case: Case) -> None:
    assume(not must_be_at_zero(case))
    _, observation, _, now = case
    unknown = observation.backlog is None or observation.in_flight is None
    worked = observation.backlog != 0 or observation.in_flight != 0
    if holds(observation, now) or ((unknown or worked) and not zero_whatever_waits(case)):
        assert decide(*case).transition is None


@given(cases([Phase.AWAKE, Phase.WAKING, Phase.CREATING]), st.booleans(), st.booleans())
def test_no_step_down_on_a_missing_signal(
    case: Case, no_backlog: bool, no_concurrency: bool
) -> None:
    spec, observation, history, now = case
    assume((no_backlog or no_concurrency) and not must_be_at_zero(case))
    assume(not zero_whatever_waits(case))
    blind = replace(
        observation,
        backlog=None if no_backlog else observation.backlog,
        in_flight=None if no_concurrency else observation.in_flight,
    )
    decision = decide(spec, blind, history, now)
    assert decision.transition is None
    assert decision.copies >= min(blind.desired_copies, decision.bounds.max_copies)


@given(cases())
def test_transitions_leave_only_the_phases_that_allow_them(case: Case) -> None:
    allowed = {
        Transition.WAKE: {Phase.ASLEEP, Phase.SLEEPING},
        Transition.SLEEP: {Phase.AWAKE},
        None: set(Phase),
    }
    assert case[1].phase in allowed[decide(*case).transition]


@given(cases(list(LEFT_ALONE)))
def test_other_phases_are_left_alone(case: Case) -> None:
    decision = decide(*case)
    assert (decision.copies, decision.bounds) == (case[1].desired_copies, case[1].bounds)


@given(cases(), st.integers(0, 20_000), st.integers(0, 20_000))
def test_more_backlog_never_means_fewer_copies(case: Case, one: int, other: int) -> None:
    spec, observation, history, now = case
    less, more = (
        decide(spec, replace(observation, backlog=backlog), history, now)
        for backlog in sorted((one, other))
    )
    assert less.copies <= more.copies
    assert less.bounds.min_copies <= more.bounds.min_copies


@given(cases())
def test_the_same_input_gives_the_same_output(case: Case) -> None:
    assert decide(*case) == decide(*case)


@given(cases())
def test_an_observation_that_comes_twice_changes_nothing(case: Case) -> None:
    spec, observation, history, now = case
    window = spec.scaling.stabilization_window
    first = decide(spec, observation, history, now)
    once = remember(history, first.recommendation, window, now)
    assert decide(spec, observation, once, now) == first
    assert remember(once, first.recommendation, window, now) == once
    assert len(once.recommendations) <= MOST_REMEMBERED


@given(cases(), st.integers(0, 3600))
def test_an_observation_that_is_not_newer_teaches_nothing(case: Case, seconds: int) -> None:
    spec, observation, history, now = case
    once = learn(history, spec, observation, now)
    assert learn(once, spec, observation, now) == once
    assert learn(once, spec, observation, now - timedelta(seconds=seconds)) == once


@given(cases(), st.lists(st.integers(1, 900), min_size=2, max_size=20))
def test_what_was_not_seen_is_not_learned(case: Case, seconds: list[int]) -> None:
    spec, observation, history, now = case
    blind = replace(observation, backlog=None, in_flight=None)
    for gap in seconds:
        now += timedelta(seconds=gap)
        history = learn(history, spec, blind, now)
    assert history.pattern == case[2].pattern


@given(patterns(START), st.floats(0.1, 100), st.floats(0, 10), st.floats(0, 10))
def test_a_dearer_start_never_shortens_the_keep_alive(
    pattern: Pattern, usd_per_hour: float, one: float, other: float
) -> None:
    cheap, dear = (cheapest(pattern.gaps, usd_per_hour / 3600, usd) for usd in sorted((one, other)))
    assert cheap <= dear


@given(
    st.floats(0, 5000), st.floats(0, 100), st.floats(0.01, 50), st.integers(0, 8), st.floats(0, 1)
)
def test_more_waiting_never_makes_fewer_copies_worthwhile(
    waiting: float, arriving: float, rate: float, serving: int, price: float
) -> None:
    prices = Economy(copy_usd=2.61 / 3600, waiting_usd=price / 60, lead_seconds=245)
    sizes = [
        worthwhile(
            Flow(queue, arriving, rate),
            prices,
            serving=serving,
            desired=serving,
            most=12,
            stabilization_seconds=300,
        )
        for queue in (waiting, waiting * 1.5 + 1)
    ]
    assert max(1, serving) <= sizes[0] <= sizes[1] <= max(12, serving)


@given(cases([Phase.AWAKE]))
def test_carrying_a_decision_out_leaves_nothing_more_to_lower(case: Case) -> None:
    spec, observation, history, now = case
    first = decide(spec, observation, history, now)
    assume(first.transition is None)
    done = replace(observation, desired_copies=first.copies, bounds=first.bounds)
    known = remember(history, first.recommendation, spec.scaling.stabilization_window, now)
    assert decide(spec, done, known, now).copies >= first.copies


@settings(max_examples=60, deadline=None)
@given(
    rate=st.floats(0.5, 300),
    backlog=st.integers(0, 3000),
    seconds=st.sampled_from([2.0, 10.0, 45.0]),
    max_copies=st.integers(1, 8),
    target=st.sampled_from([None, 4, 16]),
    window=st.sampled_from(["1m", "5m"]),
    price=st.sampled_from([None, 0.5, 2.61, 98.0]),
)
def test_constant_load_does_not_oscillate(
    rate: float,
    backlog: int,
    seconds: float,
    max_copies: int,
    target: int | None,
    window: str,
    price: float | None,
) -> None:
    scaling = {
        "max_copies": max_copies,
        "target_concurrency": target,
        "stabilization_window": window,
    }
    loop = Loop(
        a_spec(scaling=scaling),
        START,
        seconds_per_request=seconds,
        usd_per_copy_hour=price,
        waiting=backlog,
    )
    for _ in range(240):
        loop.minute(rate)
    steps = [after - before for before, after in zip(loop.copies, loop.copies[1:], strict=False)]
    moves = [step for step in steps if step]
    first_down = next((at for at, step in enumerate(moves) if step < 0), len(moves))
    assert all(step < 0 for step in moves[first_down:])
    assert loop.wakes == 1
    assert loop.phase is Phase.AWAKE


@settings(max_examples=30, deadline=None)
@given(backlog=st.integers(0, 2000), max_copies=st.integers(1, 8))
def test_without_load_it_sleeps_once_and_for_good(backlog: int, max_copies: int) -> None:
    loop = Loop(a_spec(scaling={"max_copies": max_copies}), START, waiting=backlog)
    for _ in range(180):
        loop.minute()
    assert loop.phase is Phase.ASLEEP
    assert loop.wakes == (1 if backlog else 0)
    assert loop.waiting < 1e-6
