"""What observations teach, told as a timeline of minutes after noon."""

from __future__ import annotations

import random
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
    gaps = pattern.gaps
    return [s for c, s in zip(gaps.counts, gaps.seconds, strict=True) if c]


def test_an_idle_time_ends_with_work_that_is_seen() -> None:
    pattern = after((0, awake(1, 1.0)), (1, awake(active=0)), (2, awake()), (8, awake(2, 2.0)))
    assert lengths(pattern) == [pytest.approx(8 * 60)]
    assert list(pattern.by_slot) == [12 * 6]  # ten minutes of the day
    assert list(pattern.by_hour) == [2 * 24 + 12]  # a Wednesday


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


def busy(backlog: float, arrivals: float = 0.0, **more: object) -> Observation:
    return awake(backlog, backlog, active=99, arrivals_per_second=arrivals, **more)


def test_a_burst_is_charged_with_what_a_start_would_have_made_it_wait() -> None:
    quiet = awake(active=-10)
    steps = [(-5, quiet), (1, quiet), (2, busy(3, 0.05))]
    steps += [(3, busy(2, 0.1)), (4, busy(2, 0.0)), (7, busy(1, 0.0))]
    bursts = after(*steps).bursts
    came = (3, 3 + 6, 9, 9)  # at the look that saw the idle time end, and a minute later
    waited = (3 + 9) / 2 * 60 + 9 * 240  # until the lead time of five minutes
    assert (bursts.count, came[-1]) == (1, 9)
    assert bursts.request_seconds == pytest.approx(waited - 9 * 10)
    assert bursts.useful_seconds == 60  # until something came last


def test_a_burst_that_it_slept_through_is_the_queue_that_grew() -> None:
    asleep = replace(seen(Phase.ASLEEP), last_active_at=NOON - 30 * MINUTE)
    bursts = after((-5, asleep), (1, waking(1)), (2, waking(5)), (6, waking(9))).bursts
    waited = (1 + 5) / 2 * 60 + (5 + 9) / 2 * 240
    assert bursts.request_seconds == pytest.approx(waited - 9 * 10)


def test_what_ends_a_short_idle_time_is_no_burst() -> None:
    pattern = after((0, busy(1)), (1, awake(active=0)), (4, busy(3)), (12, busy(1)))
    assert lengths(pattern) == [pytest.approx(4 * 60)]
    assert pattern.bursts.count == 0


def test_a_queue_is_worked_off_after_the_start_and_that_counts() -> None:
    slow = {"seconds_per_request": 16.0}  # a copy works off one a second
    quiet = awake(active=-10)
    steps = [(-5, quiet), (1, busy(10, **slow)), (6, busy(1, **slow))]
    without = 10 * 300 - 10 * 10
    assert after(*steps).bursts.request_seconds == pytest.approx(without + 10 / 2 * 10)


def test_waiting_while_copies_start_is_a_shortage_of_each() -> None:
    starting = {"desired_copies": 3}
    pattern = after(
        (0, awake(16, 16.0)),
        (1, awake(40, 16.0)),
        (3, awake(40, 16.0, **starting)),
        (4, awake(10, 10.0)),
    )
    assert pattern.bursts.count == 0
    waited = 24 * 120 + 24 / 2 * 60
    assert pattern.shortages.request_seconds == pytest.approx(waited / 2)


def test_waiting_while_every_copy_serves_is_nobodys_shortage() -> None:
    full = {"observed_copies": 4, "desired_copies": 4}
    pattern = after(
        (0, awake(64, 64.0, **full)), (1, awake(90, 64.0, **full)), (3, awake(10, 10.0, **full))
    )
    assert pattern.shortages.request_seconds == 0


def test_idle_times_of_the_second_copy_are_its_own() -> None:
    pattern = after((0, awake(20, 20.0)), (1, awake(3, 3.0)), (9, awake(20, 20.0)))
    assert pattern.gaps.total == 0
    (second,) = pattern.upper_gaps
    assert (second.total, sum(second.seconds)) == (1, 8 * 60)


def test_one_burst_does_not_rule_for_ever() -> None:
    pattern = Pattern().with_burst(NOON, 600.0, 1_000.0, 0.0)
    pattern = pattern.with_burst(NOON, 600.0, 10_000_000.0, 0.0)
    assert pattern.bursts.request_seconds < 30_000


def test_old_idle_times_fade() -> None:
    pattern = Pattern().with_gap(NOON, NOON + timedelta(hours=2))
    for _ in range(1000):
        pattern = pattern.with_gap(NOON, NOON + timedelta(minutes=2))
    longest = next(i for i, edge in enumerate(EDGES_SECONDS) if edge > 7200)
    assert pattern.gaps.counts[longest] < 0.2


class TestTheClock:
    """Idle times are laid over the clock from their fifth minute on."""

    def days(self, count: int, *ends: tuple[int, int]) -> Pattern:
        """Each day idle from 00:00 to the first end, and from there to the next."""
        pattern = Pattern()
        for day in range(count):
            began = NOON.replace(hour=0) + timedelta(days=day)
            for hour, minute in ends:
                ended = NOON.replace(hour=hour, minute=minute) + timedelta(days=day)
                pattern = pattern.with_gap(began, ended)
                began = ended
        return pattern

    def test_a_time_at_which_idle_times_end_each_day_is_known(self) -> None:
        pattern = self.days(14, (7, 40), (23, 59))
        at, before = pattern.by_slot[7 * 6 + 4], pattern.by_slot[6 * 6]
        assert at.seen > 3 * at.expected
        assert before.seen == 0 < before.expected
        assert max(pattern.slot_evidence) > 3
        assert pattern.risk(7 * 6 + 4, 7) > 2 > 1 > pattern.risk(6 * 6, 6)

    def test_one_that_does_not_repeat_itself_is_not_believed(self) -> None:
        dice, now, pattern = random.Random(1), NOON, Pattern()
        for _ in range(500):
            ended = now + timedelta(seconds=300 + dice.expovariate(1 / 1500))
            pattern = pattern.with_gap(now, ended)
            now = ended + 5 * MINUTE
        assert max(pattern.slot_evidence) < 1
        assert max(pattern.risk(slot, 3) for slot in pattern.by_slot) < 1.5

    def test_it_is_the_clock_of_the_schedule(self) -> None:
        berlin = a_spec(zone="Europe/Berlin", scaling={"max_copies": 4})
        known = History()
        for minute, seen_then in (
            (0, awake(active=0)),
            (60, awake(1, 1.0)),
        ):
            for at in range(0 if minute == 0 else 1, minute + 1, 5):
                known = learn(known, berlin, awake(active=0), NOON + at * MINUTE)
            known = learn(known, berlin, seen_then, NOON + minute * MINUTE + MINUTE / 2)
        assert max(known.pattern.by_hour) == 2 * 24 + 15  # 13:00 UTC in summer
