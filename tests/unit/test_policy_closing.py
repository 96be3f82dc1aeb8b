"""Closed windows: `max_copies: 0`. What is put to zero, what waits, and when it is woken for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.policy import (
    Bounds,
    Decision,
    History,
    Observation,
    OverrideKind,
    Phase,
    ReasonCode,
    Transition,
    bounds_at,
    decide,
)
from autoscaler.policy.closing import closure
from autoscaler.policy.forecast import asked_for
from autoscaler.spec import EndpointSpec
from tests.unit.policy_cases import (
    MINUTE,
    NOON,
    PEAK,
    WEEKDAYS,
    Loop,
    a_hold,
    a_spec,
    an_override,
    codes,
    decided,
    seen,
)

# Closed from 11:00 to 14:00 UTC; a start takes 4 minutes, and a look comes every minute.
CLOSED = {"name": "night", "days": WEEKDAYS, "start": "11:00", "end": "14:00", "max_copies": 0}
QUICK = History(lead_times=(timedelta(minutes=4),))
CLOSES, ENDS = NOON.replace(hour=11), NOON.replace(hour=14)
AFTER = {**PEAK, "name": "after", "start": "14:00", "min_copies": 2}


def closed(*more: Any, **parts: Any) -> EndpointSpec:
    return a_spec(windows=[CLOSED, *more], **parts)


def at(spec: EndpointSpec, before: timedelta, observation: Observation) -> Decision:
    """Decided so long before the closed window ends."""
    return decide(spec, observation, QUICK, ENDS - before)


@pytest.mark.parametrize(
    "work", [{}, {"backlog": 3}, {"in_flight": 2.0}, {"last_active_at": NOON}, {"deferrable": 900}]
)
def test_who_is_awake_is_put_to_zero_whatever_it_has_to_do(work: dict[str, Any]) -> None:
    decision = decided(closed(), seen(**work))
    assert (decision.transition, decision.bounds) == (Transition.SLEEP, Bounds(0, 0))
    assert ReasonCode.CLOSED in codes(decision)


@pytest.mark.parametrize(
    "work",
    [
        {"backlog": 1},
        {"backlog": 5_000},
        {"deferrable": 5_000},
        {"deferrable": 1, "deferrable_due_at": NOON},
    ],
)
@pytest.mark.parametrize("phase", [Phase.ASLEEP, Phase.SLEEPING])
def test_nothing_wakes_it(phase: Phase, work: dict[str, Any]) -> None:
    decision = decided(closed(scaling={"min_copies": 1}), seen(phase, **work))
    assert (decision.transition, decision.copies) == (None, 0)


def test_requests_are_said_to_wait_and_until_when() -> None:
    decision = decided(closed(), seen(Phase.ASLEEP, backlog=3))
    assert codes(decision)[-1] is ReasonCode.REQUESTS_HELD_BACK
    assert decision.reasons[-1].text == (
        "3 requests wait until 13 May 14:00 UTC, when window night ends."
    )


@pytest.mark.parametrize("missing", [{"backlog": None}, {"in_flight": None}])
def test_it_goes_to_zero_whether_or_not_a_signal_is_missing(missing: dict[str, Any]) -> None:
    """What is seen of requests changes nothing here; a GPU would run through the night for it."""
    decision = decided(closed(), seen(**missing))
    assert (decision.transition, decision.bounds) == (Transition.SLEEP, Bounds(0, 0))


class TestItsEnd:
    """A lead time of 4 minutes and a tick before it, as of other edges."""

    @pytest.mark.parametrize(
        ("minutes", "wakes"), [(60, False), (5.1, False), (5, True), (0, True)]
    )
    def test_what_waits_wakes_it_so_that_it_serves_at_the_edge(
        self, minutes: float, wakes: bool
    ) -> None:
        waiting = seen(Phase.ASLEEP, backlog=400)
        decision = at(closed(), minutes * MINUTE, waiting)
        assert (decision.transition is Transition.WAKE) is wakes
        assert decision.copies == (2 if wakes else 0), "as many as what follows allows"

    @pytest.mark.parametrize(("minutes", "wakes"), [(60, False), (5.1, False), (5, True)])
    def test_a_window_that_follows_has_its_copies_at_the_edge(
        self, minutes: float, wakes: bool
    ) -> None:
        decision = at(closed(AFTER), minutes * MINUTE, seen(Phase.ASLEEP))
        assert (decision.transition is Transition.WAKE) is wakes
        assert decision.copies == (2 if wakes else 0)

    def test_nothing_wakes_it_when_nothing_waits(self) -> None:
        assert at(closed(), MINUTE, seen(Phase.ASLEEP)).transition is None

    def test_the_longer_of_two_looks_begins_earlier(self) -> None:
        slow = seen(Phase.ASLEEP, backlog=1, tick=timedelta(minutes=15))
        assert at(closed(), 19 * MINUTE, slow).transition is Transition.WAKE
        assert at(closed(), 19.1 * MINUTE, slow).transition is None

    def test_what_starts_for_the_edge_is_not_put_to_sleep_before_it(self) -> None:
        awake = seen(last_active_at=ENDS - 2 * MINUTE, backlog=1)
        assert at(closed(), MINUTE, awake).transition is None

    def test_closed_windows_that_follow_each_other_are_one(self) -> None:
        later = {**CLOSED, "name": "later", "start": "14:00", "end": "16:00", "keep_alive": "1m"}
        spec = closed(later)
        found = closure(spec, QUICK, seen(), ENDS - MINUTE)
        assert found is not None
        assert (found.window, found.until) == ("night", NOON.replace(hour=16))
        assert at(spec, MINUTE, seen(Phase.ASLEEP, backlog=1)).transition is None

    def test_one_shorter_than_a_start_is_never_in_force(self) -> None:
        spec = a_spec(windows=[{**CLOSED, "start": "13:56"}])
        busy = seen(last_active_at=ENDS - 5 * MINUTE)
        for minutes in range(5):
            assert at(spec, minutes * MINUTE, busy).transition is None


class TestOtherWindows:
    def test_the_first_that_is_open_wins(self) -> None:
        lunch = {**PEAK, "name": "lunch", "start": "11:30", "end": "12:30"}
        night_first = a_spec(windows=[CLOSED, lunch])
        lunch_first = a_spec(windows=[lunch, CLOSED])
        assert bounds_at(night_first, NOON).is_closed
        assert decided(night_first, seen(Phase.ASLEEP)).transition is None
        assert decided(lunch_first, seen(Phase.ASLEEP)).transition is Transition.WAKE

    def test_a_window_without_max_copies_is_not_closed(self) -> None:
        spec = a_spec(windows=[{**PEAK, "max_copies": None}])
        assert bounds_at(spec, NOON).max_copies == spec.scaling.max_copies

    def test_it_asks_for_no_copy_hour(self) -> None:
        spec = closed(scaling={"min_copies": 1})
        hours = asked_for(spec, None, NOON.replace(hour=0), NOON.replace(hour=0) + 24 * 60 * MINUTE)
        assert sum(hours.values()) == Decimal(21)


class TestPersons:
    """Who asked for what contradicts a sleep is not put to sleep by a window."""

    WARM = an_override(OverrideKind.KEEP_WARM)
    PAUSE = an_override(OverrideKind.PAUSE_SCALE_IN)

    def test_a_hold_wakes_it_and_keeps_it(self) -> None:
        asleep = seen(Phase.ASLEEP, hold=a_hold(2))
        decision = decided(closed(), asleep)
        assert (decision.transition, decision.copies) == (Transition.WAKE, 2)
        assert decided(closed(), seen(hold=a_hold(1), backlog=1)).transition is None

    def test_warmth_wakes_it_and_keeps_it(self) -> None:
        asleep = seen(Phase.ASLEEP, overrides=(self.WARM,))
        assert decided(closed(), asleep).transition is Transition.WAKE
        assert decided(closed(), seen(overrides=(self.WARM,))).transition is None

    @pytest.mark.parametrize("asked", [{"overrides": (PAUSE,)}, {"hold": a_hold(0)}])
    def test_requests_wake_it_as_long_as_that_is_in_force(self, asked: dict[str, Any]) -> None:
        waiting = seen(Phase.ASLEEP, backlog=400, **asked)
        decision = decided(closed(), waiting)
        assert (decision.transition, decision.copies) == (Transition.WAKE, 2)
        assert decided(closed(scaling={"min_copies": 1}), replace(waiting, backlog=0)).copies == 0

    @pytest.mark.parametrize(
        "over", [{"hold": a_hold(1, minutes=0)}, {"overrides": (replace(WARM, until=NOON),)}]
    )
    def test_what_is_over_opens_nothing(self, over: dict[str, Any]) -> None:
        assert decided(closed(), seen(Phase.ASLEEP, backlog=1, **over)).transition is None

    def test_a_sleep_that_lasts_longer_has_the_word(self) -> None:
        sleep = an_override(
            OverrideKind.SLEEP_UNTIL, even_for_requests=True, until=NOON.replace(hour=20)
        )
        decision = decided(closed(), seen(Phase.ASLEEP, backlog=1, overrides=(sleep,)))
        assert "1 request wait until 13 May 20:00 UTC" in decision.reasons[-1].text

    def test_a_sleep_for_which_requests_do_not_wait_changes_nothing(self) -> None:
        sleep = an_override(OverrideKind.SLEEP_UNTIL)
        decision = decided(closed(), seen(Phase.ASLEEP, backlog=1, overrides=(sleep,)))
        assert codes(decision)[-1] is ReasonCode.REQUESTS_HELD_BACK


def test_a_day_with_a_closed_window() -> None:
    """Asleep within a minute of 11:00 although requests go on; answered again at 14:00."""
    loop = Loop(closed(), NOON.replace(hour=10), history=QUICK)
    for _ in range(5 * 60):
        loop.minute(arrivals=1)
    phases = [event for event in loop.events if event[1] in ("SLEEPING", "WAKING", "AWAKE")]
    assert phases == [
        ("10:01", "WAKING"),
        ("10:05", "AWAKE"),
        ("11:00", "SLEEPING"),
        ("13:55", "WAKING"),
        ("13:59", "AWAKE"),
    ]
    assert loop.waiting < 2


@pytest.mark.parametrize(
    ("minutes", "wakes"),
    [(5, True), (4, False), (1, False)],  # a start takes 4 minutes
)
def test_who_sleeps_is_not_started_for_a_request_that_it_could_not_serve(
    minutes: int, wakes: bool
) -> None:
    waiting = seen(Phase.ASLEEP, backlog=3)
    before = CLOSES - minutes * MINUTE
    decision = decide(closed(), waiting, QUICK, before)
    assert (decision.transition is Transition.WAKE) is wakes
    shut = closure(closed(), QUICK, waiting, before)
    assert (shut is None) is wakes
    if shut:
        assert shut.begins_at == CLOSES and "no start would be over when window night" in shut.text


def test_before_a_closed_window_who_serves_goes_on_and_a_person_opens_it() -> None:
    before = CLOSES - MINUTE
    assert closure(closed(), QUICK, seen(backlog=3), before) is None
    held = seen(Phase.ASLEEP, backlog=3, hold=replace(a_hold(1), until=ENDS))
    assert closure(closed(), QUICK, held, before) is None
    over = seen(Phase.ASLEEP, backlog=3, hold=replace(a_hold(1), until=CLOSES))
    assert closure(closed(), QUICK, over, before) is not None, "it ends as the window begins"
