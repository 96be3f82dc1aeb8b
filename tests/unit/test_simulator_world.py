"""The simulated world against what can be reckoned without it: queueing theory and a price list."""

from __future__ import annotations

import random
from dataclasses import replace
from math import exp, factorial, log

import pytest

from autoscaler.replay.engine import simulate
from autoscaler.replay.results import quantile
from autoscaler.replay.world import Stage, World
from tests.simulated import LEAD, RELEASE, SMALL, a_trace, bursts, poisson
from tools.simulator.baselines.simple import AlwaysOn, KeepAlive


def erlang_c(servers: int, load: float) -> float:
    """The chance to wait in M/M/c (Erlang, 1917); `load` in erlangs."""
    top = load**servers / factorial(servers) * servers / (servers - load)
    return top / (sum(load**k / factorial(k) for k in range(servers)) + top)


@pytest.mark.parametrize(("copies", "per_copy", "load"), [(1, 1, 0.5), (1, 4, 3.0), (3, 4, 10.5)])
def test_waits_are_those_of_erlang_c(copies: int, per_copy: int, load: float) -> None:
    service, servers = 10.0, copies * per_copy
    trace = poisson(200_000, load / service, service)
    world = replace(SMALL, concurrency_per_copy=per_copy, initial_copies=copies)
    run = simulate(trace, world, AlwaysOn(copies))
    waited = erlang_c(servers, load)
    # Those who wait do so exponentially: P(W > t) = C × exp(-(c - a) t / s).
    over_10s = waited * exp(-(servers - load) * 10.0 / service)
    assert run.over_10s == pytest.approx(over_10s, rel=0.1)
    p99 = max(0.0, log(waited / 0.01) * service / (servers - load))
    assert run.p99_seconds == pytest.approx(p99, rel=0.06, abs=0.5)
    assert (run.answered, run.lost) == (200_000, 0)


def test_always_on_costs_its_hours() -> None:
    trace = a_trace(0.0, 36_000.0 - 10.0)
    run = simulate(trace, replace(SMALL, initial_copies=3), AlwaysOn(3))
    assert run.usd == pytest.approx(3 * 10.0)
    assert run.waiting_usd == 0.0


@pytest.mark.parametrize(("copies", "paid"), [(1, 4), (3, 4), (4, 4), (5, 8)])
def test_of_copies_that_share_an_instance_the_whole_instance_is_billed(
    copies: int, paid: int
) -> None:
    world = replace(SMALL, initial_copies=copies, max_copies=8, copies_per_instance=4)
    run = simulate(a_trace(0.0, 36_000.0 - 10.0), world, AlwaysOn(copies))
    assert run.usd == pytest.approx(paid * 10.0)


def test_a_start_is_billed_from_asking_until_the_instance_is_gone() -> None:
    run = simulate(a_trace(1000.0, 5000.0), SMALL, KeepAlive(5))
    first, second = LEAD + 10.0 + 300.0 + RELEASE, LEAD + 10.0  # the trace ends with its answer
    assert run.usd * 3600 == pytest.approx(first + second, abs=15.0)  # it looks every 15 s
    assert (run.wakes, run.p50_seconds) == (2, LEAD)


@pytest.mark.parametrize("billed", [0.0, 0.5])
def test_the_billed_share_of_a_start_is_a_parameter(billed: float) -> None:
    trace = a_trace(1000.0)
    whole = simulate(trace, SMALL, KeepAlive(5)).usd
    less = simulate(trace, replace(SMALL, startup_billed=billed), KeepAlive(5)).usd
    assert (whole - less) * 3600 == pytest.approx((1 - billed) * LEAD)


def test_waiting_beyond_ten_seconds_is_priced() -> None:
    run = simulate(a_trace(1000.0, 1050.0, 1250.0), SMALL, KeepAlive(5))
    # 200 s, 150 s, and one that comes when the copy serves
    assert run.waiting_usd == pytest.approx((190 + 140) / 60 * 0.01)


def test_a_request_is_served_by_the_slot_that_is_free_first() -> None:
    world = replace(SMALL, initial_copies=1, concurrency_per_copy=2)
    run = simulate(a_trace(0.0, 1.0, 2.0, 3.0), world, AlwaysOn(1))
    assert run.p95_seconds == 8.0  # the third from 10 to 20, the fourth from 11 on
    assert run.over_10s == 0.0


def test_a_copy_that_goes_finishes_what_it_works_on() -> None:
    world = replace(SMALL, initial_copies=1)

    class Impatient(AlwaysOn):
        def look(self, cluster, now):  # type: ignore[no-untyped-def]
            return 0 if now > 0 else 1

    run = simulate(a_trace(0.0, 9000.0, service=4000.0), world, Impatient(1))
    cut = 3600.0 + 400.0 + RELEASE  # told to go at its second look, done at 4000 s
    assert run.usd * 3600 == pytest.approx(cut)


def test_cold_starts_are_drawn_from_their_distributions() -> None:
    stage = Stage("capacity", 100.0, spread=0.5)
    dice = random.Random(1)
    drawn = sorted(stage.draw(dice) for _ in range(20_000))
    assert quantile(drawn, 0.5) == pytest.approx(100.0, rel=0.03)
    assert quantile(drawn, 0.9) == pytest.approx(100.0 * exp(0.5 * 1.2816), rel=0.03)


def test_a_start_without_capacity_takes_longer() -> None:
    world = World(no_capacity_share=0.3, no_capacity_seconds=900.0)
    dice = world.dice()
    drawn = [world.draw_lead(dice) for _ in range(20_000)]
    assert sum(lead > world.lead_seconds for lead in drawn) / len(drawn) == pytest.approx(
        0.3, abs=0.02
    )
    assert sum(drawn) / len(drawn) == pytest.approx(world.lead_seconds + 0.3 * 900, rel=0.03)


def test_the_same_world_gives_the_same_run() -> None:
    trace = bursts([100.0, 9000.0], 50, 2.0)
    world = replace(SMALL, no_capacity_share=0.5, cold_start=(Stage("all", LEAD, 0.4),))
    assert simulate(trace, world, KeepAlive(5)) == simulate(trace, world, KeepAlive(5))
