"""What holds of every override, whatever else is asked for.

1. One that is over changes nothing.
2. Put to sleep even for requests, nothing wakes it but a hold.
3. Put to sleep, no window wakes it: only requests do.
4. Kept warm, it never has less than without; with scale-in paused it loses no copy while there is
   money.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from autoscaler.policy import Override, OverrideKind, Phase, Transition, decide
from autoscaler.policy.budget import is_spent
from tests.properties.policy_strategies import Case, cases, must_be_at_zero

AT_REST = [Phase.ASLEEP, Phase.SLEEPING]
SLEEP, WARM, PAUSE = OverrideKind.SLEEP_UNTIL, OverrideKind.KEEP_WARM, OverrideKind.PAUSE_SCALE_IN


def under(case: Case, kind: OverrideKind, *, even: bool = False) -> Case:
    """The case with one override more, in force, and none that contradicts it."""
    spec, observation, history, now = case
    adverse = {SLEEP: {WARM, PAUSE}, WARM: {SLEEP}, PAUSE: {SLEEP}}[kind] | {kind}
    others = tuple(one for one in observation.overrides if one.kind not in adverse)
    one = Override(kind, now - timedelta(minutes=5), now + timedelta(hours=1), "demo", "ann", even)
    hold = None if kind is SLEEP else observation.hold
    return spec, replace(observation, overrides=(*others, one), hold=hold), history, now


def without(case: Case, kind: OverrideKind) -> Case:
    spec, observation, history, now = case
    others = tuple(one for one in observation.overrides if one.kind is not kind)
    return spec, replace(observation, overrides=others), history, now


@given(cases())
def test_one_that_is_over_changes_nothing(case: Case) -> None:
    spec, observation, history, now = case
    current = tuple(one for one in observation.overrides if one.until > now)
    assert decide(*case) == decide(spec, replace(observation, overrides=current), history, now)


@given(cases(AT_REST))
def test_who_sleeps_even_for_requests_is_not_woken(case: Case) -> None:
    assert decide(*under(case, SLEEP, even=True)).transition is None


@given(cases(AT_REST), st.integers(1, 12))
def test_a_hold_wakes_even_who_sleeps_even_for_requests(case: Case, copies: int) -> None:
    assume(not must_be_at_zero(case))
    spec, observation, history, now = under(case, SLEEP, even=True)
    held = replace(observation, hold=None, retry_at=None)
    hold = case[1].hold
    if hold is None or hold.until <= now:
        assert decide(spec, held, history, now).transition is None
    else:
        hold = replace(hold, min_copies=copies)
        decision = decide(spec, replace(held, hold=hold), history, now)
        assert decision.transition is Transition.WAKE


@given(cases(AT_REST))
def test_who_is_put_to_sleep_is_woken_by_requests_alone(case: Case) -> None:
    spec, observation, history, now = under(case, SLEEP)
    quiet = replace(observation, backlog=0, in_flight=0.0, deferrable=0, arrivals_per_second=0.0)
    assert decide(spec, quiet, history, now).transition is None


@given(cases())
def test_who_is_kept_warm_has_no_less(case: Case) -> None:
    assume(not must_be_at_zero(case))
    warm = under(case, WARM)
    spec, observation, _, _ = warm
    decision = decide(*warm)
    assert decision.copies >= decide(*without(warm, WARM)).copies
    if not is_spent(spec, observation):
        assert decision.transition is not Transition.SLEEP


@given(cases([Phase.AWAKE]))
def test_while_scale_in_is_paused_no_copy_goes(case: Case) -> None:
    assume(not must_be_at_zero(case))
    paused = under(case, PAUSE)
    spec, observation, _, _ = paused
    decision = decide(*paused)
    assert decision.transition is None
    if not is_spent(spec, observation):
        least = min(observation.desired_copies, spec.highest_max_copies)
        assert decision.copies >= least
        assert decision.bounds.min_copies >= least
