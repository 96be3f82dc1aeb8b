"""Windows in which other bounds hold than outside them: on some days, from one time to another."""

from __future__ import annotations

import re
from datetime import date, time
from enum import StrEnum
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    field_validator,
    model_validator,
)

from .calendars import Calendar
from .days import WEEK, NthDay, WindowDates, WindowDay
from .durations import PatientDuration
from .numbers import Whole

MOST_WINDOWS = 400  # more than one for each half hour of a week
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")


def _time_of_day(value: Any) -> Any:
    if isinstance(value, time):
        return value
    # YAML 1.1 reads an unquoted 18:00 as the sexagesimal number 1080; PyYAML leaves 08:00 and 0:30
    # as text, so a number below 60 was never a time: `start: 8` is not eight minutes past midnight.
    if isinstance(value, int) and not isinstance(value, bool) and 60 <= value < 24 * 60:
        return time(value // 60, value % 60)
    if isinstance(value, str) and (match := _CLOCK.fullmatch(value)):
        return time(int(match[1]), int(match[2]))
    raise ValueError(f'{value!r} is not a time of day: write it as "08:00", up to "23:59"')


TimeOfDay = Annotated[
    time,
    BeforeValidator(_time_of_day),
    PlainSerializer(lambda t: t.strftime("%H:%M"), return_type=str, when_used="json"),
]

# The end of the day, 24:00, which `time` does not have. It is later than every time of the day.
MIDNIGHT = time.max


def _end_of_day(value: Any) -> Any:
    # 1440 is what YAML 1.1 makes of an unquoted 24:00.
    return MIDNIGHT if value in ("24:00", 24 * 60) else _time_of_day(value)


def end_text(end: time) -> str:
    """`18:00`, or `24:00`."""
    return "24:00" if end == MIDNIGHT else f"{end:%H:%M}"


EndOfWindow = Annotated[
    time,
    BeforeValidator(_end_of_day),
    PlainSerializer(end_text, return_type=str, when_used="json"),
]


class HolidayRule(StrEnum):
    """What holidays do to the days that a window names."""

    ONLY = "only"  # of those days the holidays; every holiday, if it names none
    EXCEPT = "except"  # those days, but for holidays
    ALSO = "also"  # those days, and every holiday


def known_zone(name: str) -> str:
    """The name; raises ValueError for what is none of IANA's."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        raise ValueError(
            f"{name!r} is not a time zone: use an IANA name such as Europe/Berlin"
        ) from unknown
    return name


TimeZoneName = Annotated[str, AfterValidator(known_zone)]


class Window(BaseModel):
    """A named span of local time; the first window that contains a moment wins.

    It opens on each day that `days` or `dates` names, as `holidays` has it. `end` before `start`
    spans midnight and belongs to the day on which it starts.
    """

    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    days: Annotated[tuple[WindowDay, ...], Field(min_length=1)] | None = None
    dates: Annotated[tuple[WindowDates, ...], Field(min_length=1, max_length=100)] | None = None
    holidays: HolidayRule | None = None
    start: TimeOfDay
    end: EndOfWindow
    min_copies: Annotated[Whole, Field(ge=0, le=100)] = 0
    # 0: closed, requests wait in it; None: as outside all windows.
    max_copies: Annotated[Whole, Field(ge=0, le=100)] | None = None
    keep_alive: PatientDuration | None = None
    deferrable: bool = False  # requests that may wait are worked off in it

    @field_validator("days")
    @classmethod
    def _each_day_once(cls, days: tuple[WindowDay, ...] | None) -> tuple[WindowDay, ...] | None:
        if days is not None and len(set(days)) != len(days):
            raise ValueError("a day is listed twice")
        return days

    @field_validator("dates")
    @classmethod
    def _each_date_once(
        cls, dates: tuple[WindowDates, ...] | None
    ) -> tuple[WindowDates, ...] | None:
        if dates is not None and len(set(dates)) != len(dates):
            raise ValueError("a date is listed twice")
        return dates

    @model_validator(mode="after")
    def _names_days(self) -> Self:
        if not (self.days or self.dates or self.holidays is HolidayRule.ONLY):
            raise ValueError(
                f"window {self.name!r} names no day: give it `days`, `dates`, or `holidays: only`"
            )
        return self

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.start == self.end:
            raise ValueError(
                f"window {self.name!r} starts and ends at {self.start:%H:%M}: it would be empty; "
                'give it two different times (a whole day is from "00:00" to "24:00")'
            )
        if self.max_copies is not None and self.min_copies > self.max_copies:
            raise ValueError(
                f"window {self.name!r}: min_copies {self.min_copies} is above "
                f"max_copies {self.max_copies}; lower the one or raise the other"
            )
        if self.is_closed and self.deferrable:
            raise ValueError(
                f"window {self.name!r}: deferrable with max_copies 0 contradicts itself, since "
                "nothing is worked off in it; take `deferrable` out, or allow a copy"
            )
        return self

    @property
    def is_closed(self) -> bool:
        """Whether nothing wakes the endpoint in it."""
        return self.max_copies == 0

    def opens_on(self, day: date, *, is_holiday: bool) -> bool:
        """Whether it opens on a day."""
        match self.holidays:
            case None:
                return self._names(day)
            case HolidayRule.ONLY:
                return is_holiday and (self._names(day) or not (self.days or self.dates))
            case HolidayRule.EXCEPT:
                return not is_holiday and self._names(day)
            case HolidayRule.ALSO:
                return is_holiday or self._names(day)

    def _names(self, day: date) -> bool:
        for named in self.days or ():
            if named.holds(day) if isinstance(named, NthDay) else named is WEEK[day.weekday()]:
                return True
        return any(span.holds(day) for span in self.dates) if self.dates else False

    @property
    def is_weekly(self) -> bool:
        """Whether each of its weeks is like every other."""
        nth = any(isinstance(day, NthDay) for day in self.days or ())
        return not (nth or self.dates or self.holidays)


class Schedule(BaseModel):
    """The windows of an endpoint, the zone in which their times are read, and whose holidays."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid")

    time_zone: TimeZoneName | None = None
    holidays: Calendar | None = None
    windows: Annotated[tuple[Window, ...], Field(max_length=MOST_WINDOWS)] = ()

    def opens(self, window: Window, day: date) -> bool:
        """Whether a window opens on a day; the calendar is read only for a window that asks."""
        asked = window.holidays is not None and self.holidays is not None
        return window.opens_on(day, is_holiday=asked and self.holiday(day) is not None)

    def holiday(self, day: date) -> str | None:
        """The holiday that a day is, by the schedule's calendar."""
        return self.holidays.name_of(day) if self.holidays else None

    @model_validator(mode="after")
    def _holidays_have_a_calendar(self) -> Self:
        asking = [window.name for window in self.windows if window.holidays]
        if asking and self.holidays is None:
            raise ValueError(
                f"window {asking[0]!r} asks for holidays, and no calendar says which days those "
                "are: add `holidays: {calendar: DE}` to the schedule"
            )
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [window.name for window in self.windows]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two windows are named {', '.join(twice)}")
        return self
