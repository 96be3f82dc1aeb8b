"""On which days of a stretch of the calendar windows open, all windows at once.

`Schedule.opens` says it of one day. Here a set of days is one number whose bit n stands for day n,
so that a rule is read once however many windows and days there are: of 400 windows over five years
730,000 single questions become some thousand unions.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from ..spec import Window
from ..spec.days import WEEK, DateSpan, Day, NthDay
from ..spec.schedule import HolidayRule, Schedule

_MonthDay = tuple[int, int]


class OpeningDays:
    """The days from `first` on, so many, under one schedule's windows and holidays."""

    def __init__(self, schedule: Schedule, first: date, count: int) -> None:
        self._schedule = schedule
        self.days = [first + timedelta(days=n) for n in range(count)]
        self._all = (1 << count) - 1
        self._named: dict[Day | NthDay, int] = {}
        self._not_before: dict[_MonthDay, int] = {}
        self._holidays: int | None = None
        self._numbers: dict[int, list[int]] = {}

    def of(self, window: Window) -> list[int]:
        """The numbers of the days on which a window opens, in order."""
        opens = self._opens(window)
        if opens not in self._numbers:  # many windows have the same days
            self._numbers[opens] = [n for n in range(len(self.days)) if opens >> n & 1]
        return self._numbers[opens]

    def _opens(self, window: Window) -> int:
        named = self._names(window)
        match window.holidays:
            case None:
                return named
            case HolidayRule.ONLY:
                anything = bool(window.days or window.dates)
                return self._holiday() & (named if anything else self._all)
            case HolidayRule.EXCEPT:
                return named & ~self._holiday()
            case HolidayRule.ALSO:
                return named | self._holiday()

    def _names(self, window: Window) -> int:
        found = 0
        for named in window.days or ():
            if named not in self._named:
                self._named[named] = self._on(named)
            found |= self._named[named]
        for span in window.dates or ():
            found |= self._yearly(span) if span.yearly else self._dated(span)
        return found

    def _on(self, named: Day | NthDay) -> int:
        if isinstance(named, NthDay):
            return self._where(named.holds(day) for day in self.days)
        first = (WEEK.index(named) - self.days[0].weekday()) % 7
        return sum(1 << number for number in range(first, len(self.days), 7))

    def _dated(self, span: DateSpan) -> int:
        low = max((span.first - self.days[0]).days, 0)
        beyond = min((span.last - self.days[0]).days + 1, len(self.days))
        return (1 << beyond) - (1 << low) if low < beyond else 0

    def _yearly(self, span: DateSpan) -> int:
        first, last = (span.first.month, span.first.day), (span.last.month, span.last.day)
        begun = self._since(first)
        going = self._all & ~self._since((last[0], last[1] + 1))  # also of a day that is not there
        return begun & going if first <= last else begun | going

    def _since(self, at: _MonthDay) -> int:
        """The days that are as late in their year, or later."""
        if at not in self._not_before:
            self._not_before[at] = self._where((day.month, day.day) >= at for day in self.days)
        return self._not_before[at]

    def _holiday(self) -> int:
        """The holidays; the calendar is read only when a window asks."""
        if self._holidays is None:
            holiday = self._schedule.holiday
            self._holidays = self._where(holiday(day) is not None for day in self.days)
        return self._holidays

    @staticmethod
    def _where(holds: Iterable[bool]) -> int:
        """The number whose bits are those answers, the first of them the lowest."""
        return int("".join("1" if one else "0" for one in holds)[::-1], 2)
