"""Until when a hold lasts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tools.cli.client import RefusedError
from tools.cli.times import hold_seconds

NOW = datetime(2026, 11, 24, 16, 30, tzinfo=UTC)  # 17:30 in Berlin


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("duration", "until", "minutes"),
    [
        ("2h", None, 120),
        ("1h30m", None, 90),
        (None, "18:00", 30),
        (None, "17:00", 23.5 * 60),  # tomorrow's
        (None, "17:30", 24 * 60),  # not this very minute
        (None, "2026-11-24 18:00", 30),
        (None, "2026-11-24T18:00+00:00", 90),
        (None, "2026-11-24T18:00:00Z", 90),
    ],
)
def test_a_time_is_read_as_people_say_it(
    duration: str | None, until: str | None, minutes: float
) -> None:
    assert hold_seconds(duration, until, NOW) == minutes * 60


def test_the_night_on_which_the_clocks_change_is_an_hour_longer() -> None:
    evening = datetime(2026, 10, 24, 20, 0, tzinfo=UTC)  # 22:00 summer time
    assert hold_seconds(None, "06:00", evening) == 9 * 3600


@pytest.mark.parametrize(
    ("duration", "until", "said"),
    [
        (None, None, "either --for"),
        ("2h", "18:00", "either --for"),
        ("soon", None, "--for: 'soon' is not a duration"),
        ("0s", None, "--for: '0s' is over already"),
        (None, "25:00", "--until: '25:00' is not a time"),
        (None, "tomorrow", "--until: 'tomorrow' is not a time"),
        (None, "2026-11-24 17:00", "--until: '2026-11-24 17:00' is over already"),
        (None, "2030-01-01", "--until: '2030-01-01' is too far away: at most 366 days from now"),
        (None, "9999-12-31T23:59-14:00", "--until: '9999-12-31T23:59-14:00' is not a time"),
        (None, "0001-01-01T00:00+14:00", "--until: '0001-01-01T00:00.14:00' is not a time"),
    ],
)
def test_what_is_no_time_is_refused(duration: str | None, until: str | None, said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        hold_seconds(duration, until, NOW)
