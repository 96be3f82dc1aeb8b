"""AWS schedule expressions: when they fire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tools.embedded.pump.cron import CronError, parse_cron
from tools.embedded.pump.expressions import parse_expression

BERLIN = "Europe/Berlin"


def firings(expression: str, after: str, count: int, zone: str = "UTC") -> list[str]:
    """The next firings, in UTC."""
    table = parse_expression(expression, zone)
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC).timestamp()
    found = []
    for _ in range(count):
        fires = table.next_after(moment, anchor=moment)
        if fires is None:
            break
        found.append(datetime.fromtimestamp(fires, UTC).strftime("%Y-%m-%dT%H:%M"))
        moment = fires
    return found


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("cron(0 12 * * ? *)", "2026-03-02T11:59", ["2026-03-02T12:00", "2026-03-03T12:00"]),
        ("cron(0 12 * * ? *)", "2026-03-02T12:00", ["2026-03-03T12:00", "2026-03-04T12:00"]),
        (
            "cron(0/15 8-9 ? * MON-FRI *)",
            "2026-03-06T09:40",
            ["2026-03-06T09:45", "2026-03-09T08:00"],
        ),
        ("cron(*/20 0 1 * ? *)", "2026-03-02T00:00", ["2026-04-01T00:00", "2026-04-01T00:20"]),
        ("cron(0 18 ? * 2-6 *)", "2026-03-06T18:00", ["2026-03-09T18:00", "2026-03-10T18:00"]),
        (
            "cron(15 10 ? * 6L 2026-2027)",
            "2026-03-02T00:00",
            ["2026-03-27T10:15", "2026-04-24T10:15"],
        ),
        ("cron(0 9 ? * 2#1 *)", "2026-03-02T10:00", ["2026-04-06T09:00", "2026-05-04T09:00"]),
        ("cron(0 9 ? * MON#5 *)", "2026-03-02T10:00", ["2026-03-30T09:00", "2026-06-29T09:00"]),
        ("cron(0 0 L * ? *)", "2028-02-01T00:00", ["2028-02-29T00:00", "2028-03-31T00:00"]),
        ("cron(0 0 L-3 * ? *)", "2026-02-01T00:00", ["2026-02-25T00:00", "2026-03-28T00:00"]),
        ("cron(0 0 LW * ? *)", "2026-05-01T00:00", ["2026-05-29T00:00", "2026-06-30T00:00"]),
        ("cron(0 9 15W * ? *)", "2026-03-01T00:00", ["2026-03-16T09:00", "2026-04-15T09:00"]),
        ("cron(0 9 1W * ? *)", "2026-08-01T00:00", ["2026-08-03T09:00", "2026-09-01T09:00"]),
        ("cron(0 22 ? * FRI-MON *)", "2026-03-03T00:00", ["2026-03-06T22:00", "2026-03-07T22:00"]),
        (
            "cron(5,35 14 * JAN,JUL ? *)",
            "2026-03-02T00:00",
            ["2026-07-01T14:05", "2026-07-01T14:35"],
        ),
        ("cron(0 0 29 2 ? *)", "2026-03-02T00:00", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("cron(0 0 1 1 ? 2027)", "2026-03-02T00:00", ["2027-01-01T00:00"]),
        ("cron(0 0 30 2 ? *)", "2026-03-02T00:00", []),
        ("rate(5 minutes)", "2026-03-02T00:00", ["2026-03-02T00:05", "2026-03-02T00:10"]),
        ("rate(1 hour)", "2026-03-02T00:00", ["2026-03-02T01:00", "2026-03-02T02:00"]),
        ("rate(2 days)", "2026-03-02T00:00", ["2026-03-04T00:00", "2026-03-06T00:00"]),
        ("at(2026-03-05T10:00:00)", "2026-03-02T00:00", ["2026-03-05T10:00"]),
        ("at(2026-03-01T10:00:00)", "2026-03-02T00:00", []),
    ],
)
def test_firings(expression, after, expected):
    assert firings(expression, after, 2) == expected


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        # local time goes with the season: 08:00 in Berlin is 07:00Z in winter, 06:00Z in summer
        (
            "cron(0 8 * * ? *)",
            BERLIN,
            "2026-03-27T12:00",
            ["2026-03-28T07:00", "2026-03-29T06:00", "2026-03-30T06:00"],
        ),
        # 02:30 on 29 March does not exist in Berlin: that day is skipped
        (
            "cron(30 2 * * ? *)",
            BERLIN,
            "2026-03-27T12:00",
            ["2026-03-28T01:30", "2026-03-30T00:30", "2026-03-31T00:30"],
        ),
        # 02:30 on 25 October comes twice: only the first counts
        (
            "cron(30 2 * * ? *)",
            BERLIN,
            "2026-10-24T12:00",
            ["2026-10-25T00:30", "2026-10-26T01:30", "2026-10-27T01:30"],
        ),
        (
            "cron(30 2 * * ? *)",
            "America/New_York",
            "2026-03-07T12:00",
            ["2026-03-09T06:30", "2026-03-10T06:30", "2026-03-11T06:30"],
        ),
        ("at(2026-07-01T09:00:00)", "Asia/Kolkata", "2026-03-02T00:00", ["2026-07-01T03:30"]),
        (
            "cron(0 0 * * ? *)",
            "Pacific/Auckland",
            "2026-03-02T00:00",
            ["2026-03-02T11:00", "2026-03-03T11:00", "2026-03-04T11:00"],
        ),
    ],
)
def test_firings_in_a_time_zone(expression, zone, after, expected):
    assert firings(expression, after, 3, zone) == expected


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("cron(0 12 * * *)", "six fields"),
        ("cron(0 12 * * * *)", "'?'"),
        ("cron(0 12 ? * ? *)", "'?'"),
        ("cron(60 12 * * ? *)", "minutes"),
        ("cron(0 24 * * ? *)", "hours"),
        ("cron(0 0 32 * ? *)", "day-of-month"),
        ("cron(0 0 ? * 8 *)", "day-of-week"),
        ("cron(0 0 ? * MON#6 *)", "day-of-week"),
        ("cron(0 0 xW * ? *)", "day-of-month"),
        ("cron(0 0 * FOO ? *)", "month"),
        ("cron(0/0 0 * * ? *)", "minutes"),
        ("rate(0 minutes)", "rate"),
        ("rate(5)", "rate"),
        ("at(tomorrow)", "at"),
        ("every(5 minutes)", "schedule expression"),
        ("rate(5 minutes", "schedule expression"),
    ],
)
def test_what_aws_refuses_is_refused_by_name(expression, words):
    with pytest.raises(CronError, match=words.replace("?", r"\?")):
        parse_expression(expression)


def test_an_unknown_time_zone_is_refused():
    with pytest.raises(CronError, match="Europe/Atlantis"):
        parse_expression("cron(0 0 * * ? *)", "Europe/Atlantis")


def test_after_a_jump_the_last_missed_firing_is_found():
    start = datetime(2026, 3, 2, tzinfo=UTC).timestamp()
    daily = parse_expression("cron(0 12 * * ? *)")
    first = daily.next_after(start, start)
    last = daily.last_until(first, start + 10 * 86400, start)
    assert datetime.fromtimestamp(last, UTC).isoformat() == "2026-03-11T12:00:00+00:00"
    rate = parse_expression("rate(7 minutes)")
    assert rate.last_until(start + 420, start + 86400, start) == start + 86400 // 420 * 420


def test_a_cron_equals_a_search_of_every_minute():
    cron = parse_cron("7/23 3,19 ? 3,11 SUN,3 *")
    zone = ZoneInfo("America/New_York")
    moment = datetime(2026, 2, 27, tzinfo=UTC)
    found = []
    while (moment := cron.next_after(moment, zone)) and moment.year == 2026 and moment.month < 4:
        found.append(moment)
    expected = []
    for minute in range(35 * 1440):
        at = datetime(2026, 2, 27, tzinfo=UTC) + timedelta(minutes=minute)
        local = at.astimezone(zone)
        if (
            local.minute in (7, 30, 53)
            and local.hour in (3, 19)
            and local.month == 3
            and local.isoweekday() in (7, 2)
            and at.month < 4
        ):
            expected.append(at)
    assert found == expected
