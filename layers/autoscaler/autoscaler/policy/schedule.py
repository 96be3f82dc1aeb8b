"""Which bounds the schedule gives at a moment, and when it changes next.

A window is open from the first moment at which local clocks have reached its start until the
last moment at which they have not yet reached its end, on every day that it names; one that spans
midnight belongs to the day on which it starts. It follows for the two days of a clock change:

* Skipped times (spring): a start or end that does not exist falls on the jump. Where 02:00 becomes
  03:00, a window 02:30-03:30 is open 03:00-03:30, and one of 02:15-02:45 not at all on that day.
* Doubled times (autumn): a window opens at the first of the two and closes at the second, so it
  never closes and opens again within the repeated hour. Where 03:00 becomes 02:00, a window
  02:30-03:30 is open for two hours.

On all other days local time decides: 08:00 is 08:00 in summer and in winter. Answers are computed
from the moment, never from a remembered edge, because EventBridge Scheduler skips local times that
do not exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from ..spec import Day, EndpointSpec, Window

HORIZON = timedelta(days=8)  # a week, and the day on which a window may have been skipped
_DAYS = tuple(Day)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class WindowBounds:
    """What the schedule asks for: of the window `name`, or of the spec itself (None)."""

    name: str | None
    min_copies: int
    max_copies: int
    keep_alive: timedelta | None  # None: as learned
    deferrable: bool = False  # requests that may wait are worked off in it

    def same_effect(self, other: WindowBounds) -> bool:
        """True when only the names differ."""
        return replace(self, name=None) == replace(other, name=None)


def zone_of(spec: EndpointSpec) -> str:
    """The IANA name of the zone in which the windows are read; UTC unless the spec says."""
    return spec.schedule.time_zone or "UTC"


def bounds_at(spec: EndpointSpec, moment: datetime) -> WindowBounds:
    """Returns the bounds in force at an aware moment; the first listed open window wins."""
    utc = _aware_utc(moment)
    scaling = spec.scaling
    for window in spec.schedule.windows:
        if _is_open(window, zone_of(spec), utc):
            return WindowBounds(
                window.name,
                window.min_copies,
                window.max_copies or scaling.max_copies,
                window.keep_alive or scaling.keep_alive,
                window.deferrable,
            )
    return WindowBounds(None, scaling.min_copies, scaling.max_copies, scaling.keep_alive)


def next_edge(
    spec: EndpointSpec, moment: datetime, horizon: timedelta = HORIZON
) -> datetime | None:
    """Returns the first UTC moment after `moment` at which the bounds change, within `horizon`."""
    return next(_edges(spec, _aware_utc(moment), _aware_utc(moment) + horizon), None)


def edges_between(spec: EndpointSpec, start: datetime, end: datetime) -> tuple[datetime, ...]:
    """Returns the UTC moments in (start, end] at which the bounds change, in order."""
    return tuple(_edges(spec, _aware_utc(start), _aware_utc(end)))


def _edges(spec: EndpointSpec, start: datetime, end: datetime) -> Iterator[datetime]:
    zone = zone_of(spec)
    candidates = {
        moment
        for window in spec.schedule.windows
        for span in _spans(window, zone, start, end)
        for moment in span
        if start < moment <= end
    }
    before = bounds_at(spec, start)
    for moment in sorted(candidates):
        after = bounds_at(spec, moment)
        if not after.same_effect(before):
            yield moment
        before = after


def _is_open(window: Window, zone: str, moment: datetime) -> bool:
    return any(start <= moment < end for start, end in _spans(window, zone, moment, moment))


def _spans(
    window: Window, zone: str, start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """Yields every span of the window that may touch [start, end], and a few around them.

    Two days back: one for a window over midnight, one for a clock that is set back over midnight.
    """
    day = _local_date(start, zone) - 2 * _DAY
    last = _local_date(end, zone) + _DAY
    while day <= last:
        if _DAYS[day.weekday()] in window.days:
            yield _span(window, zone, day)
        day += _DAY


def _span(window: Window, zone: str, day: date) -> tuple[datetime, datetime]:
    end_day = day if window.start < window.end else day + _DAY
    return (
        _instant(zone, datetime.combine(day, window.start), fold=0),
        _instant(zone, datetime.combine(end_day, window.end), fold=1),
    )


@lru_cache(maxsize=4096)
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


def _local_date(moment: datetime, zone: str) -> date:
    return moment.astimezone(ZoneInfo(zone)).date()


def _aware_utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError(f"{moment!r} has no time zone: the policy takes aware datetimes only")
    return moment.astimezone(UTC)
