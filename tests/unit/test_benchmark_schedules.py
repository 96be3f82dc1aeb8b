"""The reckoning of benchmarks/money/schedules.py: it finds what is wrong, by as much as it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.money import schedules
from benchmarks.money.schedules import CASES, MINUTE, PEAK, Case, Declared, reckoned, year_of

KOLKATA = Case("Asia/Kolkata", 2026, 0, (PEAK,))
LORD_HOWE = next(case for case in CASES if case.zone == "Australia/Lord_Howe")


def later(declared: Declared, **changes: str) -> Declared:
    """The same rule with another file."""
    return replace(declared, document={**declared.document, **changes})


def test_a_schedule_that_keeps_to_its_file_has_nothing_outside_and_nothing_missing() -> None:
    found = year_of(KOLKATA, days=10)
    weekdays = 7  # of the first ten days; the first of them began at 05:30 there, before 08:00
    assert (found.inside, found.outside, found.missing) == (weekdays * 600, 0, 0)
    assert found.minutes == 14_400


@pytest.mark.parametrize(
    ("changes", "outside", "missing"),
    [
        ({"end": "18:01"}, 7, 0),
        ({"start": "08:03"}, 0, 21),
        ({"start": "07:59", "end": "17:58"}, 7, 14),
    ],
)
def test_minutes_that_are_wrong_are_counted(
    changes: dict[str, str], outside: int, missing: int
) -> None:
    found = year_of(replace(KOLKATA, windows=(later(PEAK, **changes),)), days=10)
    assert (found.outside, found.missing) == (outside, missing)


def test_the_zone_counts() -> None:
    """An hour's change of the clocks that the policy were not told of would be seen."""
    berlin = replace(KOLKATA, zone="Europe/Berlin")
    start = datetime(2026, 3, 27, tzinfo=UTC)
    expected, jumps = reckoned(berlin, start, 5 * 1440)
    opens = [start + int(n) * MINUTE for n in (expected >= 0).nonzero()[0] if expected[n - 1] < 0]
    assert jumps == 1
    assert [f"{moment:%d %H:%M}" for moment in opens] == ["27 07:00", "30 06:00", "31 06:00"]


def test_a_window_in_a_doubled_hour_is_open_from_the_first_start_to_the_last_end() -> None:
    """02:15-04:45 on 5 April 2026: 02:00 became 01:30 on Lord Howe Island."""
    start = datetime(2026, 4, 4, 15, 0, tzinfo=UTC) - timedelta(hours=2)
    expected, jumps = reckoned(replace(LORD_HOWE, windows=LORD_HOWE.windows[:1]), start, 8 * 60)
    inside = (expected >= 0).nonzero()[0]
    first, last = (start + int(inside[n]) * MINUTE for n in (0, -1))
    assert jumps == 1
    assert f"{first:%H:%M} {last:%H:%M}" == "15:45 18:14"


def test_capacity_that_comes_late_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look every five minutes by a policy that believes in one every minute is late."""
    case = replace(KOLKATA, windows=(PEAK,))
    assert schedules.lateness(case, 5).late_seconds == 0
    believed = schedules.Observation
    monkeypatch.setattr(
        schedules, "Observation", lambda **seen: believed(**{**seen, "tick": MINUTE})
    )
    late = schedules.lateness(case, 5)
    # The look 195 s before the opening is the first that sees it: ready 50 s after it.
    assert late.late_seconds == 50 * late.openings > 0


@pytest.mark.parametrize("model", schedules.UNMEASURED)
def test_of_a_model_whose_starts_were_never_measured_none_is_late(model: str) -> None:
    case = replace(KOLKATA, windows=(PEAK,))
    assert schedules.lateness(case, 1, schedules.UNMEASURED[model]).late_seconds == 0


def test_a_long_start_of_which_nothing_is_known_is_counted_as_late() -> None:
    """45 minutes, begun six before: the default and a tick."""
    case = replace(KOLKATA, windows=(PEAK,))
    late = schedules.lateness(case, 1, schedules.Starts(schedules.R1_LEAD, schedules.History()))
    three = 3 * late.openings  # each with ticks at three different seconds
    assert 0 < 39 * 60 * three <= late.late_seconds <= 40 * 60 * three
