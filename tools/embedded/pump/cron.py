"""AWS cron expressions: six fields, with `?`, `L`, `W`, `#`, in the local time of a zone.

A local time that does not exist at the spring change is skipped; one that exists twice in autumn
fires at its first passing only. So AWS documents EventBridge Scheduler.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MONTHS = {name.upper(): n for n, name in enumerate(calendar.month_abbr) if name}
WEEKDAYS = {
    name: n for n, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)
}
LAST_YEAR = 2199
# Leap days on a given weekday recur within 40 years: beyond that an expression never fires.
HORIZON_YEARS = 40


class CronError(ValueError):
    """An expression that AWS would refuse; the message names the field."""


@dataclass(frozen=True)
class Cron:
    """A parsed expression."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    day_of_month: str
    months: tuple[int, ...]
    day_of_week: str
    years: frozenset[int] | None

    def next_after(self, moment: datetime, zone: ZoneInfo) -> datetime | None:
        """The first firing strictly after a moment, in UTC; None when there is none."""
        local = moment.astimezone(zone).replace(tzinfo=None)
        for day in self._days(local.date()):
            for hour in self.hours:
                if day == local.date() and hour < local.hour:
                    continue
                for minute in self.minutes:
                    fires = _in_utc(datetime.combine(day, time(hour, minute)), zone)
                    if fires is not None and fires > moment:
                        return fires
        return None

    def _days(self, start: date) -> Iterator[date]:
        for year in range(start.year, min(LAST_YEAR, start.year + HORIZON_YEARS) + 1):
            if self.years is not None and year not in self.years:
                continue
            for month in self.months:
                if (year, month) < (start.year, start.month):
                    continue
                for day in sorted(self._matching_days(year, month)):
                    if date(year, month, day) >= start:
                        yield date(year, month, day)

    def _matching_days(self, year: int, month: int) -> set[int]:
        if self.day_of_month != "?":
            return _days_of_month(self.day_of_month, year, month)
        return _days_of_week(self.day_of_week, year, month)


def parse_cron(fields: str) -> Cron:
    """Parses the text between the parentheses of cron(...). Raises CronError."""
    parts = fields.upper().split()
    if len(parts) != 6:
        raise CronError(f"cron has six fields, this one {len(parts)}: {fields!r}")
    minute, hour, day, month, weekday, year = parts
    if (day == "?") == (weekday == "?"):
        raise CronError("one of day-of-month and day-of-week must be '?', the other not")
    cron = Cron(
        minutes=tuple(sorted(_numbers(minute, 0, 59, "minutes"))),
        hours=tuple(sorted(_numbers(hour, 0, 23, "hours"))),
        day_of_month=day,
        months=tuple(sorted(_numbers(month, 1, 12, "month", MONTHS))),
        day_of_week=weekday,
        years=None if year == "*" else frozenset(_numbers(year, 1970, LAST_YEAR, "year")),
    )
    cron._matching_days(2024, 1)  # the day fields are parsed by use: refuse a bad one now
    return cron


def _in_utc(local: datetime, zone: ZoneInfo) -> datetime | None:
    """The first passing of a local time; None when the clocks jump over it."""
    utc = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return utc if utc.astimezone(zone).replace(tzinfo=None) == local else None


def _numbers(
    text: str, low: int, high: int, field: str, names: dict[str, int] | None = None
) -> set[int]:
    result: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        try:
            first, last = _span(span, low, high, names or {}, bool(step))
            stride = int(step) if step else 1
        except ValueError as error:
            raise CronError(f"{field}: {part!r} is not understood") from error
        if not (low <= first <= high and low <= last <= high and stride > 0):
            raise CronError(f"{field}: {part!r} is not between {low} and {high}")
        if first <= last:
            result.update(range(first, last + 1, stride))
        else:  # FRI-MON goes round the end
            around = [*range(first, high + 1), *range(low, last + 1)]
            result.update(around[::stride])
    return result


def _span(span: str, low: int, high: int, names: dict[str, int], stepped: bool) -> tuple[int, int]:
    if span == "*":
        return low, high
    first, dash, last = span.partition("-")
    start = names.get(first) or int(first)
    if dash:
        return start, names.get(last) or int(last)
    return start, high if stepped else start


def _days_of_month(text: str, year: int, month: int) -> set[int]:
    length = calendar.monthrange(year, month)[1]
    days: set[int] = set()
    for part in text.split(","):
        if part == "LW":
            days.add(_nearest_weekday(year, month, length, length))
        elif part.startswith("L"):
            days.add(length - (_integer(part[2:], "day-of-month") if part[1:] else 0))
        elif part.endswith("W"):
            wanted = _integer(part[:-1], "day-of-month")
            if wanted <= length:
                days.add(_nearest_weekday(year, month, wanted, length))
        else:
            days |= {d for d in _numbers(part, 1, 31, "day-of-month") if d <= length}
    return {d for d in days if d >= 1}


def _nearest_weekday(year: int, month: int, day: int, length: int) -> int:
    """The working day nearest to a day, in the same month."""
    weekday = date(year, month, day).weekday()
    if weekday == 5:
        return day - 1 if day > 1 else day + 2
    if weekday == 6:
        return day + 1 if day < length else day - 2
    return day


def _days_of_week(text: str, year: int, month: int) -> set[int]:
    length = calendar.monthrange(year, month)[1]
    days: set[int] = set()
    for part in text.split(","):
        if "#" in part:
            name, _, ordinal = part.partition("#")
            nth = _integer(ordinal, "day-of-week")
            of_kind = _on_weekdays(year, month, length, {_weekday(name)})
            if not 1 <= nth <= 5:
                raise CronError(f"day-of-week: {part!r} asks for week {nth}")
            days |= set(of_kind[nth - 1 : nth])
        elif part.endswith("L"):
            days.add(_on_weekdays(year, month, length, {_weekday(part[:-1] or "SAT")})[-1])
        else:
            days |= set(
                _on_weekdays(year, month, length, _numbers(part, 1, 7, "day-of-week", WEEKDAYS))
            )
    return days


def _on_weekdays(year: int, month: int, length: int, weekdays: set[int]) -> list[int]:
    first = date(year, month, 1)
    return [
        d
        for d in range(1, length + 1)
        if (first + timedelta(days=d - 1)).isoweekday() % 7 + 1 in weekdays
    ]


def _weekday(text: str) -> int:
    return WEEKDAYS.get(text) or _integer(text, "day-of-week")


def _integer(text: str, field: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise CronError(f"{field}: {text!r} is not a number") from error
