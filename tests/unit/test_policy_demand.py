"""Copies that the requests themselves ask for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.policy import Bounds, History, Phase
from autoscaler.policy.demand import backlog_per_copy, measure
from autoscaler.policy.economy import Economy
from autoscaler.policy.keep_alive import stays
from tests.unit.policy_cases import a_spec, decided, seen


@pytest.mark.parametrize(
    ("backlog", "seconds_per_request", "copies"),
    [
        (0, None, 0),
        (1, None, 1),  # any request wants a copy
        (192, None, 1),  # 16 at a time, 10 s each until measured, in 2 minutes
        (193, None, 2),
        (1920, None, 10),
        (193, 5.0, 1),  # faster than assumed: 384 a copy
        (193, 20.0, 3),  # slower: 96 a copy
        (16, 600.0, 1),  # all 16 are answered at once: a second copy would not help
        (17, 600.0, 2),
        (1, 1e-9, 1),
        (193, 0.0, 2),  # nonsense counts as not measured
    ],
)
def test_copies_for_a_backlog(backlog: int, seconds_per_request: float, copies: int) -> None:
    observation = seen(backlog=backlog, seconds_per_request=seconds_per_request)
    assert measure(a_spec(), observation).copies == copies


def test_the_drain_target_sets_how_much_a_copy_may_have_before_it() -> None:
    assert backlog_per_copy(a_spec(scaling={"drain_target": "10m"}), 10) == 960


@pytest.mark.parametrize(
    ("in_flight", "target", "copies"),
    [(0, None, 0), (16, None, 1), (16.1, None, 2), (8.1, 8, 2), (24, 12, 2), (0.9, 0.3, 3)],
)
def test_copies_for_concurrency(in_flight: float, target: float | None, copies: int) -> None:
    spec = a_spec(scaling={"target_concurrency": target})
    assert measure(spec, seen(in_flight=in_flight)).copies == copies


def test_the_larger_of_both_counts() -> None:
    assert measure(a_spec(), seen(backlog=400, in_flight=1)).copies == 3
    assert measure(a_spec(), seen(backlog=1, in_flight=40)).copies == 5


@pytest.mark.parametrize("phase", [Phase.ASLEEP, Phase.SLEEPING])
def test_what_is_being_finished_on_the_way_down_asks_for_nothing(phase: Phase) -> None:
    assert measure(a_spec(), seen(phase, in_flight=9)).copies == 0


class TestMissingSignals:
    @pytest.mark.parametrize("missing", ["backlog", "in_flight"])
    def test_a_missing_signal_asks_for_what_is_there(self, missing: str) -> None:
        observation = replace(seen(desired_copies=3), **{missing: None})
        demand = measure(a_spec(), observation)
        assert (demand.copies, demand.known) == (3, False)

    def test_the_other_signal_may_still_ask_for_more(self) -> None:
        assert measure(a_spec(), seen(in_flight=None, backlog=400)).copies == 3

    def test_a_missing_backlog_keeps_the_bound_that_it_raised(self) -> None:
        observation = seen(backlog=None, bounds=Bounds(3, 4), desired_copies=3)
        assert measure(a_spec(), observation).backlog_copies == 3

    @pytest.mark.parametrize("phase", [Phase.ASLEEP, Phase.WAKING, Phase.SLEEPING])
    def test_without_a_serving_copy_concurrency_is_not_missing(self, phase: Phase) -> None:
        assert measure(a_spec(), seen(phase, in_flight=None)).known

    def test_a_missing_backlog_wakes_nothing(self) -> None:
        demand = measure(a_spec(), seen(Phase.ASLEEP, backlog=None, desired_copies=1))
        assert (demand.copies, demand.known) == (0, False)


class TestACrowd:
    """From three copies on what waits counts as in flight: a copy more is little there."""

    SPEC = a_spec(serving={"concurrency_per_copy": 16}, scaling={"max_copies": 9})

    def test_waits_for_no_place(self) -> None:
        crowd = replace(seen(), desired_copies=3, observed_copies=3, in_flight=48.0, backlog=70)
        decision = decided(self.SPEC, crowd)
        assert decision.copies == 5  # 70 requests, 16 a copy
        assert decision.bounds.min_copies == 5, "Application Auto Scaling cannot pull them back"
        assert "70 requests are in flight or wait and one copy shall have 16: 5 copies." in (
            decision.summary
        )

    def test_two_copies_are_none(self) -> None:
        pair = replace(seen(), desired_copies=2, observed_copies=2, in_flight=32.0, backlog=54)
        assert decided(self.SPEC, pair).copies == 2

    def test_its_copies_stay_for_ten_minutes(self) -> None:
        spec = a_spec(scaling={"max_copies": 9, "stabilization_window": "5m"})
        second, third, *_ = stays(spec, History(), None, 5)
        assert (second, third) == (timedelta(minutes=5), timedelta(minutes=5)), "price unknown"
        prices = Economy(copy_usd=98 / 3600, waiting_usd=0.0, lead_seconds=60)
        second, third, *_ = stays(spec, History(), prices, 5)
        assert (second, third) == (timedelta(minutes=5), timedelta(minutes=10))
