"""Periods of a report: [start, end) in UTC, cut at midnights of a time zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Self
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict


class PeriodKind(StrEnum):
    """How long a report's period is; `all` is everything since the first endpoint."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    ALL = "all"


class Slot(BaseModel):
    """A part of a period, for charts."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    start: AwareDatetime
    end: AwareDatetime
    label: str


class Period(BaseModel):
    """[start, end) in UTC. A local day with a clock change has 23 or 25 hours."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    kind: PeriodKind
    start: AwareDatetime
    end: AwareDatetime
    time_zone: str = "UTC"

    @classmethod
    def day(cls, day: date, time_zone: str = "UTC") -> Self:
        return cls._between(PeriodKind.DAY, day, day + timedelta(days=1), time_zone)

    @classmethod
    def week(cls, day: date, time_zone: str = "UTC") -> Self:
        """The week (Monday to Sunday) that holds the day."""
        monday = day - timedelta(days=day.weekday())
        return cls._between(PeriodKind.WEEK, monday, monday + timedelta(days=7), time_zone)

    @classmethod
    def month(cls, day: date, time_zone: str = "UTC") -> Self:
        """The calendar month that holds the day."""
        first = day.replace(day=1)
        return cls._between(PeriodKind.MONTH, first, _next_month(first), time_zone)

    @classmethod
    def since(cls, start: datetime, now: datetime, time_zone: str = "UTC") -> Self:
        """Everything from a moment until now."""
        start, end = start.astimezone(UTC), now.astimezone(UTC)
        return cls(kind=PeriodKind.ALL, start=start, end=end, time_zone=time_zone)

    @classmethod
    def holding(cls, kind: PeriodKind, day: date, time_zone: str = "UTC") -> Self:
        """The day, week or month that holds a local day."""
        make = {
            PeriodKind.DAY: cls.day,
            PeriodKind.WEEK: cls.week,
            PeriodKind.MONTH: cls.month,
        }
        return make[kind](day, time_zone)

    @classmethod
    def last(cls, kind: PeriodKind, now: datetime, time_zone: str = "UTC") -> Self:
        """The last day, week or month that is over."""
        current = cls.holding(kind, now.astimezone(ZoneInfo(time_zone)).date(), time_zone)
        return cls.holding(kind, current.first_day - timedelta(days=1), time_zone)

    @classmethod
    def _between(cls, kind: PeriodKind, first: date, after: date, time_zone: str) -> Self:
        start, end = local_midnight(first, time_zone), local_midnight(after, time_zone)
        return cls(kind=kind, start=start, end=end, time_zone=time_zone)

    @property
    def first_day(self) -> date:
        """The local day on which it starts."""
        return self.start.astimezone(ZoneInfo(self.time_zone)).date()

    @property
    def title(self) -> str:
        """For people: `20 November 2026`, `week 16 – 22 November 2026`, `November 2026`."""
        zone = ZoneInfo(self.time_zone)
        first = self.start.astimezone(zone)
        if self.kind is PeriodKind.DAY:
            return f"{first.day} {first:%B %Y}"
        if self.kind is PeriodKind.MONTH:
            return f"{first:%B %Y}"
        last = (self.end - timedelta(microseconds=1)).astimezone(zone)
        if self.kind is PeriodKind.WEEK:
            return f"week {first.day} {first:%B} – {last.day} {last:%B %Y}"
        return f"{first.day} {first:%b %Y %H:%M} – {last.day} {last:%b %Y %H:%M}"

    def holds(self, start: datetime, end: datetime) -> bool:
        """Whether what was counted in [start, end) belongs here: by its middle, so that nothing
        counts twice. A UTC hour lies within one local day, except where midnight is at half past
        or a quarter to: there the whole hour goes to the day that holds its middle."""
        if self.kind is PeriodKind.ALL:
            return max(start, self.start) < min(end, self.end)  # a period of no time has nothing
        return self.start <= start + (end - start) / 2 < self.end

    def slots(self) -> tuple[Slot, ...]:
        """The bars of a chart: local days; shorter for a day, longer for a long time."""
        length = self.end - self.start
        if length > timedelta(hours=49):
            days = 1 if length <= timedelta(days=62) else 7
            return tuple(self._local_days(days))
        for limit, step in ((4, 5), (12, 20), (49, 60)):
            if length <= timedelta(hours=limit):
                return tuple(self._equal(timedelta(minutes=step)))
        raise AssertionError("the limits above end where the first test begins")

    def _equal(self, step: timedelta) -> Iterator[Slot]:
        start = self.start
        while start < self.end:
            end = min(self.end, start + step)
            local = start.astimezone(ZoneInfo(self.time_zone))
            yield Slot(start=start, end=end, label=f"{local:%H:%M}")
            start = end

    def _local_days(self, days: int) -> Iterator[Slot]:
        start, day = self.start, self.first_day
        while start < self.end:
            label = f"{day.day} {day:%b}"
            day += timedelta(days=days)
            end = min(self.end, local_midnight(day, self.time_zone))
            yield Slot(start=start, end=end, label=label)
            start = end


def local_midnight(day: date, time_zone: str) -> datetime:
    """When a local day begins, in UTC."""
    return datetime.combine(day, time(), tzinfo=ZoneInfo(time_zone)).astimezone(UTC)


def _next_month(first: date) -> date:
    return (first + timedelta(days=32)).replace(day=1)
