"""What holds of every closed window, whatever is seen and remembered.

1. In force, with no override, nothing asks for a copy until a lead time and a tick before its end.
2. Its end is never later than the window's, and the wake for it never earlier than that allows.
3. No decision allows fewer copies than it asks for, whoever wakes an endpoint in one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from hypothesis import assume, given
from hypothesis import strategies as st

from autoscaler.policy import Phase, Transition, bounds_at, decide, lead_time
from autoscaler.policy.closing import closure
from autoscaler.policy.schedule import zone_of
from autoscaler.spec import EndpointSpec, parse_spec
from tests.properties.policy_strategies import DAYS, Case, cases

AT_REST = [Phase.ASLEEP, Phase.SLEEPING]


@st.composite
def closed_cases(draw: st.DrawFn, phases: list[Phase]) -> Case:
    """With a closed window before all others, in which the moment lies."""
    spec, observation, history, now = draw(cases(phases))
    local = now.astimezone(ZoneInfo(zone_of(spec)))
    began = local - timedelta(minutes=draw(st.integers(0, 300)))
    ends = local + timedelta(minutes=draw(st.integers(1, 60) | st.integers(60, 1000)))
    closed = {
        "name": "night",
        "days": DAYS,
        "start": f"{began:%H:%M}",
        "end": f"{ends:%H:%M}",
        "max_copies": 0,
    }
    found = _with_window(spec, closed)
    assume(bounds_at(found, now).name == "night")  # a clock is changed now and then
    return found, observation, history, now


def _with_window(spec: EndpointSpec, window: dict[str, object]) -> EndpointSpec:
    document = spec.model_dump(mode="json")
    document["schedule"]["windows"].insert(0, window)
    return parse_spec(document)


def _alone(case: Case) -> Case:
    """The case without anything that a person asked for."""
    spec, observation, history, now = case
    return spec, replace(observation, hold=None, overrides=()), history, now


def _closed_for(case: Case) -> timedelta:
    """How long copies are not allowed any more, minute by minute: not by the policy's own word."""
    spec, _, _, now = case
    moment = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while bounds_at(spec, moment).max_copies == 0 and moment - now < timedelta(days=3):
        moment += timedelta(minutes=1)
    return moment - now


@given(closed_cases([*AT_REST, Phase.AWAKE]))
def test_nothing_asks_for_a_copy_before_its_end_is_near(case: Case) -> None:
    spec, observation, history, now = _alone(case)
    assume(_closed_for(case) > lead_time(history) + observation.tick)
    decision = decide(spec, observation, history, now)
    awake = observation.phase is Phase.AWAKE
    if awake and (observation.backlog is None or observation.in_flight is None):
        assert decision.transition is not Transition.WAKE  # what is missing is no zero: it stays
    else:
        wanted = Transition.SLEEP if awake else None
        assert (decision.copies, decision.transition) == (0, wanted)


@given(closed_cases(AT_REST))
def test_its_end_and_the_wake_for_it(case: Case) -> None:
    spec, observation, history, now = _alone(case)
    found = closure(spec, history, observation, now, tick=observation.tick)
    left = _closed_for(case)
    ahead = lead_time(history) + observation.tick
    assert (found is not None) is (left > ahead)
    if found is not None:
        assert (found.until, found.wakes_at) == (now + left, now + left - ahead)


@given(closed_cases([Phase.AWAKE, Phase.WAKING, Phase.CREATING, *AT_REST]))
def test_whoever_wakes_it_has_bounds_that_hold_the_copies(case: Case) -> None:
    decision = decide(*case)
    assert decision.bounds.min_copies <= decision.bounds.max_copies
    if decision.transition is Transition.WAKE:
        assert 1 <= decision.copies <= decision.bounds.max_copies
