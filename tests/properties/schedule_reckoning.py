"""What `faults` and `oddities` have to say, reckoned minute by minute from the document alone.

Nothing of the policy is asked. A window is open from the first minute at which local clocks have
reached its start to the last at which they have not reached its end; each window is a row of
minutes, and everything that is said of it is looked up in the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import holidays
import numpy as np

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
BEGIN, END = datetime(2025, 12, 20, tzinfo=UTC), datetime(2032, 1, 20, tzinfo=UTC)
FIVE_YEARS, ONE_YEAR = (5 * 365 + 1) * 1440, 366 * 1440
WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
NTH = {"first": 0, "second": 1, "third": 2, "fourth": 3}
_QUARTER = 15  # minutes: no zone's clocks are changed between


@lru_cache(maxsize=2)
def shown(zone: str) -> Any:
    """What local clocks show in each minute from BEGIN, as minutes since BEGIN without a zone."""
    info, quarters = ZoneInfo(zone), (END - BEGIN) // (_QUARTER * MINUTE)
    offsets = [
        ((BEGIN + n * _QUARTER * MINUTE).astimezone(info).utcoffset() or 0 * DAY) // MINUTE
        for n in range(quarters)
    ]
    ahead = np.repeat(np.array(offsets, dtype=np.int32), _QUARTER)
    return np.arange(len(ahead), dtype=np.int32) + ahead


@lru_cache(maxsize=64)
def _feasts(calendar: str, subdivision: str | None, year: int) -> frozenset[date]:
    try:
        return frozenset(holidays.country_holidays(calendar, subdiv=subdivision, years=year))
    except NotImplementedError:
        return frozenset()


class Reckoning:
    """One schedule, as its document has it, looked at from a whole minute on."""

    def __init__(self, document: dict[str, Any], now: datetime) -> None:
        self.schedule = document["schedule"]
        self.scaling = document["scaling"]
        self.windows: list[dict[str, Any]] = self.schedule["windows"]
        self.clocks = shown(self.schedule["time_zone"] or "UTC")
        self.now = (now - BEGIN) // MINUTE
        self.today = self._date(self.now)

    def faults(self) -> Iterator[str]:
        rows = self._rows[:, :FIVE_YEARS]
        top, _ = _two_first(rows)
        closed = [str(window["max_copies"]) == "0" for window in self.windows] + [False]
        if all(closed[n] for n in set(top[:ONE_YEAR])):
            yield (
                f"schedule.windows: closed all the year from {BEGIN + self.now * MINUTE:%Y-%m-%d} "
                "(max_copies 0 at all times), so that no request is ever answered; leave a time of "
                "the day without such a window, or use `autoscaler delete` or `autoscaler stop` "
                "for what shall not run"
            )
        for n, window in enumerate(self.windows):
            twin = next((o for o in self.windows[:n] if _meaning(o) == _meaning(window)), None)
            where, row = f"schedule.windows.{window['name']}", rows[n]
            if not row.any():
                yield f"{where}: {self._never_opens(window)}"
            elif twin:
                yield (
                    f"{where}: means the same as {twin['name']!r}, which is listed before it and "
                    f"so wins whenever it is open (next {self._when(*_run(row))}); take one of "
                    "the two out"
                )
            elif not (top == n).any():
                opens, closes = _run(row)
                hiding = [o["name"] for m, o in enumerate(self.windows[:n])
                          if rows[m, opens:closes].any()]  # fmt: skip
                last = BEGIN + (self.now + int(np.nonzero(row)[0][-1]) + 1) * MINUTE
                yield (
                    f"{where}: never wins: {_listed(list(map(repr, hiding)))}, listed before it, "
                    f"hides it {self._when(opens, closes)}, and it is hidden at all other times "
                    f"until {last:%Y-%m-%d} too; list it first, or take it out"
                )

    def oddities(self) -> Iterator[str]:
        if self.schedule["holidays"] and not any(w["holidays"] for w in self.windows):
            yield (
                "schedule.holidays: no window asks for them; say `holidays: only`, `except` or "
                "`also` in one, or take the calendar out"
            )
        rows = self._rows[:, :ONE_YEAR]
        top, second = _two_first(rows)
        effects = np.array([self._effect(w) for w in self.windows] + [self._effect({})])
        differs = (effects[top] != effects[second]).any(axis=1)
        for m, window in enumerate(self.windows):
            met = [(o["name"], rows[n] & rows[m]) for n, o in enumerate(self.windows) if n > m]
            named = [f"{o!r} (next {self._when(*_run(both))})" for o, both in met if both.any()]
            if named:
                yield (
                    f"schedule.windows.{window['name']}: listed first, it wins where it overlaps "
                    f"{_listed(named)}"
                )
        for window in self.windows:
            where = f"schedule.windows.{window['name']}"
            yield from (f"{where}: {text}" for text in self._moved(window))
        for window in self.windows:
            over = [d for d in window["dates"] or () if _is_over(d, self.today)]
            if over:
                verb = "is" if len(over) == 1 else "are"
                yield (
                    f"schedule.windows.{window['name']}: {_listed(over)} {verb} over; take it out"
                )
        for n, window in enumerate(self.windows):
            where = f"schedule.windows.{window['name']}"
            wins = top == n
            if wins.any() and not differs[wins].any():
                yield (
                    f"{where}: changes nothing: {self._when(*_run(wins))}, and at all other times, "
                    "the same holds without it"
                )

    @cached_property
    def _rows(self) -> Any:
        rows = np.zeros((len(self.windows), FIVE_YEARS), dtype=bool)
        for n, window in enumerate(self.windows):
            for back in range(-3, FIVE_YEARS // 1440 + 3):
                if self._opens_on(window, self.today + back * DAY):
                    opens, closes = self._span(window, self.today + back * DAY)
                    rows[n, max(opens - self.now, 0) : max(closes - self.now, 0)] = True
        return rows

    def _span(self, window: dict[str, Any], day: date) -> tuple[int, int]:
        since, until = _clock(window["start"]), _clock(window["end"])
        until += 1440 * (until <= since)
        midnight = (datetime.combine(day, datetime.min.time(), UTC) - BEGIN) // MINUTE
        low = max(midnight - 1440, 0)
        near = self.clocks[low : midnight + 3 * 1440]
        opens = low + int(np.argmax(near >= midnight + since))
        # Of a time that clocks show twice it closes at the second, also where that one begins the
        # repeated hour and clocks have passed it in between.
        reached = np.nonzero(near == midnight + until)[0]
        passed = int(np.nonzero(near < midnight + until)[0][-1]) + 1
        closes = low + (int(reached[-1]) if len(reached) else passed)
        return opens, max(opens, closes)

    def _opens_on(self, window: dict[str, Any], day: date) -> bool:
        days, dates, rule = window["days"] or (), window["dates"] or (), window["holidays"]
        named = any(_is_day(d, day) for d in days) or any(_is_date(d, day) for d in dates)
        calendar = self.schedule["holidays"]
        if rule is None or calendar is None:
            return named
        feast = day in _feasts(calendar["calendar"], calendar.get("subdivision"), day.year)
        if rule == "only":
            return feast and (named or not (days or dates))
        return (named and not feast) if rule == "except" else (named or feast)

    def _moved(self, window: dict[str, Any]) -> Iterator[str]:
        told = set()
        near = self.clocks[self.now : self.now + ONE_YEAR + 1]
        for jump in np.nonzero(np.diff(near) != 1)[0]:
            at = self.now + int(jump) + 1
            forward = int(self.clocks[at] - self.clocks[at - 1]) - 1
            for day in (self._date(at) - DAY, self._date(at)):
                if not self._opens_on(window, day) or (forward > 0) in told:
                    continue
                opens, closes = self._span(window, day)
                length = (_clock(window["end"]) - _clock(window["start"]) - 1) % 1440 + 1
                off = closes - opens - length
                if off:
                    told.add(forward > 0)
                    was = BEGIN + (int(self.clocks[at]) - forward) * MINUTE
                    to = BEGIN + int(self.clocks[at]) * MINUTE
                    clocks = f"clocks go from {was:%H:%M} to {to:%H:%M} on {to:%Y-%m-%d}"
                    span = {30: "30m", 60: "1h", 15: "15m", 45: "45m"}.get(abs(off), "")
                    longer = "longer" if off > 0 else "shorter"
                    if opens == closes:
                        yield f"does not open on {day}: {clocks}"
                    else:
                        yield f"is {span} {longer} on {day}: {clocks}"

    def _never_opens(self, window: dict[str, Any]) -> str:
        dates = window["dates"] or ()
        if dates and not window["days"] and all(_is_over(d, self.today - DAY) for d in dates):
            last = max(d.split("..")[-1] for d in dates)
            return (
                f"all of its dates are over, the last on {last}; give it dates to come, write "
                f"{last[5:]} for every year, or take it out"
            )
        rule = f", with `holidays: {window['holidays']}`" if window["holidays"] else ""
        return (
            f"is not open once from {self.today} to {self.today + 1826 * DAY}{rule}; name other "
            "days, or take it out"
        )

    def _effect(self, window: dict[str, Any]) -> tuple[str, ...]:
        least = window.get("min_copies", self.scaling["min_copies"])
        own = window.get("max_copies")
        most = self.scaling["max_copies"] if own is None else own
        keep = window.get("keep_alive") or self.scaling["keep_alive"]
        return str(least), str(most), str(keep), str(window.get("deferrable", False))

    def _date(self, minute: int) -> date:
        return (BEGIN + int(self.clocks[minute]) * MINUTE).date()

    def _when(self, opens: int, closes: int) -> str:
        since, until = (BEGIN + int(self.clocks[self.now + n]) * MINUTE for n in (opens, closes))
        end = f"{until:%H:%M}" if since.date() == until.date() else f"{until:%Y-%m-%d %H:%M}"
        if until.date() == since.date() + DAY and f"{until:%H:%M}" == "00:00":
            end = "24:00"
        return f"on {since:%Y-%m-%d %H:%M}-{end}"


def _two_first(rows: Any) -> tuple[Any, Any]:
    """For each minute the first open row, and the next; -1: none."""
    top = np.full(rows.shape[1], -1)
    second = top.copy()
    for n in range(len(rows) - 1, -1, -1):
        second = np.where(rows[n], top, second)
        top = np.where(rows[n], n, top)
    return top, second


def _listed(named: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`; five at most are drawn."""
    return ", ".join(named[:-1]) + " and " + named[-1] if len(named) > 1 else named[0]


def _run(row: Any) -> tuple[int, int]:
    """The first minutes in a row that are true."""
    since = int(np.argmax(row))
    rest = np.nonzero(~row[since:])[0]
    return since, since + int(rest[0]) if len(rest) else len(row)


def _meaning(window: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in window.items() if key != "name"}
    return kept | {key: sorted(window[key] or ()) for key in ("days", "dates")}


def _clock(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _is_day(named: str, day: date) -> bool:
    nth, _, weekday = named.rpartition(" ")
    if WEEK[day.weekday()] != weekday:
        return False
    if nth == "last":
        return (day + 7 * DAY).month != day.month
    return not nth or (day.day - 1) // 7 == NTH[nth]


def _is_date(named: str, day: date) -> bool:
    first, last = named.split("..")[0], named.split("..")[-1]
    on = f"{day:%Y-%m-%d}" if len(first) > 5 else f"{day:%m-%d}"
    return first <= on <= last if first <= last else (on >= first or on <= last)


def _is_over(named: str, today: date) -> bool:
    last = named.split("..")[-1]
    return len(last) > 5 and last < f"{today}"
