"""Our policy in the simulator is the stack's: the same functions, not others like them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from heapq import heappop, heappush
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest

import autoscaler.replay.ours as simulator
from autoscaler import policy
from autoscaler.catalog.loading import expected_start
from autoscaler.catalog.models import known_model
from autoscaler.control import decide_and_act, observe
from autoscaler.endpoints.status import EndpointRecord
from autoscaler.policy import Observation, Phase, arrivals
from autoscaler.ports import Capacity, Load
from autoscaler.replay.engine import simulate
from autoscaler.replay.ours import TICK_SECONDS, Ours
from autoscaler.replay.trace import Trace
from autoscaler.replay.world import ORIGIN, Stage
from tests.samples import awake
from tests.simulated import LEAD, SMALL, a_trace, poisson
from tests.unit.policy_cases import EVERY_DAY, a_spec


@pytest.mark.parametrize(
    ("source", "name", "users"),
    [
        (policy, "decide", [simulator, decide_and_act]),
        (policy, "learn", [simulator, observe]),
        (policy, "remember", [simulator, decide_and_act]),
        (arrivals, "counted", [simulator, observe]),
        (arrivals, "arriving", [simulator, observe]),
    ],
)
def test_the_simulator_and_the_stack_call_the_very_same_function(
    source: ModuleType, name: str, users: list[ModuleType]
) -> None:
    for user in users:
        assert getattr(user, name) is getattr(source, name), user.__name__


Seen = list[tuple[Observation, datetime]]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """What a simulated policy sees, look by look."""
    found: Seen = []

    def noting(known: Any, spec: Any, observation: Observation, now: datetime) -> Any:
        found.append((observation, now))
        return policy.learn(known, spec, observation, now)

    monkeypatch.setattr(simulator, "learn", noting)
    return found


def ends(trace: Trace, slots: int) -> list[float]:
    """When each request is answered by one copy that serves from the beginning."""
    free, found = [0.0] * slots, []
    for arrival, service in zip(trace.arrivals, trace.services, strict=True):
        found.append(max(arrival, heappop(free)) + service)
        heappush(free, found[-1])
    return found


def test_a_simulated_policy_knows_no_more_of_what_comes_than_the_stack(seen: Seen) -> None:
    """Half of what a copy can do, then three times that: by the stack's own reckoning of its queue,
    and of what was answered in the minutes that CloudWatch has told by then."""
    calm, rush = poisson(60, 0.1, 10.0), poisson(200, 0.6, 10.0, seed=2)
    last = calm.arrivals[-1]
    arrived = [*calm.arrivals, *(last + at for at in rush.arrivals)]
    trace = Trace("a rush", arrived, [*calm.services, *rush.services])
    spec = a_spec(serving={"concurrency_per_copy": SMALL.concurrency_per_copy})
    simulate(trace, replace(SMALL, max_copies=1, initial_copies=1), Ours(spec))
    answered = ends(trace, SMALL.concurrency_per_copy)
    record, rates = EndpointRecord(spec=spec, status=awake("llama")), list[float]()
    for observation, now in seen:
        at = (now - ORIGIN).total_seconds()
        if observation.phase is not Phase.AWAKE or at > arrived[-1]:
            continue
        told = [n for n in range(int(at // 60)) if at - 180 <= 60 * n <= at - 120]
        by_minute = [sum(60 * n < end <= 60 * (n + 1) for end in answered) / 60 for n in told]
        served = max(by_minute, default=0.0)
        load = Load(observation.backlog, observation.in_flight, served_per_second=served)
        capacity = Capacity(True, desired_copies=1, current_copies=1)
        episode = observe.learned(record, load, capacity, now).episode
        record = record.having(record.status.model_copy(update={"episode": episode}))
        stack = observe.observe(record, load, capacity, now).arrivals_per_second
        assert observation.arrivals_per_second == pytest.approx(stack), at
        rates.append(stack or 0.0)
    assert len(rates) > 20
    assert max(rates) > 2 * SMALL.concurrency_per_copy / 10.0, "more than a copy can do"


def test_a_closed_window_is_kept_in_a_simulation_and_what_waited_is_answered_at_its_end() -> None:
    """A request every ten minutes of a day; closed from two to five."""
    night = {"name": "night", "days": EVERY_DAY, "start": "02:00", "end": "05:00", "max_copies": 0}
    hour = 3600.0
    trace = a_trace(*(600.0 * n for n in range(1, 6 * 24)))
    run = simulate(trace, replace(SMALL, max_copies=2), Ours(a_spec(windows=[night])))
    assert (run.answered, run.lost) == (len(trace), 0)
    # The start for the first request was measured.
    asleep_at, woken_at = 2 * hour, 5 * hour - LEAD - TICK_SECONDS
    inside = [point for point in run.points if asleep_at <= point.at < 5 * hour]
    down, up = inside[0], inside[1]
    assert (down.at, down.desired) == (asleep_at, 0)
    assert woken_at <= up.at <= woken_at + TICK_SECONDS
    assert up.at + LEAD < 5 * hour, "so that it serves at five"
    assert 1.5 * hour < run.p99_seconds < 3 * hour, "17 of the 143 came in it"


def test_who_begins_at_zero_is_not_started_for_nothing() -> None:
    run = simulate(a_trace(3600.0), SMALL, Ours(a_spec()))
    assert run.wakes == 1
    assert run.points[1].at == 3600.0, "and not at the beginning"


def test_the_wakes_of_a_day_are_of_the_utc_day_whenever_a_history_begins() -> None:
    """From 20:00 on, a request each hour, of which two a day may wake: the third waits until
    midnight, not until 20:00 of the next day."""
    spec = a_spec(scaling={"keep_alive": "1m"}, budget={"wakes_per_day": 2})
    origin = datetime(2026, 5, 13, 20, tzinfo=UTC)
    hour = 3600.0
    trace = a_trace(*(hour * n + 60 for n in range(3)))
    run = simulate(trace, SMALL, Ours(spec, origin))
    assert run.answered == 3
    pairs = pairwise(run.points)
    *_, third = [after.at for before, after in pairs if after.desired > before.desired]
    assert 4 * hour <= third <= 4 * hour + 2 * TICK_SECONDS


def test_a_start_is_expected_by_the_size_of_its_model_as_in_the_stack() -> None:
    """Of DeepSeek-R1 the first window is not served after three quarters of an hour."""
    day = {"name": "day", "days": EVERY_DAY, "start": "08:00", "end": "18:00", "min_copies": 1}
    spec = a_spec(windows=[day], model={"id": "deepseek-ai/DeepSeek-R1"})
    facts = known_model(spec.model.id)
    assert facts is not None
    takes = expected_start(facts).total_seconds()
    assert takes > 40 * 60
    slow = replace(SMALL, cold_start=(Stage("all", takes),))
    run = simulate(a_trace(12 * 3600.0), slow, Ours(spec))
    assert run.points[1].desired == 1
    assert run.points[1].at + takes <= 8 * 3600.0
