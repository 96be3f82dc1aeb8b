"""When a window that opens on a local day is open, in UTC; `schedule.py` tells the rule for the
days of a clock change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from ..spec import Window
from ..spec.schedule import MIDNIGHT

DAY = timedelta(days=1)
# Two changes of a zone's clocks were never closer to each other.
LOOK_EVERY = timedelta(hours=12)

Span = tuple[datetime, datetime]


def aware_utc(moment: datetime) -> datetime:
    """The same moment in UTC; raises ValueError for one without a time zone."""
    if moment.utcoffset() is None:
        raise ValueError(f"{moment!r} has no time zone: the policy takes aware datetimes only")
    return moment.astimezone(UTC)


def days_around(zone: str, start: datetime, end: datetime) -> tuple[date, int]:
    """The first of the local days of which a window may touch [start, end], and how many they are.

    From two days back: one for a window over midnight, one for a clock that is set back over
    midnight.
    """
    info = ZoneInfo(zone)
    first = start.astimezone(info).date() - 2 * DAY
    last = end.astimezone(info).date() + DAY
    return first, (last - first).days + 1


def offset_at(moment: datetime, zone: ZoneInfo) -> timedelta:
    """How far the zone's clocks are ahead of UTC at an aware moment."""
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def clock_span(start: time, end: time) -> tuple[timedelta, timedelta]:
    """When a window opens and closes, from the midnight of its day, where no clock is changed."""
    over = end <= start or end == MIDNIGHT
    until = time() if end == MIDNIGHT else end
    return _after_midnight(start), _after_midnight(until) + DAY * over


def _after_midnight(clock: time) -> timedelta:
    return timedelta(
        hours=clock.hour,
        minutes=clock.minute,
        seconds=clock.second,
        microseconds=clock.microsecond,
    )


def span_on(window: Window, zone: str, day: date) -> Span:
    """Returns when a window that opens on a local day is open; of one that lies in a skipped hour
    both are the same."""
    return _span_on(zone, window.start, window.end, day)


@lru_cache(maxsize=16384)
def _span_on(zone: str, start: time, end: time, day: date) -> Span:
    midnight = datetime.combine(day, time())
    opens, closes = clock_span(start, end)
    return _instant(zone, midnight + opens, fold=0), _instant(zone, midnight + closes, fold=1)


def _instant(zone: str, local: datetime, *, fold: int) -> datetime:
    """Returns when clocks first (fold 0) or last (fold 1) show a naive local time, in UTC.

    A time that is skipped gives the moment of the jump over it.
    """
    info = ZoneInfo(zone)
    moment = local.replace(tzinfo=info, fold=fold).astimezone(UTC)
    if moment.astimezone(info).replace(tzinfo=None) == local:
        return moment
    return _jump_over(info, local)


def _jump_over(zone: ZoneInfo, skipped: datetime) -> datetime:
    # A skipped time read with the offset after the jump lies before it, and the other way round.
    before = skipped.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after = skipped.replace(tzinfo=zone, fold=0).astimezone(UTC)
    old_offset = before.astimezone(zone).utcoffset()
    while (gap := int((after - before).total_seconds())) > 1:
        middle = before + timedelta(seconds=gap // 2)
        if middle.astimezone(zone).utcoffset() == old_offset:
            before = middle
        else:
            after = middle
    return after
