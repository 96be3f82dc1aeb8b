"""Windows of the week in which other bounds hold than outside them."""

from __future__ import annotations

import re
from datetime import time
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

from .durations import PatientDuration
from .numbers import Whole


class Day(StrEnum):
    """Days of the week, in the order of `datetime.weekday()`."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


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


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        raise ValueError(
            f"{name!r} is not a time zone: use an IANA name such as Europe/Berlin"
        ) from unknown
    return name


TimeZoneName = Annotated[str, AfterValidator(_known_zone)]


class Window(BaseModel):
    """A named span of local time; the first window that contains a moment wins.

    `end` before `start` spans midnight and belongs to the day on which it starts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    days: Annotated[tuple[Day, ...], Field(min_length=1)]
    start: TimeOfDay
    end: TimeOfDay
    min_copies: Annotated[Whole, Field(ge=0, le=100)] = 0
    max_copies: Annotated[Whole, Field(ge=1, le=100)] | None = None
    keep_alive: PatientDuration | None = None
    deferrable: bool = False  # requests that may wait are worked off in it

    @field_validator("days")
    @classmethod
    def _each_day_once(cls, days: tuple[Day, ...]) -> tuple[Day, ...]:
        if len(set(days)) != len(days):
            raise ValueError("a day is listed twice")
        return days

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.start == self.end:
            raise ValueError(
                f"window {self.name!r} starts and ends at {self.start:%H:%M}: it would be empty; "
                "give it two different times (two windows make a whole day)"
            )
        if self.max_copies is not None and self.min_copies > self.max_copies:
            raise ValueError(
                f"window {self.name!r}: min_copies {self.min_copies} is above "
                f"max_copies {self.max_copies}; lower the one or raise the other"
            )
        return self


class Schedule(BaseModel):
    """The windows of an endpoint and the zone in which their times are read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_zone: TimeZoneName | None = None
    windows: tuple[Window, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [window.name for window in self.windows]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two windows are named {', '.join(twice)}")
        return self
