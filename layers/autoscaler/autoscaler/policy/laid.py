"""All windows of a schedule laid out over time, once, and gone through once.

For everything that looks at more than a moment; `bounds_at` says the same of one. Moments are whole
microseconds since 1970 in UTC, and the windows that are open are one number, bit n for the window
that is listed as number n: 400 daily windows over five years are 12 MB so, and their order of
precedence is the order of the bits.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from ..spec import Window
from ..spec.schedule import Schedule
from .local_time import DAY, LOOK_EVERY, clock_span, days_around, offset_at, span_on
from .opening_days import OpeningDays

MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# So much is sorted at a time: of 400 daily windows 25,000 moments, some MB.
_PIECE = timedelta(days=31) // MICROSECOND

State = tuple[int, int, int]  # since, until, and the windows that are open between


def to_number(moment: datetime) -> int:
    """An aware moment as the layout counts it."""
    return (moment - _EPOCH) // MICROSECOND


def to_moment(number: int) -> datetime:
    """The other way round."""
    return _EPOCH + timedelta(microseconds=number)


def winner(open_windows: int) -> int:
    """The number of the first listed of some windows; -1: there is none."""
    return (open_windows & -open_windows).bit_length() - 1


def numbers(open_windows: int) -> Iterator[int]:
    """The numbers of some windows, in their order."""
    while open_windows:
        yield winner(open_windows)
        open_windows &= open_windows - 1


@dataclass(frozen=True)
class Laid:
    """When each window is open in [start, end), whatever the others are: in `turns` it opens,
    closes, opens and so on, never at the same moment twice."""

    start: int
    end: int
    turns: tuple[array[int], ...]

    def states(self) -> Iterator[State]:
        """Yields which windows are open from when to when, without a gap; none is like the one
        before it."""
        since, open_windows = self.start, 0
        for low in range(self.start, self.end, _PIECE):
            turned = self._turned(low, low + _PIECE)
            for moment in sorted(turned):
                if since < moment:
                    yield since, moment, open_windows
                open_windows ^= turned[moment]
                since = moment
        if since < self.end:
            yield since, self.end, open_windows

    def closes(self, number: int, moment: int) -> int:
        """When a window closes that is open at a moment."""
        turns = self.turns[number]
        return turns[bisect_right(turns, moment)]

    def opens_within(self, number: int, start: int, end: int) -> bool:
        """Whether a window is open at any time of [start, end)."""
        turns = self.turns[number]
        at = bisect_right(turns, start)
        return at % 2 == 1 or (at < len(turns) and turns[at] < end)

    def _turned(self, low: int, beyond: int) -> dict[int, int]:
        """The moments of [low, beyond) with the windows that open or close at each."""
        found: dict[int, int] = {}
        for number, turns in enumerate(self.turns):
            bit = 1 << number
            for moment in turns[bisect_left(turns, low) : bisect_left(turns, beyond)]:
                found[moment] = found.get(moment, 0) ^ bit
        return found


def laid_out(
    schedule: Schedule, zone: str, windows: Sequence[Window], start: datetime, end: datetime
) -> Laid:
    """Lays windows of a schedule out over [start, end), two moments in UTC."""
    first, last = to_number(start), to_number(end)
    begins, count = days_around(zone, start, end)
    opening = OpeningDays(schedule, begins, count)
    midnights = _midnights(zone, begins, count)
    turns = (_turns(window, zone, opening, midnights, first, last) for window in windows)
    return Laid(first, last, tuple(turns))


def _turns(
    window: Window,
    zone: str,
    opening: OpeningDays,
    midnights: Sequence[int | None],
    first: int,
    last: int,
) -> array[int]:
    after = [span // MICROSECOND for span in clock_span(window.start, window.end)]
    found: list[int] = []
    for number in opening.of(window):
        midnight = midnights[number]
        if midnight is None:
            span = span_on(window, zone, opening.days[number])
            opens, closes = to_number(span[0]), to_number(span[1])
        else:
            opens, closes = midnight + after[0], midnight + after[1]
        opens, closes = max(opens, first), min(closes, last)
        if opens >= closes:
            continue
        if found and opens <= found[-1]:  # a whole day meets the next, or clocks were changed
            found[-1] = max(found[-1], closes)
        else:
            found += (opens, closes)
    return array("q", found)


@lru_cache(maxsize=64)  # a tick asks for the same days for minutes on end
def _midnights(zone: str, first: date, count: int) -> tuple[int | None, ...]:
    """When each day begins; None for one around which clocks are changed, whose windows are to be
    asked for one by one."""
    info = ZoneInfo(zone)
    begins = datetime.combine(first - DAY, time(), UTC)
    # A window of a day ends before two days are over, and no zone is a day away from UTC.
    looks = (count + 4) * DAY // LOOK_EVERY
    offsets = [offset_at(begins + n * LOOK_EVERY, info) for n in range(looks + 1)]
    each, around = DAY // LOOK_EVERY, 4 * DAY // LOOK_EVERY
    found: list[int | None] = []
    for number in range(count):
        near = offsets[number * each : number * each + around + 1]
        plain = near.count(near[0]) == len(near)
        as_if_utc = begins + (number + 1) * DAY
        found.append(to_number(as_if_utc - near[0]) if plain else None)
    return tuple(found)
