"""What others do, told as short stories in which their documented numbers can be seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from autoscaler.replay.engine import Controller, simulate
from autoscaler.replay.results import Outcome, Point
from autoscaler.replay.trace import Trace
from tests.simulated import LEAD, SMALL, a_trace, bursts
from tests.unit.policy_cases import a_spec
from tools.simulator.baselines.keda import Keda
from tools.simulator.baselines.knative import Knative
from tools.simulator.baselines.native import Native
from tools.simulator.baselines.simple import KeepAlive, OfficeHours
from tools.simulator.policies import ALL, Setting, UnknownPolicyError, make

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
AWAKE = replace(SMALL, initial_copies=1)


def changes(run: Outcome) -> list[tuple[float, int]]:
    """(second, copies) of every change of what is asked for."""
    found: list[Point] = []
    for point in run.points:
        if not found or found[-1].desired != point.desired:
            found.append(point)
    return [(point.at, point.desired) for point in found]


def story(trace: Trace, controller: Controller, world=SMALL) -> list[tuple[float, int]]:
    return changes(simulate(trace, world, controller))


class TestSageMakersOwn:
    def test_leaves_zero_only_after_a_request_failed_and_an_alarm_of_a_minute(self) -> None:
        run = simulate(a_trace(65.0, 3000.0), SMALL, Native())
        assert changes(run)[:2] == [(0.0, 0), (120.0, 1)]
        assert run.failures > 1

    def test_loses_what_callers_do_not_send_again(self) -> None:
        run = simulate(a_trace(65.0, 100.0, 3000.0), SMALL, Native(retry_seconds=None))
        assert run.lost == 3
        assert simulate(a_trace(65.0, 100.0, 3000.0), SMALL, Native()).lost == 0

    def test_scales_in_after_ninety_periods_of_ten_seconds(self) -> None:
        asleep_at = story(a_trace(0.0, 5000.0), Native(), AWAKE)[1]
        assert asleep_at == (pytest.approx(890.0 + 10.0, abs=20.0), 0)

    def test_gives_instances_back_eleven_minutes_later(self) -> None:
        native = simulate(Trace("t", [0.0, 20_000.0], [10.0, 1.0]), AWAKE, Native())
        ours = simulate(Trace("t", [0.0, 20_000.0], [10.0, 1.0]), AWAKE, KeepAlive(15))
        assert native.usd - ours.usd > 600 / 3600

    def test_follows_concurrency_above_its_target(self) -> None:
        trace = bursts([0.0], 400, 1.0, service=4.0)  # four at a time; a copy shall have 1.4
        assert story(trace, Native(), AWAKE)[1] == (30.0, 4)  # three periods of ten seconds


class TestKeda:
    def test_wakes_at_its_next_poll(self) -> None:
        assert story(a_trace(31.0), Keda())[:2] == [(0.0, 0), (60.0, 1)]

    def test_sleeps_after_its_cooldown(self) -> None:
        asleep_at = story(a_trace(0.0, 5000.0), Keda(), AWAKE)[1]
        assert asleep_at == (pytest.approx(310.0, abs=30.0), 0)

    def test_asks_for_a_copy_for_each_so_many_messages_at_once(self) -> None:
        trace = a_trace(*[31.0] * 9, service=600.0)
        assert story(trace, Keda())[:3] == [(0.0, 0), (60.0, 1), (75.0, 4)]  # 5 at most, 4 allowed

    def test_with_cron_it_stays_in_office_hours(self) -> None:
        trace = a_trace(0.0, 3 * 86400.0)
        hours = story(trace, Keda(cron=True, origin=MONDAY), SMALL)
        monday = [(at, copies) for at, copies in hours if at < 86400.0]
        assert (8 * 3600.0, 1) in monday
        assert monday[-1] == (pytest.approx(18 * 3600.0 + 300.0, abs=60.0), 0)


class TestKnative:
    def test_wakes_for_the_first_request_and_leaves_after_the_windows(self) -> None:
        steps = story(a_trace(100.0, 5000.0, service=2.0), Knative())
        assert steps[:2] == [(0.0, 0), (100.0, 1)]
        served = 100.0 + LEAD + 2.0
        assert steps[2] == (pytest.approx(served + 60.0 + 30.0, abs=6.0), 0)

    def test_panics_when_six_seconds_ask_for_twice_what_is_ready(self) -> None:
        trace = bursts([100.0], 60, 0.25, service=30.0)
        assert max(copies for _, copies in story(trace, Knative(), AWAKE)) == SMALL.max_copies


def test_a_fixed_keep_alive_stays_so_long() -> None:
    asleep_at = story(a_trace(0.0, 9000.0), KeepAlive(20), AWAKE)[1]
    assert asleep_at == (pytest.approx(10.0 + 1200.0, abs=31.0), 0)


def test_office_hours_are_weekdays_from_eight_to_eighteen() -> None:
    trace = a_trace(0.0, 8 * 86400.0)
    run = simulate(trace, SMALL, OfficeHours(2, MONDAY))
    weekdays = [int(at // 86400) for at, copies in changes(run) if copies == 2]
    assert weekdays == [0, 1, 2, 3, 4, 7, 8]
    assert run.p99_seconds == pytest.approx(8 * 3600.0 + LEAD)


@pytest.mark.parametrize("name", ALL)
def test_every_policy_answers_every_request_once(name: str) -> None:
    spec = a_spec(scaling={"max_copies": 4, "keep_alive": "learned"})
    trace = bursts([500.0, 4000.0, 40_000.0], 30, 3.0)
    run = simulate(trace, AWAKE, make(name, Setting(spec, 4)))
    assert run.answered + run.lost == len(trace)
    assert (run.lost == 0) is (name != "native-no-retries")


def test_an_unknown_policy_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UnknownPolicyError, match="'kubernetes' is no policy: there are ours, alw"):
        make("kubernetes", Setting(a_spec(), 1))
