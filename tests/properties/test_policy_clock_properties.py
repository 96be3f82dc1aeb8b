"""What a change of the clocks does to decisions: nothing but what the local clock says.

Reckoned apart from the policy: by reading the wall clock of every minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.policy import (
    DEFAULT_LEAD_TIME,
    Bounds,
    History,
    Observation,
    Pattern,
    Phase,
    ReasonCode,
    Transition,
    decide,
    learn,
)
from autoscaler.policy.economy import TICK
from tests.properties.policy_strategies import DAYS, ZONES
from tests.properties.test_policy_schedule_properties import changes
from tests.unit.policy_cases import MINUTE, NOTHING, a_spec, codes, seen

CHANGES = [(zone, change) for zone in ZONES for change in changes(zone, 2026)]
DAY = timedelta(days=1)
SUMMER_AND_WINTER = {  # in 2026; Kolkata has none, São Paulo none since 2019
    "America/New_York": [date(2026, 3, 8), date(2026, 11, 1)],
    "Europe/Berlin": [date(2026, 3, 29), date(2026, 10, 25)],
    "Asia/Kolkata": [],
    "Australia/Lord_Howe": [date(2026, 4, 5), date(2026, 10, 4)],
    "America/Sao_Paulo": [],
}


def test_the_changes_are_those_of_2026() -> None:
    found = {
        zone: [c.astimezone(ZoneInfo(zone)).date() for z, c in CHANGES if z == zone]
        for zone in ZONES
    }
    assert found == SUMMER_AND_WINTER


def minutes_of(day: date, zone: str) -> Iterator[datetime]:
    """Every minute of a local day, in UTC: of 23, 24 or 25 hours."""
    info = ZoneInfo(zone)
    at = datetime.combine(day, time(), info).astimezone(UTC)
    end = datetime.combine(day + DAY, time(), info).astimezone(UTC)
    while at < end:
        yield at
        at += MINUTE


def all_days() -> list[tuple[str, date]]:
    changed = [(zone, change.astimezone(ZoneInfo(zone)).date()) for zone, change in CHANGES]
    return [*changed, ("Asia/Kolkata", date(2026, 3, 29)), ("America/Sao_Paulo", date(2026, 11, 1))]


@pytest.mark.parametrize(("start", "end"), [("08:00", "18:00"), ("00:30", "04:15")])
@pytest.mark.parametrize(("zone", "day"), all_days())
def test_the_minimum_follows_the_local_clock(zone: str, day: date, start: str, end: str) -> None:
    window = {"name": "w", "days": DAYS, "start": start, "end": end}
    window |= {"min_copies": 2, "max_copies": 3}
    spec = a_spec(windows=[window], zone=zone)
    opens, closes = time.fromisoformat(start), time.fromisoformat(end)
    ahead = (DEFAULT_LEAD_TIME + TICK) // MINUTE
    info = ZoneInfo(zone)

    def is_open(moment: datetime) -> bool:
        return opens <= moment.astimezone(info).time() < closes

    wrong, two = [], 0
    for now in minutes_of(day, zone):
        awake = seen(desired_copies=2, observed_copies=2, last_active_at=now, phase_since=now)
        two += is_open(now)
        expected = 2 if any(is_open(now + n * MINUTE) for n in range(ahead + 1)) else 1
        got = decide(spec, awake, NOTHING, now).bounds.min_copies
        if got != expected:
            wrong.append((now.astimezone(info), got))
    assert wrong == []
    assert two > 60


@pytest.mark.parametrize(("zone", "change"), CHANGES)
@settings(max_examples=60, deadline=None)
@given(before=st.integers(1, 300), after=st.integers(0, 300))
def test_an_idle_time_over_a_change_is_as_long_as_it_was(
    zone: str, change: datetime, before: int, after: int
) -> None:
    began, ended = change - before * MINUTE, change + after * MINUTE
    info = ZoneInfo(zone)
    local = Pattern().with_gap(began.astimezone(info), ended.astimezone(info))
    plain = Pattern().with_gap(began, ended)
    assert local.gaps == plain.gaps
    expected, by_utc = (sum(t.expected for t in one.by_slot.values()) for one in (local, plain))
    # Not to the last digit: a slot that comes twice that night fades once more.
    assert expected == pytest.approx(by_utc, rel=0.1)


def look(phase: Phase, now: datetime, active: datetime, work: int = 0) -> Observation:
    copies = 1 if phase is Phase.AWAKE else 0
    return Observation(
        phase=phase,
        phase_since=active,
        desired_copies=copies,
        observed_copies=copies,
        bounds=Bounds(copies, 2),
        backlog=work,
        in_flight=float(work if copies else 0),
        last_active_at=active,
        seconds_per_request=5.0,
        arrivals_per_second=work / 60,
        usd_per_copy_hour=2.61,
    )


def taught(
    zone: str, clock: time, last: date, days: int = 14, weekdays: range = range(7)
) -> tuple[History, datetime]:
    """What was learned of requests at that local time on so many days up to `last`, if on those
    weekdays; and when the endpoint was at work last."""
    info, spec = ZoneInfo(zone), a_spec(zone=zone, scaling={"keep_alive": "learned"})
    history, active = NOTHING, datetime.combine(last - days * DAY, clock, info).astimezone(UTC)
    for back in range(days - 1, -1, -1):
        if (last - back * DAY).weekday() not in weekdays:
            continue
        came = datetime.combine(last - back * DAY, clock, info).astimezone(UTC)
        for minute in range(-60, 60):
            now = came + minute * MINUTE
            at_work = 0 <= minute <= 20
            active = now if at_work else active
            phase = Phase.AWAKE if 5 <= minute < 40 else Phase.ASLEEP
            history = learn(history, spec, look(phase, now, active, 20 * at_work), now)
    return history, active


def starts_ahead(zone: str, history: History, active: datetime, first: datetime) -> datetime | None:
    """The first minute of the next day at which it starts before anyone asks."""
    spec = a_spec(zone=zone, scaling={"keep_alive": "learned"})
    for minute in range(24 * 60):
        now = first + minute * MINUTE
        decision = decide(spec, look(Phase.ASLEEP, now, active), history, now)
        if decision.transition is Transition.WAKE:
            assert ReasonCode.PATTERN_AHEAD in codes(decision)
            return now
    return None


@pytest.mark.parametrize("clock", [time(8, 0), time(4, 30)])
@pytest.mark.parametrize(("zone", "day"), all_days())
def test_a_start_ahead_follows_the_local_clock(zone: str, day: date, clock: time) -> None:
    """Two weeks of requests at one local time; then the clocks change. The start comes before that
    time, as it did on the day before, not an hour off."""
    assert timedelta(0) < ahead_by(zone, day, clock) < timedelta(minutes=30)


@pytest.mark.parametrize(("zone", "change"), CHANGES)
def test_a_start_ahead_just_after_a_change_is_not_an_hour_early(
    zone: str, change: datetime
) -> None:
    """Requests at a time that the clock shows five minutes after the change, or would have shown
    had it not been set back: then they come an hour, or half of one, later."""
    info = ZoneInfo(zone)
    last = (change - MINUTE).astimezone(info).replace(tzinfo=None) + MINUTE
    first = change.astimezone(info).replace(tzinfo=None)
    clock = (max(last, first) + 5 * MINUTE).time()
    assert timedelta(0) < ahead_by(zone, first.date(), clock) < timedelta(minutes=20)


def ahead_by(zone: str, day: date, clock: time) -> timedelta:
    history, active = taught(zone, clock, day - DAY)
    asked = datetime.combine(day, clock, ZoneInfo(zone)).astimezone(UTC)
    started = starts_ahead(zone, history, active, active + timedelta(hours=12))
    assert started is not None
    return asked - started
