"""A whole day of one endpoint, minute by minute, as a platform engineer would read its history."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from autoscaler.policy import Phase
from tests.unit.policy_cases import MINUTE, PEAK, Loop, a_spec

BERLIN = ZoneInfo("Europe/Berlin")

# (from, until, requests a minute)
TRAFFIC = [
    ("09:00", "11:00", 30.0),  # a quiet morning: 5 in flight
    ("11:00", "11:30", 120.0),  # a busy half hour: 20 in flight want 3 copies
    ("14:00", "14:01", 700.0),  # a burst of 700: 4 copies
    ("17:30", "18:20", 6.0),
    ("22:10", "22:11", 1.0),  # one request at night
]


def arrivals(at: datetime) -> float:
    return sum(rate for start, until, rate in TRAFFIC if start <= f"{at:%H:%M}" < until)


def a_day(day: str) -> Loop:
    spec = a_spec(windows=[PEAK], zone="Europe/Berlin")
    midnight = datetime.fromisoformat(day).replace(tzinfo=BERLIN)
    loop = Loop(spec, midnight)
    for _ in range(24 * 60 - 1):
        loop.minute(arrivals(loop.now + MINUTE))
    return loop


def test_a_wednesday() -> None:
    assert a_day("2026-05-13").events == [
        ("07:54", "WAKING"),  # window ahead: five minutes for a start, one for the tick
        ("07:58", "AWAKE"),  # serving at 08:00
        ("11:35", "3 to 1"),  # AWS went to 3 at 11:00; five minutes of quiet
        ("14:00", "2 to 4"),  # the burst: AWS sees 16 in flight, we see 600 waiting
        ("14:08", "4 to 1"),  # the last were answered at 14:02
        ("18:29", "SLEEPING"),  # the window closed at 18:00, the last request was at 18:19
        ("18:31", "ASLEEP"),
        ("22:10", "WAKING"),  # for one request
        ("22:14", "AWAKE"),
        ("22:25", "SLEEPING"),
        ("22:27", "ASLEEP"),
    ]


def test_a_saturday_has_no_window() -> None:
    loop = a_day("2026-05-16")
    assert loop.events[:2] == [("09:00", "WAKING"), ("09:04", "AWAKE")]
    assert max(loop.copies) == 2  # the maximum outside the windows


def test_the_monday_after_the_clocks_went_forward_starts_at_the_same_local_time() -> None:
    for day in ("2026-03-27", "2026-03-30", "2026-10-23", "2026-10-26"):
        assert a_day(day).events[:2] == [("07:54", "WAKING"), ("07:58", "AWAKE")]


def test_every_request_of_the_day_is_answered_by_its_end() -> None:
    loop = a_day("2026-05-13")
    assert loop.waiting < 1e-6
    assert loop.phase is Phase.ASLEEP
    assert loop.wakes == 2


def test_spent_wakes_keep_requests_for_the_next_utc_day() -> None:
    spec = a_spec(windows=[PEAK], zone="Europe/Berlin", budget={"wakes_per_day": 1})
    loop = Loop(spec, datetime(2026, 5, 13, tzinfo=BERLIN), wakes=1)
    for _ in range(12 * 60):
        loop.minute(arrivals(loop.now + MINUTE))
    assert loop.events == []
    assert loop.waiting > 0  # kept, and answered after 00:00 UTC
    loop.wakes = 0
    loop.now += timedelta(hours=14)
    loop.minute()
    assert loop.events[-1][1] == "WAKING"
