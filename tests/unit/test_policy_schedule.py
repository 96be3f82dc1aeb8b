"""The schedule, read from the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from autoscaler.policy import bounds_at, edges_between, next_edge
from autoscaler.spec import EndpointSpec
from tests.unit.policy_cases import NOON, PEAK, a_spec

EVERY_DAY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def window(start: str, end: str, **changes: object) -> dict[str, object]:
    return {"name": "w", "days": EVERY_DAY, "start": start, "end": end, "min_copies": 1, **changes}


def open_at(spec: EndpointSpec, local: str, fold: int = 0) -> str | None:
    zone = ZoneInfo(spec.schedule.time_zone or "UTC")
    return bounds_at(spec, datetime.fromisoformat(local).replace(tzinfo=zone, fold=fold)).name


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("2026-05-13 07:59:59", None),
        ("2026-05-13 08:00", "peak"),
        ("2026-05-13 17:59:59", "peak"),
        ("2026-05-13 18:00", None),
        ("2026-05-16 12:00", None),  # a Saturday
        ("2026-01-14 08:00", "peak"),  # winter time
    ],
)
def test_a_window_is_open_from_its_start_until_before_its_end(
    local: str, expected: str | None
) -> None:
    assert open_at(a_spec(windows=[PEAK], zone="Europe/Berlin"), local) == expected


def test_outside_all_windows_the_spec_itself_gives_the_bounds() -> None:
    spec = a_spec(windows=[PEAK], scaling={"keep_alive": "7m"})
    bounds = bounds_at(spec, NOON.replace(hour=19))
    assert (bounds.name, bounds.min_copies, bounds.max_copies) == (None, 0, 2)
    assert bounds.keep_alive == timedelta(minutes=7)


def test_a_window_takes_what_it_does_not_say_from_the_spec() -> None:
    quiet = window("00:00", "23:00", min_copies=0, keep_alive="2m")
    bounds = bounds_at(a_spec(windows=[quiet]), NOON)
    assert (bounds.max_copies, bounds.keep_alive) == (2, timedelta(minutes=2))


def test_the_first_listed_window_wins() -> None:
    lunch = window("12:00", "13:00", name="lunch")
    assert open_at(a_spec(windows=[lunch, PEAK]), "2026-05-13 12:30") == "lunch"
    assert open_at(a_spec(windows=[PEAK, lunch]), "2026-05-13 12:30") == "peak"


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("2026-05-15 21:59", None),
        ("2026-05-15 22:00", "w"),  # Friday night
        ("2026-05-16 05:59", "w"),  # still Friday's
        ("2026-05-16 06:00", None),
        ("2026-05-16 22:00", None),  # Saturday is not named
        ("2026-05-15 05:00", None),  # nor is Thursday night
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_it_starts_on(
    local: str, expected: str | None
) -> None:
    assert open_at(a_spec(windows=[window("22:00", "06:00", days=["fri"])]), local) == expected


def test_without_a_time_zone_times_are_utc() -> None:
    assert bounds_at(a_spec(windows=[PEAK]), datetime(2026, 5, 13, 8, 0, tzinfo=UTC)).name == "peak"


@pytest.mark.parametrize("call", [bounds_at, next_edge])
def test_naive_moments_are_refused(call: object) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        call(a_spec(), datetime(2026, 5, 13, 8, 0))  # type: ignore[operator]


class TestClockChanges:
    """New York 2026: 8 March 02:00 becomes 03:00; 1 November 02:00 becomes 01:00."""

    @staticmethod
    def spans(start: str, end: str, day: str) -> list[str]:
        spec = a_spec(windows=[window(start, end)], zone="America/New_York")
        zone = ZoneInfo("America/New_York")
        midnight = datetime.fromisoformat(day).replace(tzinfo=zone)
        edges = edges_between(spec, midnight, midnight + timedelta(days=1) - timedelta(minutes=1))
        return [edge.astimezone(zone).strftime("%H:%M %Z") for edge in edges]

    @pytest.mark.parametrize(
        ("start", "end", "expected"),
        [
            ("02:30", "03:30", ["03:00 EDT", "03:30 EDT"]),  # starts in the skipped hour
            ("01:30", "02:30", ["01:30 EST", "03:00 EDT"]),  # ends in it
            ("02:15", "02:45", []),  # lies in it
            ("01:00", "04:00", ["01:00 EST", "04:00 EDT"]),  # contains it: two hours
            ("08:00", "18:00", ["08:00 EDT", "18:00 EDT"]),
        ],
    )
    def test_spring(self, start: str, end: str, expected: list[str]) -> None:
        assert self.spans(start, end, "2026-03-08") == expected

    @pytest.mark.parametrize(
        ("start", "end", "expected"),
        [
            ("01:30", "02:30", ["01:30 EDT", "02:30 EST"]),  # opens at the first, never closes
            ("00:30", "01:30", ["00:30 EDT", "01:30 EST"]),  # closes at the second
            ("01:15", "01:45", ["01:15 EDT", "01:45 EST"]),
            ("08:00", "18:00", ["08:00 EST", "18:00 EST"]),
        ],
    )
    def test_autumn(self, start: str, end: str, expected: list[str]) -> None:
        assert self.spans(start, end, "2026-11-01") == expected

    def test_a_change_of_half_an_hour(self) -> None:
        spec = a_spec(windows=[window("02:15", "05:00")], zone="Australia/Lord_Howe")
        noon = datetime(2026, 10, 3, 12, 0, tzinfo=ZoneInfo("Australia/Lord_Howe"))
        edge = next_edge(spec, noon)
        assert edge is not None
        assert f"{edge.astimezone(noon.tzinfo):%H:%M}" == "02:30"  # 02:00 became 02:30

    def test_a_change_at_midnight(self) -> None:
        spec = a_spec(windows=[window("00:00", "06:00", days=["sun"])], zone="America/Sao_Paulo")
        noon = datetime(2018, 11, 3, 12, 0, tzinfo=ZoneInfo("America/Sao_Paulo"))
        edge = next_edge(spec, noon)
        assert edge is not None
        assert f"{edge.astimezone(noon.tzinfo):%a %H:%M}" == "Sun 01:00"  # 00:00 did not exist

    def test_a_day_that_never_was(self) -> None:
        spec = a_spec(windows=[window("08:00", "18:00", days=["fri"])], zone="Pacific/Apia")
        start = datetime(2011, 12, 29, 12, 0, tzinfo=ZoneInfo("Pacific/Apia"))
        assert next_edge(spec, start, timedelta(days=3)) is None  # 30 December 2011, a Friday

    def test_a_change_back_over_midnight_closes_no_window_of_the_day_before(self) -> None:
        friday = window("23:45", "23:30", days=["fri"])
        spec = a_spec(windows=[friday], zone="America/St_Johns")
        # Sunday 00:01 became Saturday 23:01: Saturday's 23:30 came twice, the second at 03:00 UTC.
        first_midnight = datetime(2010, 11, 7, 2, 30, 30, tzinfo=UTC)
        assert bounds_at(spec, first_midnight).name == "w"
        assert next_edge(spec, first_midnight) == datetime(2010, 11, 7, 3, 0, tzinfo=UTC)


class TestEdges:
    def test_the_next_edge_is_when_the_bounds_change(self) -> None:
        spec = a_spec(windows=[PEAK], zone="Europe/Berlin")
        assert next_edge(spec, NOON) == NOON.replace(hour=16)
        friday_evening = datetime(2026, 5, 15, 16, 0, tzinfo=UTC)
        assert next_edge(spec, friday_evening) == datetime(2026, 5, 18, 6, 0, tzinfo=UTC)

    def test_there_is_none_without_windows_or_beyond_the_horizon(self) -> None:
        assert next_edge(a_spec(), NOON) is None
        assert next_edge(a_spec(windows=[PEAK]), NOON, timedelta(hours=1)) is None

    def test_a_window_that_changes_nothing_has_no_edges(self) -> None:
        same = window("08:00", "18:00", min_copies=0)
        assert next_edge(a_spec(windows=[same]), NOON) is None

    def test_a_window_hidden_by_an_earlier_one_has_no_edges(self) -> None:
        hidden = window("09:00", "10:00", min_copies=2, max_copies=4)
        edges = edges_between(
            a_spec(windows=[PEAK, hidden]), NOON.replace(hour=0), NOON.replace(hour=23)
        )
        assert [edge.hour for edge in edges] == [8, 18]

    def test_edges_exclude_the_start_and_include_the_end(self) -> None:
        spec = a_spec(windows=[PEAK])
        eight, six = NOON.replace(hour=8), NOON.replace(hour=18)
        assert edges_between(spec, eight, six) == (six,)
