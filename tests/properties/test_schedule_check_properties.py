"""What is said of a schedule as a whole is what a reckoning of every minute says.

1. `faults` and `oddities`, over five years and one, word for word and in their order.
2. The days on which windows open, of all at once, are those of each asked alone.
3. The hours that a forecast takes as known are those of every minute.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.policy import Hold, bounds_at
from autoscaler.policy.forecast import asked_for
from autoscaler.policy.opening_days import OpeningDays
from autoscaler.policy.schedule_check import faults, oddities
from autoscaler.spec import EndpointSpec
from tests.properties.policy_strategies import ZONES, specs
from tests.properties.schedule_reckoning import Reckoning
from tests.properties.test_schedule_days_properties import (
    CALENDARS,
    DATES,
    DAY,
    dated_windows,
    moments,
    schedules,
)
from tests.unit.policy_cases import NOON, WEEKDAYS, a_spec

MORE_DATES = [*DATES, "02-20..02-29", "02-29..03-02", "11-01..03-31", "2025-12-30..2026-01-04"]
# Around the changes of the clocks, and of whole days.
TIMES = [("02:15", "02:45"), ("02:30", "05:00"), ("22:00", "02:30"), ("00:00", "24:00")]
MINUTE = timedelta(minutes=1)


@st.composite
def rivals(draw: st.DrawFn, zone: str) -> EndpointSpec:
    """Windows that are likely to meet, to hide each other, and to mean the same."""
    listed: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 3))):
        window = draw(dated_windows(number))
        window["min_copies"], window["max_copies"] = draw(st.integers(0, 1)), None
        if draw(st.booleans()):
            window["start"], window["end"] = draw(st.sampled_from(TIMES))
        if draw(st.booleans()):
            window["dates"] = draw(st.lists(st.sampled_from(MORE_DATES), max_size=3, unique=True))
            window["dates"] = window["dates"] or None
        listed.append(window)
    for number in range(draw(st.integers(0, 2))):
        changes = draw(
            st.sampled_from([{}, {"min_copies": 2}, {"end": "23:45"}, {"days": WEEKDAYS}])
        )
        listed.append({**draw(st.sampled_from(listed)), "name": f"again{number}", **changes})
    document = a_spec(zone=zone).model_dump(mode="json")
    calendar = draw(st.sampled_from(CALENDARS))
    document["schedule"] |= {"windows": draw(st.permutations(listed)), "holidays": calendar}
    return EndpointSpec.model_validate(document)


def compared(spec: EndpointSpec, now: datetime) -> list[str]:
    reckoned = Reckoning(spec.model_dump(mode="json"), now)
    wrong, odd = list(faults(spec, now)), list(oddities(spec, now))
    assert wrong == list(reckoned.faults())
    assert odd == list(reckoned.oddities())
    return wrong + odd


@pytest.mark.parametrize("zone", ZONES)
@settings(deadline=None, max_examples=10)
@given(data=st.data(), now=moments)
def test_what_is_said_is_what_every_minute_says(
    zone: str, data: st.DataObject, now: datetime
) -> None:
    compared(data.draw(rivals(zone)), now)


WHOLE = {"start": "00:00", "end": "24:00", "min_copies": 1}
MONDAYS = {**WHOLE, "days": ["first mon"], "min_copies": 0}
SAID_OF: list[tuple[list[dict[str, Any]], list[str]]] = [
    (
        [
            {**WHOLE, "name": "gone", "dates": ["2026-01-02"]},
            {**WHOLE, "name": "closed", "holidays": "only"},
            {**WHOLE, "name": "eve", "holidays": "only", "dates": ["12-24"]},
            {**WHOLE, "name": "half", "dates": ["2026-01-02", "08-01..08-09"]},
            {"name": "skipped", "days": ["sun"], "start": "02:15", "end": "02:45"},
            {**WHOLE, "name": "always", "days": [*WEEKDAYS, "sat", "sun"]},
            {**MONDAYS, "name": "hidden"},
            {**MONDAYS, "name": "twin"},
        ],
        [
            "gone: all of its dates are over",
            "eve: is not open once",
            "half: 2026-01-02 is over",
            "skipped: does not open on",
            "skipped: listed first, it wins where it overlaps 'always'",
            "hidden: never wins: 'always'",
            "twin: means the same as 'hidden'",
        ],
    ),
    (
        [{"name": "night", "days": ["sat"], "start": "22:00", "end": "06:00"}],
        [
            "no window asks for them",
            "night: changes nothing",
            "night: is 1h longer",
            "night: is 1h shorter",
        ],
    ),
]


@pytest.mark.parametrize(("listed", "parts"), SAID_OF)
def test_the_reckoning_has_each_sentence_to_say(
    listed: list[dict[str, Any]], parts: list[str]
) -> None:
    """A case of each, so that the comparison above is one of something."""
    said = compared(a_spec(windows=listed, zone="Europe/Berlin", calendar=CALENDARS[0]), NOON)
    for part in parts:
        assert [text for text in said if part in text], part


def test_what_is_open_at_a_moment_between_minutes_is_told_from_then_on() -> None:
    """Between two minutes too a schedule is looked at: by second and microsecond."""
    window = {"name": "w", "days": ["wed"], "start": "11:00", "end": "12:01", "min_copies": 0}
    now = NOON + timedelta(seconds=59, microseconds=999_999)
    (text,) = oddities(a_spec(windows=[window]), now)
    assert "on 2026-05-13 12:00-12:01" in text
    (text,) = oddities(a_spec(windows=[window]), now + timedelta(microseconds=1))
    assert "on 2026-05-20 11:00-12:01" in text


@settings(deadline=None, max_examples=60)
@given(schedules(), st.lists(st.sampled_from(MORE_DATES), unique=True), st.integers(0, 2200))
def test_all_windows_open_on_the_days_on_which_each_does(
    spec: EndpointSpec, dates: list[str], after: int
) -> None:
    document = spec.model_dump(mode="json")
    for window in document["schedule"]["windows"]:
        window["dates"] = dates or window["dates"]
    schedule = EndpointSpec.model_validate(document).schedule
    first = date(2023, 1, 1) + after * DAY
    opening = OpeningDays(schedule, first, 430)
    for window in schedule.windows:
        alone = [n for n in range(430) if schedule.opens(window, first + n * DAY)]
        assert opening.of(window) == alone


@settings(deadline=None, max_examples=40)
@given(specs() | schedules(), moments, st.integers(0, 2 * 1440), st.data())
def test_the_hours_that_are_known_are_those_of_every_minute(
    spec: EndpointSpec, start: datetime, minutes: int, data: st.DataObject
) -> None:
    until = start + timedelta(minutes=data.draw(st.integers(-60, 2 * 1440)))
    hold = data.draw(st.none() | st.builds(Hold, st.just(until), st.integers(0, 4), st.just("a"),
                                           st.just("b")))  # fmt: skip
    expected: dict[date, int] = {}
    for n in range(minutes):
        moment = start + n * MINUTE
        copies = bounds_at(spec, moment).min_copies
        if hold is not None and moment < hold.until:
            copies = max(copies, hold.min_copies)
        expected[moment.date()] = expected.get(moment.date(), 0) + copies
    found = asked_for(spec, hold, start, start + minutes * MINUTE)
    assert {day: round(hours * 60, 9) for day, hours in found.items()} == {
        day: Decimal(copies) for day, copies in expected.items()
    }
