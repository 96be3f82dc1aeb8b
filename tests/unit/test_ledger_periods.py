"""Periods are cut at local midnights, clock changes included."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from autoscaler.ledger.periods import Period, PeriodKind


def test_a_local_day_in_utc() -> None:
    day = Period.day(date(2026, 11, 24), "Europe/Berlin")
    assert day.start == datetime(2026, 11, 23, 23, tzinfo=UTC)
    assert day.end - day.start == timedelta(hours=24)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_a_day_with_a_clock_change(day: date, hours: int) -> None:
    period = Period.day(day, "Europe/Berlin")
    assert period.end - period.start == timedelta(hours=hours)
    assert len(period.slots()) == hours


def test_a_week_is_monday_to_sunday() -> None:
    week = Period.week(date(2026, 11, 22), "UTC")
    assert (week.start.date(), week.end.date()) == (date(2026, 11, 16), date(2026, 11, 23))
    assert week.title == "week 16 November – 22 November 2026"


def test_a_december() -> None:
    month = Period.month(date(2026, 12, 31))
    assert (month.start.date(), month.end.date()) == (date(2026, 12, 1), date(2027, 1, 1))
    assert month.title == "December 2026" and len(month.slots()) == 31


@pytest.mark.parametrize(
    ("kind", "first"),
    [
        (PeriodKind.DAY, date(2026, 11, 30)),
        (PeriodKind.WEEK, date(2026, 11, 23)),
        (PeriodKind.MONTH, date(2026, 11, 1)),
    ],
)
def test_the_last_one_that_is_over(kind: PeriodKind, first: date) -> None:
    now = datetime(2026, 11, 30, 23, 5, tzinfo=UTC)  # 1 December in Berlin
    assert Period.last(kind, now, "Europe/Berlin").first_day == first


ZONES = ["Asia/Kolkata", "Asia/Kathmandu", "America/Sao_Paulo", "Australia/Lord_Howe", "UTC"]


@pytest.mark.parametrize("length", [1, 24])
@pytest.mark.parametrize("zone", ZONES)
def test_every_count_belongs_to_exactly_one_local_day(zone: str, length: int) -> None:
    days = [Period.day(date(2026, 11, 1) + timedelta(days=n), zone) for n in range(10)]
    for n in range(2 * 24, 8 * 24, length):
        start = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=n)
        assert sum(day.holds(start, start + timedelta(hours=length)) for day in days) == 1


def test_everything_since_holds_the_hours_that_it_touches() -> None:
    start = datetime(2026, 11, 24, 22, 20, tzinfo=UTC)
    period = Period.since(start, start + timedelta(hours=3))
    hours = [datetime(2026, 11, 24, 20, tzinfo=UTC) + timedelta(hours=n) for n in range(8)]
    held = [hour.hour for hour in hours if period.holds(hour, hour + timedelta(hours=1))]
    assert held == [22, 23, 0, 1]


@pytest.mark.parametrize("minutes", [0, 2, 90, 600, 2000, 5 * 1440, 90 * 1440])
def test_slots_cover_the_period_without_a_gap(minutes: int) -> None:
    start = datetime(2026, 9, 24, 22, 7, tzinfo=UTC)
    period = Period.since(start, start + timedelta(minutes=minutes), "Europe/Berlin")
    slots = period.slots()
    assert len(slots) <= 64
    borders = [period.start, *(slot.end for slot in slots)]
    assert borders[-1] == period.end
    assert [slot.start for slot in slots] == borders[:-1]
