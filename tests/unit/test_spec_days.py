"""The days that a window names: of the week, of the month, dates, holidays."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, time, timedelta
from typing import Any

import pytest
import yaml

from autoscaler.spec import EndpointSpec, SpecError, Window, parse_spec
from tests.unit.policy_cases import a_spec

WHOLE = {"start": "00:00", "end": "24:00"}
BERLIN = {"calendar": "DE", "subdivision": "BE"}


def scheduled(calendar: dict[str, str] | None = None, **window: Any) -> EndpointSpec:
    document = a_spec().model_dump(mode="json")
    schedule = {"windows": [{"name": "w", **WHOLE, **window}]}
    if calendar:
        schedule["holidays"] = calendar
    return parse_spec({**document, "schedule": schedule})


def days_of(spec: EndpointSpec, year: int) -> list[str]:
    """The days of a year on which its window opens."""
    (window,) = spec.schedule.windows
    first = date(year, 1, 1)
    days = (first + timedelta(days=n) for n in range(366))
    return [f"{d:%m-%d}" for d in days if d.year == year and spec.schedule.opens(window, d)]


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({"days": ["first mon"]}, "01-05 02-02 03-02 04-06 05-04 06-01"),
        ({"days": ["last fri"]}, "01-30 02-27 03-27 04-24 05-29 06-26"),
        ({"days": ["fourth thu"]}, "01-22 02-26 03-26 04-23 05-28 06-25"),
        ({"dates": ["2026-12-24"]}, "12-24"),
        ({"dates": [date(2026, 12, 24)]}, "12-24"),  # as YAML reads it without quotes
        ({"dates": ["2025-12-24..2026-01-02"]}, "01-01 01-02"),
        ({"dates": ["12-30..01-02"]}, "01-01 01-02 12-30 12-31"),
        ({"dates": ["12-24", "05-01"]}, "05-01 12-24"),
        ({"dates": ["02-29"]}, ""),  # no leap year
        ({"dates": ["07-07"], "days": ["first mon"]}, "01-05 02-02 03-02 04-06 05-04 06-01 07-06"),
    ],
)
def test_a_window_opens_on_the_days_that_it_names(named: dict[str, Any], expected: str) -> None:
    found = days_of(scheduled(**named), 2026)
    assert found[: len(expected.split())] == expected.split()


def test_29_february_comes_in_leap_years() -> None:
    assert days_of(scheduled(dates=["02-29"]), 2028) == ["02-29"]


HOLIDAYS_2026 = [
    *("01-01", "03-08", "04-03", "04-06", "05-01", "05-14", "05-25", "10-03", "12-25", "12-26")
]


class TestHolidays:
    def test_only_is_every_holiday_of_the_calendar(self) -> None:
        assert days_of(scheduled(BERLIN, holidays="only"), 2026) == HOLIDAYS_2026

    def test_another_part_of_the_country_has_others(self) -> None:
        saxony = {**BERLIN, "subdivision": "SN"}
        found = set(days_of(scheduled(saxony, holidays="only"), 2026))
        assert found - set(HOLIDAYS_2026) == {"10-31", "11-18"}
        assert set(HOLIDAYS_2026) - found == {"03-08"}

    def test_only_with_days_is_those_of_them_that_are_holidays(self) -> None:
        mondays = scheduled(BERLIN, days=["mon"], holidays="only")
        assert days_of(mondays, 2026) == ["04-06", "05-25"]

    def test_except_takes_them_out_and_also_adds_them(self) -> None:
        plain = set(days_of(scheduled(days=["mon", "fri"]), 2026))
        without = set(days_of(scheduled(BERLIN, days=["mon", "fri"], holidays="except"), 2026))
        more = set(days_of(scheduled(BERLIN, days=["mon", "fri"], holidays="also"), 2026))
        assert plain - without == plain & set(HOLIDAYS_2026)
        assert more == plain | set(HOLIDAYS_2026)

    def test_a_calendar_that_a_newer_library_lost_has_none(self) -> None:
        assert days_of(scheduled({"calendar": "XX"}, holidays="only"), 2026) == []

    def test_the_library_is_not_imported_for_a_schedule_without_holidays(self) -> None:
        code = (
            "import sys, datetime\n"
            "from tests.unit.test_spec_days import scheduled, days_of\n"
            "from autoscaler.policy import bounds_at\n"
            "spec = scheduled({'calendar': 'DE'}, days=['mon'])\n"
            "days_of(spec, 2026)\n"
            "bounds_at(spec, datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))\n"
            "assert 'holidays' not in sys.modules\n"
            "days_of(scheduled({'calendar': 'DE'}, holidays='only'), 2026)\n"
            "assert 'holidays' in sys.modules\n"
        )
        path = [".", "layers/autoscaler"]
        environment = {"PYTHONPATH": ":".join(path), "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=60)


def test_a_whole_day_is_one_window() -> None:
    window = scheduled(days=["mon"]).schedule.windows[0]
    assert (window.start, window.end) == (time(0), time.max)
    again = Window.model_validate_json(window.model_dump_json())
    assert again == window
    assert '"end":"24:00"' in window.model_dump_json()


@pytest.mark.parametrize("written", ["24:00", '"24:00"'])  # the first is YAML's number 1440
def test_midnight_is_an_end(written: str) -> None:
    end = yaml.safe_load(f"end: {written}")["end"]
    assert scheduled(days=["mon"], start="18:00", end=end).schedule.windows[0].end == time.max


@pytest.mark.parametrize(
    "named",
    [
        {"days": ["mon", "last fri"]},
        {"dates": ["2026-12-24", "2026-12-24..2027-01-02", "12-24", "12-24..01-02"]},
        {"days": ["sat"], "holidays": "also"},
    ],
)
def test_what_is_stored_is_read_back(named: dict[str, Any]) -> None:
    spec = scheduled(BERLIN, **named)
    assert EndpointSpec.model_validate_json(spec.model_dump_json()) == spec
    assert parse_spec(spec.model_dump(mode="json")) == spec


def test_a_window_that_was_stored_before_there_were_dates_is_read() -> None:
    old = '{"name": "peak", "days": ["mon"], "start": "08:00", "end": "18:00", "min_copies": 1}'
    assert Window.model_validate_json(old).dates is None


DAY = (
    "is not a day: write mon, tue, wed, thu, fri, sat or sun, or one of each month: first mon, "
    "second tue, third wed, fourth thu, last fri"
)
DATE = (
    "is not a date: write 2026-12-24, from and to as 2026-12-24..2027-01-02, or 12-24 for every "
    "year"
)
NO_DAY = ": window 'w' names no day: give it `days`, `dates`, or `holidays: only`"


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ({}, NO_DAY),
        ({"days": ["fifth mon"]}, f".days: 'fifth mon' {DAY}"),
        ({"days": ["first month"]}, f".days: 'first month' {DAY}"),
        ({"days": [["mon"]]}, f".days: ['mon'] {DAY}"),
        ({"days": [1]}, f".days: 1 {DAY}"),
        ({"days": ["last fri", "last fri"]}, ".days: a day is listed twice"),
        ({"dates": ["2026-02-30"]}, f".dates: '2026-02-30' {DATE}"),
        ({"dates": ["24.12."]}, f".dates: '24.12.' {DATE}"),
        ({"dates": ["2026-12-24..12-26"]}, f".dates: '2026-12-24..12-26' {DATE}"),
        ({"dates": ["12-24..12-25..12-26"]}, f".dates: '12-24..12-25..12-26' {DATE}"),
        ({"dates": [True]}, f".dates: True {DATE}"),
        (
            {"dates": ["2027-01-02..2026-12-24"]},
            ".dates: 2027-01-02..2026-12-24 ends before it begins: write 2026-12-24..2027-01-02",
        ),
        ({"dates": ["12-24", "12-24"]}, ".dates: a date is listed twice"),
        (
            {"days": ["mon"], "holidays": "never"},
            ".holidays: 'never' is not one of 'only', 'except' or 'also'",
        ),
        ({"holidays": "also"}, NO_DAY),
    ],
)  # fmt: skip
def test_what_names_no_day_is_refused(named: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError) as refused:
        scheduled(BERLIN, **named)
    assert refused.value.problems == [f"schedule.windows.w{problem}"]


@pytest.mark.parametrize(
    ("calendar", "problem"),
    [
        (
            None,
            "schedule: window 'w' asks for holidays, and no calendar says which days those are: "
            "add `holidays: {calendar: DE}` to the schedule",
        ),
        (
            {"calendar": "Germany"},
            "schedule.holidays.calendar: 'Germany' is not a country: write its ISO 3166 code in "
            "capitals, such as DE",
        ),
        ({"calendar": False}, "schedule.holidays.calendar: False is not a text: put it in quotes"),
    ],
)  # NO, unquoted, is false in YAML
def test_a_calendar_that_cannot_be_is_refused(calendar: Any, problem: str) -> None:
    with pytest.raises(SpecError) as refused:
        scheduled(calendar, holidays="only")
    assert refused.value.problems == [problem]
