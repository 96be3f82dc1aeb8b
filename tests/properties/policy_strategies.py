"""Generated specs, observations and histories for the properties of the policy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from autoscaler.policy import (
    Bounds,
    History,
    Hold,
    Observation,
    Override,
    OverrideKind,
    Pattern,
    Phase,
    Recommendation,
    StackLimit,
    StackWakes,
    Stop,
)
from autoscaler.spec import EndpointSpec, WhenSpent
from tests.unit.policy_cases import a_spec

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
ZONES = [
    "America/New_York",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
]
START = datetime(2026, 1, 1, tzinfo=UTC)
STACK_LIMITS = [
    StackLimit(Decimal(9), Decimal(10), per, 90, action) for per in ("month", "day")
    for action in WhenSpent
]  # fmt: skip
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
    closed = low == 0 and draw(st.booleans())
    return {
        "name": f"w{number}",
        "days": draw(st.lists(st.sampled_from(DAYS), min_size=1, unique=True)),
        "start": start,
        "end": end,
        "min_copies": low,
        "max_copies": 0 if closed else draw(st.integers(max(low, 1), max_copies)),
        "keep_alive": draw(st.sampled_from([None, "30s", "20m"])),
        "deferrable": not closed and draw(st.booleans()),
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
            "keep_alive": draw(st.sampled_from(["learned", "10m"])),
            "waiting_usd_per_request_minute": draw(st.sampled_from([0, 0.001, 0.01, 1])),
        },
        budget={
            "monthly_usd": draw(st.sampled_from([None, 100])),
            "daily_usd": draw(st.sampled_from([None, None, 30])),
            "when_spent": draw(st.sampled_from(["cap", "cap", "sleep", "alert"])),
            "on_forecast": draw(st.sampled_from(["alert", "cap"])),
            "wakes_per_day": draw(st.integers(1, 5)),
        },
    )


@st.composite
def overrides(draw: st.DrawFn, now: datetime) -> tuple[Override, ...]:
    """One of each kind at most, some of them over."""
    kinds = draw(st.lists(st.sampled_from(OverrideKind), unique=True, max_size=3))
    return tuple(
        Override(
            kind=kind,
            since=now - timedelta(seconds=draw(st.integers(0, 7200))),
            until=now + timedelta(seconds=draw(st.integers(-1800, 5400))),
            reason="demo",
            author="ann",
            even_for_requests=kind is OverrideKind.SLEEP_UNTIL and draw(st.booleans()),
        )
        for kind in kinds
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
        arrivals_per_second=draw(st.none() | st.floats(0, 50)),
        usd_per_copy_hour=draw(st.sampled_from([None, 0.5, 2.61, 98.0])),
        deferrable=draw(st.sampled_from([0, 0, 1, 5000])),
        deferrable_due_at=draw(st.sampled_from([None, now - ago(), now + ago()])),
        spent_today_usd=draw(st.sampled_from([Decimal(0), Decimal(0), Decimal(30)])),
        forecast_over_usd=draw(st.sampled_from([None, None, Decimal(120)])),
        stack_limit=draw(st.sampled_from([None, None, None, *STACK_LIMITS])),
        stack_wakes=draw(st.sampled_from([None, None, StackWakes(now.date(), 9, 9)])),
        stopped=draw(st.sampled_from([None, None, None, Stop(now - ago(), "ann", "a leak")])),
        overrides=draw(st.just(()) | overrides(now)),
        tick=timedelta(minutes=draw(st.sampled_from([1, 1, 5, 15]))),
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
        tuple(draw(st.lists(ones, max_size=12))),
        tuple(draw(st.lists(leads, max_size=5))),
        draw(patterns(now)),
    )


@st.composite
def patterns(draw: st.DrawFn, now: datetime) -> Pattern:
    """Idle times of a few hours' past, of the second copy too, and bursts that ended them."""
    pattern = Pattern()
    for seconds in draw(st.lists(st.floats(0, 40_000), max_size=12)):
        ended = now - timedelta(seconds=draw(st.integers(0, 90_000)))
        pattern = pattern.with_gap(ended - timedelta(seconds=seconds), ended)
        pattern = pattern.with_upper_gap(draw(st.integers(2, 5)), timedelta(seconds=seconds))
    for waited in draw(st.lists(st.floats(0, 100_000), max_size=4)):
        age, useful = draw(st.floats(300, 9000)), draw(st.floats(0, 600))
        pattern = pattern.with_burst(now, age, waited, useful).with_shortage(waited)
    return pattern


Case = tuple[EndpointSpec, Observation, History, datetime]


@st.composite
def cases(draw: st.DrawFn, phases: list[Phase] = MOVED) -> Case:
    now = draw(moments)
    return draw(specs()), draw(observations(now, phases)), draw(histories(now)), now


def must_be_at_zero(case: Case) -> bool:
    """By the observation alone, not by the policy's own word."""
    spec, seen, _, _ = case
    budget, stack = spec.budget, seen.stack_limit
    month = budget.monthly_usd is not None and seen.spent_this_month_usd >= budget.monthly_usd
    day = budget.daily_usd is not None and seen.spent_today_usd >= budget.daily_usd
    own = budget.when_spent is WhenSpent.SLEEP and (month or day)
    stacks = stack is not None and stack.action is WhenSpent.SLEEP
    return own or stacks or seen.stopped is not None
