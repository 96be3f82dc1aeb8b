"""Which schedules are refused with their dates, and what is only odd."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from autoscaler.policy.schedule_check import faults, oddities
from autoscaler.spec import EndpointSpec
from autoscaler.spec.schedule import MOST_WINDOWS
from tests.unit.policy_cases import EVERY_DAY, NOON, PEAK, WEEKDAYS, a_spec, rivals

BERLIN = {"calendar": "DE", "subdivision": "BE"}
LUNCH = {"name": "lunch", "days": ["wed"], "start": "12:00", "end": "13:00", "min_copies": 2}
WHOLE = {"name": "day", "start": "00:00", "end": "24:00", "min_copies": 1}
SKIPPED = {"name": "skipped", "start": "02:15", "end": "02:45", "min_copies": 1}
CLOSED = {**WHOLE, "name": "closed", "min_copies": 0, "max_copies": 0}


def with_windows(*windows: Any, calendar: Any = None) -> EndpointSpec:
    return a_spec(windows=windows, zone="Europe/Berlin", calendar=calendar)


FINE: list[tuple[EndpointSpec, str]] = [
    (with_windows(), "no window"),
    (with_windows(PEAK), "one"),
    (with_windows(LUNCH, PEAK), "a part of another that is listed first"),
    (with_windows({**LUNCH, "days": ["sat"]}, PEAK), "beside each other"),
    (
        with_windows({**SKIPPED, "dates": ["2027-03-28", "2027-03-29"]}),
        "skipped on one of two days",
    ),
    (with_windows({**WHOLE, "dates": ["02-29"]}), "once in four years"),
    (with_windows({**WHOLE, "dates": ["2026-05-13"]}), "today"),
    (with_windows(PEAK, {**LUNCH, "end": "18:30"}), "half hidden"),
    (with_windows({**CLOSED, "days": WEEKDAYS}), "closed but for weekends"),
    (with_windows(PEAK, {**CLOSED, "days": EVERY_DAY}), "closed but for peaks"),
    (with_windows({**PEAK, "min_copies": 0}, {**PEAK, "name": "b", "days": ["sat"]}), "other days"),
]


@pytest.mark.parametrize("spec", [case[0] for case in FINE], ids=[case[1] for case in FINE])
def test_what_opens_sometimes_is_accepted(spec: EndpointSpec) -> None:
    assert list(faults(spec, NOON)) == []


REFUSED: list[tuple[EndpointSpec, str]] = [
    (
        with_windows(PEAK, LUNCH),
        "schedule.windows.lunch: never wins: 'peak', listed before it, hides it on 2026-05-20 "
        "12:00-13:00, and it is hidden at all other times until 2031-05-07 too; list it first, or "
        "take it out",
    ),
    (
        with_windows(PEAK, {**PEAK, "name": "again"}),
        "schedule.windows.again: means the same as 'peak', which is listed before it and so wins "
        "whenever it is open (next on 2026-05-13 14:00-18:00); take one of the two out",
    ),
    (
        with_windows(
            {**WHOLE, "name": "a", "days": ["wed", "thu"], "start": "06:00"},
            {**WHOLE, "name": "b", "days": ["wed"], "end": "07:00"},
            {**WHOLE, "name": "c", "days": ["wed"], "min_copies": 0},
        ),
        "schedule.windows.c: never wins: 'a', listed before it, hides it on 2026-05-13 "
        "14:00-24:00, and it is hidden at all other times until 2031-05-07 too; list it first, or "
        "take it out",
    ),
    (
        with_windows({**WHOLE, "dates": ["2025-12-24..2026-01-02", "2026-05-11"]}),
        "schedule.windows.day: all of its dates are over, the last on 2026-05-11; give it dates "
        "to come, write 05-11 for every year, or take it out",
    ),
    (
        with_windows({**WHOLE, "dates": ["12-24"], "holidays": "only"}, calendar=BERLIN),
        "schedule.windows.day: is not open once from 2026-05-13 to 2031-05-13, with `holidays: "
        "only`; name other days, or take it out",
    ),
    (
        with_windows({**SKIPPED, "dates": ["2027-03-28"]}),
        "schedule.windows.skipped: does not open on 2027-03-28: clocks go from 02:00 to 03:00 on "
        "2027-03-28, and it names no other day to come; name other days or hours, or take it out",
    ),
    (
        with_windows({**SKIPPED, "dates": ["2026-05-13", "2027-03-28", "2028-03-26"]}),
        "schedule.windows.skipped: does not open on 2027-03-28: clocks go from 02:00 to 03:00 on "
        "2027-03-28 and does not open on 2028-03-26: clocks go from 02:00 to 03:00 on 2028-03-26, "
        "and it names no other day to come; name other days or hours, or take it out",
    ),
    (
        with_windows({**SKIPPED, "dates": ["2026-05-13"]}),  # over since this morning
        "schedule.windows.skipped: is not open once from 2026-05-13 to 2031-05-13; name other days",
    ),
    (
        with_windows({**CLOSED, "days": EVERY_DAY}),
        "schedule.windows: closed all the year from 2026-05-13 (max_copies 0 at all times), so "
        "that no request is ever answered; leave a time of the day without such a window, or use "
        "`autoscaler delete` or `autoscaler stop` for what shall not run",
    ),
    (
        with_windows(
            {**CLOSED, "name": "days", "start": "06:00", "end": "22:00", "dates": ["01-01..12-31"]},
            {**CLOSED, "name": "nights", "start": "22:00", "end": "06:00", "days": EVERY_DAY},
        ),
        "schedule.windows: closed all the year from 2026-05-13 (max_copies 0 at all times)",
    ),
    (
        with_windows({**WHOLE, "holidays": "only"}, calendar={"calendar": "DD"}),
        "schedule.holidays.calendar: there is no calendar 'DD'; name a country: did you mean",
    ),
    (
        with_windows({**WHOLE, "holidays": "only"}, calendar={**BERLIN, "subdivision": "QQ"}),
        "schedule.holidays.subdivision: DE has no part 'QQ'; its parts are BB, BE,",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "problem"), REFUSED)
def test_what_never_matters_is_refused_with_its_dates(spec: EndpointSpec, problem: str) -> None:
    (found,) = faults(spec, NOON)
    assert found.startswith(problem)


ODD: list[tuple[EndpointSpec, list[str]]] = [
    (with_windows({**PEAK, "days": ["tue"]}), []),
    (
        with_windows({**LUNCH, "days": ["sat"]}, {**PEAK, "days": ["fri", "sat"]}),
        ["lunch: listed first, it wins where it overlaps 'peak' (next on 2026-05-16 12:00-13:00)"],
    ),
    (
        with_windows({**PEAK, "days": ["sun"], "start": "02:30", "end": "05:00"}),
        [
            "peak: is 1h longer on 2026-10-25: clocks go from 03:00 to 02:00 on 2026-10-25",
            "peak: is 30m shorter on 2027-03-28: clocks go from 02:00 to 03:00 on 2027-03-28",
        ],
    ),
    (
        with_windows({**PEAK, "days": ["sun"], "start": "02:15", "end": "02:45"}),
        [
            "peak: is 1h longer on 2026-10-25: clocks go from 03:00 to 02:00 on 2026-10-25",
            "peak: does not open on 2027-03-28: clocks go from 02:00 to 03:00 on 2027-03-28",
        ],
    ),
    (
        with_windows({**PEAK, "days": ["sat"], "start": "22:00", "end": "06:00"}),
        [
            "peak: is 1h longer on 2026-10-24: clocks go from 03:00 to 02:00 on 2026-10-25",
            "peak: is 1h shorter on 2027-03-27: clocks go from 02:00 to 03:00 on 2027-03-28",
        ],
    ),
    (
        with_windows({**PEAK, "days": ["tue"], "dates": ["2026-01-02", "2026-06-01"]}),
        ["peak: 2026-01-02 is over; take it out"],
    ),
    (
        with_windows({**PEAK, "days": ["tue"], "min_copies": 0, "max_copies": 2}),
        [
            "peak: changes nothing: on 2026-05-19 08:00-18:00, and at all other times, the same "
            "holds without it"
        ],
    ),
]


@pytest.mark.parametrize(("spec", "expected"), ODD)
def test_what_is_odd_is_said(spec: EndpointSpec, expected: list[str]) -> None:
    assert list(oddities(spec, NOON)) == [f"schedule.windows.{text}" for text in expected]


def test_a_calendar_that_nobody_asks_is_odd() -> None:
    (text,) = oddities(with_windows({**PEAK, "days": WEEKDAYS}, calendar=BERLIN), NOON)
    assert text.startswith("schedule.holidays: no window asks for them")


def test_a_window_that_keeps_another_out_has_an_effect() -> None:
    quiet = {**LUNCH, "name": "quiet", "min_copies": 0}
    found = list(oddities(with_windows(quiet, PEAK), NOON))
    assert [text for text in found if "changes nothing" in text] == []


def test_as_many_windows_as_a_file_may_have_are_looked_at_together() -> None:
    """Each listed pair by pair, over a year by the window, it took hours; nothing is timed here."""
    minutes = [divmod(3 * n, 60) for n in range(MOST_WINDOWS + 1)]
    clocks = [f"{hour:02}:{minute:02}" for hour, minute in minutes]
    listed = [
        {"name": f"w{n}", "days": WEEKDAYS, "start": start, "end": end, "min_copies": n % 2}
        for n, (start, end) in enumerate(pairwise(clocks))
    ]
    spec = with_windows(*listed)
    assert list(faults(spec, NOON)) == []
    assert list(oddities(spec, NOON)) == [
        f"schedule.windows.w{n}: changes nothing: on {_first_day(n)} {clocks[n]}-{clocks[n + 1]}, "
        "and at all other times, the same holds without it"
        for n in range(0, 40, 2)
    ] + ["schedule.windows: and 180 more like the last"]


def _first_day(number: int) -> str:
    """It is 14:00 in Berlin: what closed before opens tomorrow."""
    return "2026-05-13" if 3 * (number + 1) > 14 * 60 else "2026-05-14"


def test_of_a_few_rivals_each_is_named_with_its_date() -> None:
    found = list(oddities(with_windows(*rivals(6)), NOON))
    assert len(found) == 5
    for winner, text in enumerate(found):
        assert text.startswith(f"schedule.windows.a-window-with-a-long-name-{winner:03}: listed")
        for loser in range(winner + 1, 6):
            assert f"'a-window-with-a-long-name-{loser:03}' (next on 2026-05-1" in text
        assert "more" not in text


def test_what_400_rivals_say_of_each_other_fits_into_an_answer() -> None:
    """A sentence for each pair was 7.6 MB, and a Lambda answers 6 MB at most."""
    spec = with_windows(*rivals(MOST_WINDOWS))
    found = list(oddities(spec, NOON))
    assert len(found) == 21
    assert "it wins where it overlaps 399 others: 'a-window-with-a-long-name-001' (next" in found[0]
    assert found[0].endswith(" and 394 more")
    assert found[-1] == "schedule.windows: and 379 more like the last"
    assert len(json.dumps(found)) < 30_000


def test_what_is_wrong_with_400_windows_fits_into_an_answer() -> None:
    """Each is hidden by all before it, and would name them."""
    spec = with_windows(*reversed(rivals(MOST_WINDOWS)))
    found = list(faults(spec, NOON))
    assert len(found) == 21
    assert "'a-window-with-a-long-name-395' and 15 more, listed before it, hides" in found[19]
    assert found[-1] == "schedule.windows: and 379 more like the last"
    assert len(json.dumps(found)) < 30_000
