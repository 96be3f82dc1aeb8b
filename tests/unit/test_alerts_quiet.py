"""Quiet hours by the local wall clock, over midnight and over clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.alerts.events.base import Severity
from autoscaler.alerts.quiet import is_quiet, waits_for_morning
from autoscaler.alerts.secret import QuietHours


def hours(start: str, end: str, zone: str = "Europe/Berlin", **more: str) -> QuietHours:
    return QuietHours.model_validate({"time_zone": zone, "from": start, "to": end, **more})


# Zone, from, to, a moment in UTC, whether it is quiet.
TABLE = [
    ("Europe/Berlin", "22:00", "07:00", "2026-11-24T20:59", False),
    ("Europe/Berlin", "22:00", "07:00", "2026-11-24T21:00", True),
    ("Europe/Berlin", "22:00", "07:00", "2026-11-25T05:59", True),
    ("Europe/Berlin", "22:00", "07:00", "2026-11-25T06:00", False),
    ("Europe/Berlin", "22:00", "07:00", "2026-07-24T20:00", True),  # summer: an hour earlier
    ("Europe/Berlin", "12:00", "13:00", "2026-11-24T11:30", True),
    ("Europe/Berlin", "12:00", "13:00", "2026-11-24T12:00", False),
    # The clocks go from 02:00 to 03:00 on 29 March: 02:30 is never shown, 03:00 is past it.
    ("Europe/Berlin", "22:00", "02:30", "2026-03-29T00:59", True),
    ("Europe/Berlin", "22:00", "02:30", "2026-03-29T01:00", False),
    ("Europe/Berlin", "02:15", "02:45", "2026-03-29T01:00", False),  # a span that never came
    # They go from 03:00 back to 02:00 on 25 October: 02:00 to 02:30 is shown twice.
    ("Europe/Berlin", "22:00", "02:30", "2026-10-25T00:29", True),
    ("Europe/Berlin", "22:00", "02:30", "2026-10-25T00:30", False),
    ("Europe/Berlin", "22:00", "02:30", "2026-10-25T01:29", True),
    ("Europe/Berlin", "22:00", "02:30", "2026-10-25T01:30", False),
    ("Australia/Lord_Howe", "22:00", "07:00", "2026-10-03T15:29", True),  # half an hour forward
    ("Asia/Kolkata", "22:00", "07:00", "2026-11-24T16:29", False),
    ("Asia/Kolkata", "22:00", "07:00", "2026-11-24T16:30", True),
    ("UTC", "00:00", "06:00", "2026-11-24T00:00", True),
]


@pytest.mark.parametrize(("zone", "start", "end", "moment", "quiet"), TABLE)
def test_whether_it_is_quiet(zone: str, start: str, end: str, moment: str, quiet: bool) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert is_quiet(hours(start, end, zone), now) is quiet


ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]


@given(
    st.sampled_from(ZONES),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
)
def test_a_span_and_its_opposite_share_the_day(
    zone: str, start: time, end: time, at: datetime
) -> None:
    if start == end:
        return
    now = at.replace(tzinfo=UTC)
    whole = {"time_zone": zone}
    night = QuietHours.model_validate({**whole, "from": start, "to": end})
    day = QuietHours.model_validate({**whole, "from": end, "to": start})
    assert is_quiet(night, now) is not is_quiet(day, now)


@given(st.sampled_from(ZONES), st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)))
def test_a_night_ends_within_a_day(zone: str, at: datetime) -> None:
    now = at.replace(tzinfo=UTC)
    night = hours("22:00", "07:00", zone)
    ends = [now + timedelta(minutes=15 * step) for step in range(41)]
    assert not all(is_quiet(night, one) for one in ends)  # nine hours, ten with a doubled one
    local = [one.astimezone(ZoneInfo(zone)) for one in ends if is_quiet(night, one)]
    assert all(one.hour >= 22 or one.hour < 7 for one in local)


@pytest.mark.parametrize(
    ("let_through", "held"),
    [("warning", {Severity.INFO}), ("critical", {Severity.INFO, Severity.WARNING})],
)
def test_what_waits_for_the_morning(let_through: str, held: set[Severity]) -> None:
    night, now = (
        hours("22:00", "07:00", let_through=let_through),
        datetime(2026, 11, 24, 23, tzinfo=UTC),
    )
    assert {one for one in Severity if waits_for_morning(night, one, now)} == held
    assert not any(waits_for_morning(None, one, now) for one in Severity)
