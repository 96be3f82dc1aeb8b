"""The days that a window names: of the week, the nth of each month, and dates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, InstanceOf, PlainSerializer

_WEEK = timedelta(days=7)
_LEAP_YEAR = 2000  # that of a date which comes every year: it may be 29 February


class Day(StrEnum):
    """Days of the week, in the order of `datetime.weekday()`."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


WEEK = tuple(Day)
_LAST = "last"
_NTH = ("first", "second", "third", "fourth")


@dataclass(frozen=True)
class NthDay:
    """One weekday of each month: `first mon`, `last fri`."""

    nth: str
    day: Day

    def __str__(self) -> str:
        return f"{self.nth} {self.day}"

    def holds(self, day: date) -> bool:
        """Whether a date is that day of its month."""
        if WEEK[day.weekday()] is not self.day:
            return False
        if self.nth == _LAST:
            return (day + _WEEK).month != day.month
        return (day.day - 1) // 7 == _NTH.index(self.nth)


@dataclass(frozen=True)
class DateSpan:
    """Dates from `first` to `last`, both included; `yearly`: their year does not count, and the
    first may be later in the year than the last."""

    first: date
    last: date
    yearly: bool = False

    def __str__(self) -> str:
        form = "%m-%d" if self.yearly else "%Y-%m-%d"
        first, last = self.first.strftime(form), self.last.strftime(form)
        return first if first == last else f"{first}..{last}"

    def holds(self, day: date) -> bool:
        """Whether a date is one of them."""
        if not self.yearly:
            return self.first <= day <= self.last
        now = day.month, day.day
        first, last = (self.first.month, self.first.day), (self.last.month, self.last.day)
        return first <= now <= last if first <= last else now >= first or now <= last

    def is_over(self, day: date) -> bool:
        """Whether none of them is to come on a date or after it."""
        return not self.yearly and self.last < day


_DATE = re.compile(r"(?:([0-9]{4})-)?([0-9]{2})-([0-9]{2})")


def _day(value: Any) -> Any:
    if isinstance(value, Day | NthDay):
        return value
    nth, _, name = value.partition(" ") if isinstance(value, str) else ("", "", "")
    if value in WEEK:
        return Day(value)
    if nth in (*_NTH, _LAST) and name in WEEK:
        return NthDay(nth, Day(name))
    raise ValueError(
        f"{_shown(value)} is not a day: write mon, tue, wed, thu, fri, sat or sun, or one of each "
        "month: first mon, second tue, third wed, fourth thu, last fri"
    )


def _dates(value: Any) -> Any:
    if isinstance(value, DateSpan):
        return value
    if isinstance(value, date) and not isinstance(value, datetime):  # YAML reads it so
        return DateSpan(value, value)
    parts = value.split("..") if isinstance(value, str) else []
    ends = [_date(part.strip()) for part in parts]
    found = [end for end in ends if end is not None]
    if not found or len(found) != len(parts) or len(found) > 2 or len({y for _, y in found}) > 1:
        raise ValueError(
            f"{_shown(value)} is not a date: write 2026-12-24, from and to as "
            "2026-12-24..2027-01-02, or 12-24 for every year"
        )
    (first, yearly), (last, _) = found[0], found[-1]
    if last < first and not yearly:
        raise ValueError(f"{value} ends before it begins: write {last}..{first}")
    return DateSpan(first, last, yearly)


def _date(text: str) -> tuple[date, bool] | None:
    """A date, and whether it comes every year; None: it is none."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    try:
        return date(int(match[1] or _LEAP_YEAR), int(match[2]), int(match[3])), match[1] is None
    except ValueError:
        return None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


WindowDay = Annotated[
    InstanceOf[Day] | InstanceOf[NthDay],
    BeforeValidator(_day),
    PlainSerializer(str, return_type=str, when_used="json"),
]
WindowDates = Annotated[
    InstanceOf[DateSpan],
    BeforeValidator(_dates),
    PlainSerializer(str, return_type=str, when_used="json"),
]
