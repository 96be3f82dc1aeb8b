"""What holds of every schedule with dates, nth days and holidays, laid out over time.

1. The stretches agree with `bounds_at` at every minute; no minute is in two of them, and none in
   none.
2. Who wins is the first listed that is open; those beneath are open too.
3. Holidays change the days on which they fall (and a night that begins on one), and nothing else.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.policy import bounds_at, edges_between, next_edge
from autoscaler.policy.laid import laid_out, to_moment
from autoscaler.policy.schedule import LONG_HORIZON, zone_of
from autoscaler.policy.stretches import clock_changes, stretches
from autoscaler.spec import EndpointSpec, Window
from tests.properties.policy_strategies import ZONES, windows
from tests.unit.policy_cases import a_spec

DAY = timedelta(days=1)
CALENDARS: list[dict[str, str]] = [{"calendar": "DE", "subdivision": "BE"}, {"calendar": "IN"}]
NTH = [f"{n} {day}" for n in ("first", "second", "fourth", "last") for day in ("mon", "sun")]
DATES = ["12-24..01-02", "03-28..03-30", "2026-10-25", "02-29", "2026-04-05..2026-04-12", "10-04"]
moments = st.integers(0, 366 * 24 * 60).map(
    lambda minute: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
)


@st.composite
def dated_windows(draw: st.DrawFn, number: int) -> dict[str, Any]:
    window: dict[str, Any] = draw(windows(number, max_copies=2))
    if draw(st.booleans()):
        window["days"] = draw(st.lists(st.sampled_from(NTH), min_size=1, unique=True))
    if draw(st.booleans()):
        window["dates"] = draw(st.lists(st.sampled_from(DATES), min_size=1, unique=True))
    if draw(st.booleans()):
        window |= {"start": "00:00", "end": "24:00"}
    window["holidays"] = draw(st.sampled_from([None, None, "only", "except", "also"]))
    return window


def with_calendar(spec: EndpointSpec, calendar: dict[str, str]) -> EndpointSpec:
    document = spec.model_dump(mode="json")
    document["schedule"]["holidays"] = calendar
    return EndpointSpec.model_validate(document)


@st.composite
def schedules(draw: st.DrawFn) -> EndpointSpec:
    document = a_spec(zone=draw(st.sampled_from([None, *ZONES]))).model_dump(mode="json")
    listed = [draw(dated_windows(number)) for number in range(draw(st.integers(0, 3)))]
    document["schedule"] |= {"windows": listed, "holidays": draw(st.sampled_from(CALENDARS))}
    return EndpointSpec.model_validate(document)


@settings(deadline=None, max_examples=60)
@given(schedules(), moments, st.integers(1, 4))
def test_stretches_agree_with_the_bounds_of_every_minute(
    spec: EndpointSpec, start: datetime, days: int
) -> None:
    end = start + days * DAY
    laid = stretches(spec, start, end)
    assert (laid[0].start, laid[-1].end) == (start, end)
    assert all(a.end == b.start for a, b in pairwise(laid))
    assert all(a.bounds != b.bounds for a, b in pairwise(laid))
    number = 0
    for minute in range(int((end - start).total_seconds() // 60)):
        moment = start + timedelta(minutes=minute)
        if moment >= laid[number].end:
            number += 1
        assert bounds_at(spec, moment) == laid[number].bounds


def alone(
    spec: EndpointSpec, window: Window, start: datetime, end: datetime
) -> list[tuple[datetime, datetime]]:
    """The times in [start, end) in which a window is open, whatever the others are."""
    (turns,) = laid_out(spec.schedule, zone_of(spec), [window], start, end).turns
    return list(zip(map(to_moment, turns[::2]), map(to_moment, turns[1::2]), strict=True))


@settings(deadline=None, max_examples=60)
@given(schedules(), moments)
def test_the_first_listed_wins_and_those_beneath_are_open_too(
    spec: EndpointSpec, start: datetime
) -> None:
    end = start + 3 * DAY
    listed = [window.name for window in spec.schedule.windows]
    spans = {w.name: alone(spec, w, start, end) for w in spec.schedule.windows}
    for one in stretches(spec, start, end):
        meeting = [n for n in listed if any(a < one.end and one.start < b for a, b in spans[n])]
        winner = one.bounds.name
        assert tuple(name for name in meeting if name != winner) == one.beneath
        for moment in (one.start, one.end - timedelta(seconds=1)):
            open_now = [n for n in listed if any(a <= moment < b for a, b in spans[n])]
            assert winner == (open_now[0] if open_now else None)


@settings(deadline=None, max_examples=60)
@given(schedules(), moments)
def test_the_next_edge_is_the_first_of_all(spec: EndpointSpec, moment: datetime) -> None:
    within = timedelta(days=40)
    edges = edges_between(spec, moment, moment + within)
    assert next_edge(spec, moment, within) == (edges[0] if edges else None)


def test_what_comes_once_a_year_is_a_next_edge() -> None:
    christmas = {"name": "w", "dates": ["12-24"], "start": "00:00", "end": "24:00", "min_copies": 1}
    moment = datetime(2026, 12, 25, tzinfo=UTC)
    edge = next_edge(a_spec(windows=[christmas]), moment)
    assert edge == datetime(2027, 12, 24, tzinfo=UTC)
    assert edge - moment < LONG_HORIZON


@settings(deadline=None, max_examples=40)
@given(schedules(), st.integers(0, 360))
def test_holidays_change_their_own_days_alone(spec: EndpointSpec, number: int) -> None:
    """Against a calendar without any: what differs is on a holiday, or in the night after it."""
    none = with_calendar(spec, {"calendar": "XX"})
    zone = ZoneInfo(spec.schedule.time_zone or "UTC")
    start = datetime(2026, 1, 1, tzinfo=UTC) + number * DAY
    for quarter in range(5 * 96):
        moment = start + timedelta(minutes=15 * quarter)
        if bounds_at(spec, moment) != bounds_at(none, moment):
            today = moment.astimezone(zone).date()
            near = (today, today - DAY, today - 2 * DAY)
            assert any(spec.schedule.holiday(day) for day in near)


def test_the_clock_changes_are_found_to_the_second() -> None:
    start, end = datetime(2018, 1, 1, 0, 0, 0, 5, tzinfo=UTC), datetime(2019, 1, 1, tzinfo=UTC)
    found = {
        zone: [f"{c.at:%m-%d %H:%M:%S} {c.moved_by.total_seconds():+.0f}" for c in changes]
        for zone in ZONES
        if (changes := clock_changes(a_spec(zone=zone), start, end)) is not None
    }
    assert found == {
        "America/New_York": ["03-11 07:00:00 +3600", "11-04 06:00:00 -3600"],
        "Europe/Berlin": ["03-25 01:00:00 +3600", "10-28 01:00:00 -3600"],
        "Asia/Kolkata": [],
        "Australia/Lord_Howe": ["03-31 15:00:00 -1800", "10-06 15:30:00 +1800"],
        "America/Sao_Paulo": ["02-18 02:00:00 -3600", "11-04 03:00:00 +3600"],
    }
