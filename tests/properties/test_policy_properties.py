"""What holds of every decision, whatever the history.

1. Bounds are never broken: copies lie within them, and they within the spec's.
2. A spent budget allows one copy at most; spent wakes and a back-off allow no wake.
3. No sleep with work, a hold, or a missing signal; no step down on a missing signal.
4. More backlog never means fewer copies.
5. The same input gives the same output, and an observation that comes twice changes nothing.
6. Under constant load copies go up, come down once, and stay: no oscillation.
7. A clock change never moves a window in local time.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from autoscaler.policy import (
    Bounds,
    History,
    Hold,
    Observation,
    Phase,
    Recommendation,
    Transition,
    bounds_at,
    decide,
    edges_between,
    next_edge,
    remember,
)
from autoscaler.policy.budget import is_spent
from autoscaler.policy.stabilization import MOST_REMEMBERED
from autoscaler.spec import EndpointSpec, Window
from tests.unit.policy_cases import Loop, a_spec

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
ZONES = [
    "America/New_York",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
]
START = datetime(2026, 1, 1, tzinfo=UTC)
LEFT_ALONE = {Phase.STAGING, Phase.UPDATING, Phase.RETIRING, Phase.RETIRED, Phase.FAILED}
MOVED = [phase for phase in Phase if phase not in LEFT_ALONE]

moments = st.integers(0, 366 * 24 * 3600).map(lambda second: START + timedelta(seconds=second))
clock_times = st.tuples(st.integers(0, 23), st.sampled_from([0, 15, 30, 45])).map(
    lambda pair: f"{pair[0]:02}:{pair[1]:02}"
)


@st.composite
def windows(draw: st.DrawFn, number: int = 0, max_copies: int = 6) -> dict[str, object]:
    low = draw(st.integers(0, max_copies))
    start, end = draw(st.lists(clock_times, min_size=2, max_size=2, unique=True))
    return {
        "name": f"w{number}",
        "days": draw(st.lists(st.sampled_from(DAYS), min_size=1, unique=True)),
        "start": start,
        "end": end,
        "min_copies": low,
        "max_copies": draw(st.integers(max(low, 1), max_copies)),
        "keep_alive": draw(st.sampled_from([None, "30s", "20m"])),
    }


@st.composite
def specs(draw: st.DrawFn) -> EndpointSpec:
    low = draw(st.integers(0, 3))
    concurrency = draw(st.sampled_from([1, 8, 16]))
    return a_spec(
        windows=[draw(windows(number)) for number in range(draw(st.integers(0, 3)))],
        zone=draw(st.sampled_from([None, *ZONES])),
        serving={"concurrency_per_copy": concurrency},
        scaling={
            "min_copies": low,
            "max_copies": draw(st.integers(max(low, 1), 8)),
            "stabilization_window": draw(st.sampled_from(["0s", "1m", "5m"])),
            "target_concurrency": draw(st.sampled_from([None, 1, concurrency])),
        },
        budget={
            "monthly_usd": draw(st.sampled_from([None, 100])),
            "wakes_per_day": draw(st.integers(1, 5)),
        },
    )


@st.composite
def observations(draw: st.DrawFn, now: datetime, phases: list[Phase] = MOVED) -> Observation:
    def ago() -> timedelta:
        return timedelta(seconds=draw(st.integers(0, 7200)))

    low = draw(st.integers(0, 8))
    hold = Hold(now + ago() - timedelta(minutes=30), draw(st.integers(0, 12)), "demo", "ann")
    return Observation(
        phase=draw(st.sampled_from(phases)),
        phase_since=now - ago(),
        desired_copies=draw(st.integers(0, 10)),
        observed_copies=draw(st.integers(0, 10)),
        bounds=Bounds(low, draw(st.integers(max(low, 1), 10))),
        backlog=draw(st.none() | st.integers(0, 5) | st.integers(0, 20_000)),
        in_flight=draw(st.none() | st.just(0.0) | st.floats(0, 500)),
        last_active_at=draw(st.sampled_from([None, now - ago()])),
        seconds_per_request=draw(st.none() | st.floats(0.01, 1000)),
        hold=draw(st.sampled_from([None, hold])),
        wakes_today=draw(st.integers(0, 6)),
        spent_this_month_usd=draw(st.sampled_from([Decimal(0), Decimal(100), Decimal(500)])),
        retry_at=draw(st.sampled_from([None, now - ago(), now + ago()])),
    )


@st.composite
def histories(draw: st.DrawFn, now: datetime) -> History:
    ones = st.builds(
        Recommendation,
        st.integers(0, 900).map(lambda seconds: now - timedelta(seconds=seconds)),
        st.integers(0, 10),
    )
    leads = st.integers(1, 1800).map(lambda seconds: timedelta(seconds=seconds))
    return History(
        tuple(draw(st.lists(ones, max_size=12))), tuple(draw(st.lists(leads, max_size=5)))
    )


Case = tuple[EndpointSpec, Observation, History, datetime]


@st.composite
def cases(draw: st.DrawFn, phases: list[Phase] = MOVED) -> Case:
    now = draw(moments)
    return draw(specs()), draw(observations(now, phases)), draw(histories(now)), now


def holds(observation: Observation, now: datetime) -> bool:
    return observation.hold is not None and observation.hold.until > now


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
def test_the_budget_is_never_broken(case: Case) -> None:
    spec, observation, _, now = case
    decision = decide(*case)
    if is_spent(spec, observation):
        assert decision.bounds.max_copies <= 1
    if decision.transition is Transition.WAKE:
        assert observation.wakes_today < spec.budget.wakes_per_day or holds(observation, now)
        assert observation.retry_at is None or observation.retry_at <= now


@given(cases([Phase.AWAKE]))
def test_no_sleep_with_work_a_hold_or_a_missing_signal(case: Case) -> None:
    _, observation, _, now = case
    if observation.backlog != 0 or observation.in_flight != 0 or holds(observation, now):
        assert decide(*case).transition is None


@given(cases([Phase.AWAKE, Phase.WAKING, Phase.CREATING]), st.booleans(), st.booleans())
def test_no_step_down_on_a_missing_signal(
    case: Case, no_backlog: bool, no_concurrency: bool
) -> None:
    spec, observation, history, now = case
    assume(no_backlog or no_concurrency)
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


@given(cases([Phase.AWAKE]))
def test_carrying_a_decision_out_leaves_nothing_more_to_lower(case: Case) -> None:
    spec, observation, history, now = case
    first = decide(spec, observation, history, now)
    assume(first.transition is None)
    done = replace(observation, desired_copies=first.copies, bounds=first.bounds)
    assert decide(spec, done, history, now).copies >= first.copies


@settings(max_examples=60, deadline=None)
@given(
    rate=st.floats(0.5, 300),
    backlog=st.integers(0, 3000),
    seconds=st.sampled_from([2.0, 10.0, 45.0]),
    max_copies=st.integers(1, 8),
    target=st.sampled_from([None, 4, 16]),
    window=st.sampled_from(["1m", "5m"]),
)
def test_constant_load_does_not_oscillate(
    rate: float, backlog: int, seconds: float, max_copies: int, target: int | None, window: str
) -> None:
    scaling = {
        "max_copies": max_copies,
        "target_concurrency": target,
        "stabilization_window": window,
    }
    loop = Loop(a_spec(scaling=scaling), START, seconds_per_request=seconds, waiting=backlog)
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


class TestClockChanges:
    """Against an oracle of its own: the wall clock, read wherever it is unambiguous."""

    @staticmethod
    def shown(window: Window, local: datetime) -> bool:
        clock = local.time()
        today, yesterday = (DAYS[(local.weekday() - back) % 7] in window.days for back in (0, 1))
        if window.start < window.end:
            return today and window.start <= clock < window.end
        return (today and clock >= window.start) or (yesterday and clock < window.end)

    @staticmethod
    def doubled(local: datetime) -> bool:
        return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()

    @pytest.mark.parametrize("zone", ZONES)
    @settings(deadline=None)
    @given(
        window=windows(),
        year=st.sampled_from([2017, 2018, 2025, 2026]),
        minute=st.integers(0, 365 * 24 * 60),
    )
    def test_local_time_decides(
        self, zone: str, window: dict[str, object], year: int, minute: int
    ) -> None:
        spec = a_spec(windows=[window], zone=zone)
        moment = datetime(year, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
        self.check(spec, moment.astimezone(ZoneInfo(zone)))

    @pytest.mark.parametrize("zone", ZONES)
    @settings(max_examples=25, deadline=None)
    @given(window=windows(), year=st.sampled_from([2017, 2018, 2025, 2026]))
    def test_around_every_change(self, zone: str, window: dict[str, object], year: int) -> None:
        spec = a_spec(windows=[window], zone=zone)
        for change in changes(zone, year):
            for quarter in range(-12 * 4, 12 * 4):
                moment = change + timedelta(minutes=15 * quarter)
                self.check(spec, moment.astimezone(ZoneInfo(zone)))

    def check(self, spec: EndpointSpec, local: datetime) -> None:
        is_open = bounds_at(spec, local).name is not None
        shown = self.shown(spec.schedule.windows[0], local)
        # In a doubled hour a window stays open between the first start and the second end.
        assert is_open == shown or (self.doubled(local) and is_open)

    def test_the_oracle_has_changes_to_look_at(self) -> None:
        found = {zone: len(changes(zone, 2018)) for zone in ZONES}
        assert found == dict(zip(ZONES, [2, 2, 0, 2, 2], strict=True))


@cache
def changes(zone: str, year: int) -> list[datetime]:
    """The UTC hours at which the zone's offset changed."""
    info = ZoneInfo(zone)
    start = datetime(year, 1, 1, tzinfo=UTC)
    hours = [start + timedelta(minutes=30 * half) for half in range(365 * 48)]
    offsets = [hour.astimezone(info).utcoffset() for hour in hours]
    return [
        hour
        for hour, before, after in zip(hours[1:], offsets, offsets[1:], strict=False)
        if before != after
    ]


@settings(deadline=None)
@given(specs(), moments)
def test_edges_are_exactly_where_the_bounds_change(spec: EndpointSpec, moment: datetime) -> None:
    end = moment + timedelta(days=2)
    edges = edges_between(spec, moment, end)
    assert next_edge(spec, moment, timedelta(days=2)) == (edges[0] if edges else None)
    for edge in edges:
        just_before = bounds_at(spec, edge - timedelta(seconds=1))
        assert not bounds_at(spec, edge).same_effect(just_before)
    for minute in range(0, 2 * 24 * 60, 7):
        at = moment + timedelta(minutes=minute)
        last = max((edge for edge in edges if edge <= at), default=moment)
        assert bounds_at(spec, at).same_effect(bounds_at(spec, last))
