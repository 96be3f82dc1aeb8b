"""What observations teach, told as a timeline of minutes after noon."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.policy import History, Observation, Pattern, Phase, learn
from autoscaler.policy.pattern import EDGES_SECONDS
from tests.unit.policy_cases import MINUTE, NOON, a_spec, seen

SPEC = a_spec(scaling={"max_copies": 4})


def after(*steps: tuple[float, Observation], history: History | None = None) -> Pattern:
    """The pattern after these (minute, observation)."""
    known = history or History()
    for minute, observation in steps:
        known = learn(known, SPEC, observation, NOON + minute * MINUTE)
    return known.pattern


def awake(backlog: float = 0, in_flight: float = 0.0, active: float = -99, **more: object):
    active_at = NOON + active * MINUTE
    return replace(seen(), backlog=backlog, in_flight=in_flight, last_active_at=active_at, **more)


def waking(backlog: int) -> Observation:
    return replace(seen(Phase.WAKING), backlog=backlog, in_flight=0.0, observed_copies=0)


def lengths(pattern: Pattern) -> list[float]:
    """Seconds of the gaps, in the order of their bins."""
    gaps = pattern.all_gaps
    return [s for c, s in zip(gaps.counts, gaps.seconds, strict=True) if c]


def test_an_idle_time_ends_with_work_that_is_seen() -> None:
    pattern = after((0, awake(1, 1.0)), (1, awake(active=0)), (2, awake()), (8, awake(2, 2.0)))
    assert lengths(pattern) == [pytest.approx(8 * 60)]
    assert list(pattern.by_hour_of_day) == [12]
    assert list(pattern.by_hour_of_week) == [2 * 24 + 12]  # a Wednesday


def test_or_with_work_that_was_there_between_two_looks() -> None:
    pattern = after((0, awake(1, 1.0)), (1, awake(active=0)), (6, awake(active=5)))
    assert lengths(pattern) == [pytest.approx(5 * 60)]


def test_or_with_the_wake_that_ends_a_sleep_however_long_nobody_looked() -> None:
    asleep = replace(seen(Phase.ASLEEP), last_active_at=NOON)
    pattern = after((0, awake(1, 1.0)), (1, awake(active=0)), (12, asleep), (180, waking(1)))
    assert lengths(pattern) == [pytest.approx(180 * 60)]


def test_what_nobody_looked_at_while_awake_is_not_learned() -> None:
    pattern = after((0, awake(1, 1.0)), (1, awake(active=0)), (40, awake(3, 3.0)))
    assert pattern == Pattern()


def test_a_signal_that_was_missing_tears_the_idle_time() -> None:
    blind = awake(in_flight=None, active=0)
    pattern = after((0, awake(1, 1.0)), (1, awake(active=0)), (2, blind), (5, awake(1, 1.0)))
    assert pattern == Pattern()


def test_a_late_and_a_repeated_observation_change_nothing() -> None:
    steps = [(0, awake(1, 1.0)), (1, awake(active=0)), (8, awake(2, 2.0))]
    assert after(*steps) == after(*steps, (8, awake(2, 2.0)), (3, awake(active=0)), (8, awake()))


def test_a_wake_is_charged_with_the_request_seconds_that_it_made_wait() -> None:
    pattern = after(
        (0, replace(seen(Phase.ASLEEP), last_active_at=NOON - 30 * MINUTE)),
        (1, waking(1)),
        (2, waking(11)),
        (4, waking(21)),
        (5, awake(20, 16.0)),
        (6, awake(5, 5.0)),
    )
    integral = (1 + 11) / 2 * 60 + (11 + 21) / 2 * 120 + (21 + 4) / 2 * 60 + 4 / 2 * 60
    free = 21 * 10
    assert pattern.waits.wakes == 1
    assert pattern.waits.request_seconds == pytest.approx(integral - free)
    assert pattern.waits.useful_seconds == 180  # until the queue grew last
    assert pattern.upper_waits.wakes == 0


def test_waiting_while_copies_serve_is_a_shortage() -> None:
    pattern = after(
        (0, awake(16, 16.0)), (1, awake(40, 16.0)), (3, awake(40, 16.0)), (4, awake(10, 10.0))
    )
    assert pattern.waits.wakes == 0
    assert pattern.upper_waits.request_seconds == pytest.approx(24 * 120 + 24 / 2 * 60 - 240)


def test_idle_times_of_the_second_copy_are_its_own() -> None:
    pattern = after((0, awake(20, 20.0)), (1, awake(3, 3.0)), (9, awake(20, 20.0)))
    assert pattern.all_gaps.total == 0
    (second,) = pattern.upper_gaps
    assert (second.total, sum(second.seconds)) == (1, 8 * 60)


def test_one_burst_does_not_rule_for_ever() -> None:
    pattern = Pattern().with_wake(NOON, 1_000.0).with_wake(NOON, 10_000_000.0)
    assert pattern.waits.request_seconds < 30_000


def test_old_idle_times_fade() -> None:
    pattern = Pattern().with_gap(NOON, timedelta(hours=2))
    for _ in range(1000):
        pattern = pattern.with_gap(NOON, timedelta(minutes=2))
    longest = next(i for i, edge in enumerate(EDGES_SECONDS) if edge > 7200)
    assert pattern.all_gaps.counts[longest] < 0.2
