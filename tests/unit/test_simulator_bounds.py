"""The clairvoyants: by hand where that is possible, and never above what anybody does."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autoscaler.replay.engine import simulate
from autoscaler.replay.fleet import always_on_copies
from autoscaler.replay.trace import Trace
from tests.simulated import LEAD, RELEASE, SMALL, a_trace, bursts
from tests.unit.policy_cases import a_spec
from tools.simulator.baselines.simple import AlwaysOn
from tools.simulator.bounds import in_service, zero_wait_usd
from tools.simulator.policies import ALL, Setting, make
from tools.simulator.priced_bound import lowest_total_usd

ONE = replace(SMALL, max_copies=1, initial_copies=1)


class TestZeroWait:
    def test_pays_the_cheaper_of_a_gap_and_a_restart(self) -> None:
        short, long = a_trace(0.0, 100.0), a_trace(0.0, 5000.0)
        assert zero_wait_usd(short, ONE) * 3600 == pytest.approx(110)
        assert zero_wait_usd(long, ONE) * 3600 == pytest.approx(20 + LEAD + RELEASE)

    def test_pays_a_second_copy_only_while_the_first_is_full(self) -> None:
        trace = a_trace(0.0, 0.0, 0.0)  # two slots a copy
        world = replace(SMALL, max_copies=2, initial_copies=2)
        assert zero_wait_usd(trace, world) * 3600 == pytest.approx(2 * 10)

    def test_pays_for_whole_instances(self) -> None:
        world = replace(SMALL, max_copies=8, initial_copies=8, copies_per_instance=4)
        alone, full = a_trace(0.0), a_trace(*[0.0] * 9)  # two slots a copy, eight an instance
        release = min(10.0, RELEASE)  # of the second instance, which the fleet has
        assert zero_wait_usd(alone, world) * 3600 == pytest.approx(4 * (10 + release))
        assert zero_wait_usd(full, world) * 3600 == pytest.approx(8 * 10)

    def test_a_second_copy_beside_the_first_costs_nothing(self) -> None:
        world = replace(SMALL, max_copies=2, initial_copies=2, copies_per_instance=2)
        one, both = a_trace(0.0, 5000.0), a_trace(0.0, 0.0, 0.0, 5000.0, 5000.0, 5000.0)
        assert zero_wait_usd(both, world) == zero_wait_usd(one, world)
        assert zero_wait_usd(one, world) * 3600 == pytest.approx(2 * (20 + LEAD + RELEASE))

    def test_knows_how_many_are_in_service(self) -> None:
        assert in_service(a_trace(0.0, 4.0)) == [(0.0, 1), (4.0, 2), (10.0, 1), (14.0, 0)]


class TestLowestTotal:
    def test_lets_one_request_wait_for_a_start_and_no_longer_if_nobody_minds(self) -> None:
        # From asleep, with free waiting: one start and one run.
        world = replace(SMALL, max_copies=1, waiting_usd_per_request_minute=0.0)
        assert lowest_total_usd(a_trace(1000.0, 1300.0), world) <= 1e-9
        dear = replace(world, waiting_usd_per_request_minute=10.0)
        paid = lowest_total_usd(a_trace(1000.0), dear) * 3600
        assert paid == pytest.approx(LEAD + RELEASE + 10, abs=11)  # time is in slots of 10 s

    def test_starts_and_pays_for_whole_instances(self) -> None:
        apart = replace(SMALL, max_copies=4, waiting_usd_per_request_minute=10.0)
        together = replace(apart, copies_per_instance=4)
        one = a_trace(1000.0)
        paid = lowest_total_usd(one, together) / lowest_total_usd(one, apart)
        assert paid == pytest.approx(4)

    def test_more_that_waits_never_costs_less(self) -> None:
        prices = [0.0, 0.001, 0.01, 0.1, 1.0]
        trace = bursts([100.0, 3000.0], 40, 1.0)
        found = [
            lowest_total_usd(trace, replace(ONE, waiting_usd_per_request_minute=price))
            for price in prices
        ]
        assert found == sorted(found)


@settings(max_examples=25, deadline=None)
# Services of several slots, of which many wait: the plan's steps of waiting requests matter most.
@example(starts=[0.0], requests=6, every=18.0, service=41.0, price=0.1, fits=1)
@example(starts=[0.0], requests=40, every=18.79, service=37.79, price=0.1, fits=1)
@given(
    starts=st.lists(st.floats(0, 20_000), min_size=1, max_size=6),
    requests=st.integers(1, 40),
    every=st.floats(0.2, 20),
    service=st.floats(1, 60),
    price=st.sampled_from([0.001, 0.01, 0.1]),
    fits=st.sampled_from([1, 4]),
)
def test_nobody_does_better_than_the_lowest_total(
    starts: list[float], requests: int, every: float, service: float, price: float, fits: int
) -> None:
    trace = bursts(starts, requests, every, service)
    fleet = always_on_copies(trace, SMALL.concurrency_per_copy, 8)
    world = replace(
        SMALL,
        max_copies=fleet,
        initial_copies=fleet,
        waiting_usd_per_request_minute=price,
        copies_per_instance=fits,
    )
    least = lowest_total_usd(trace, world)
    setting = Setting(a_spec(scaling={"max_copies": fleet, "keep_alive": "learned"}), fleet)
    for name in ALL:
        run = simulate(trace, world, make(name, setting))
        # The plan is kept in slots of 10 s, of which a copy may need but a part: at both its ends.
        billed = math.ceil(fleet / fits) * fits
        assert run.total_usd >= least - billed * 20 / 3600 * world.usd_per_copy_hour


def test_the_fleet_of_somebody_who_never_scales_has_a_p99_under_thirty_seconds() -> None:
    trace = bursts([0.0], 200, 0.5, service=10.0)
    fleet = always_on_copies(trace, 2)
    enough, too_few = (
        simulate(
            trace, replace(SMALL, max_copies=9, initial_copies=copies), AlwaysOn(copies)
        ).p99_seconds
        for copies in (fleet, fleet - 1)
    )
    assert enough < 30.0 <= too_few
    assert always_on_copies(trace, 2, most=3) == 3
    assert always_on_copies(Trace("empty", [], []), 2) == 1
