"""Which bounds the schedule gives at a moment, and when it changes next.

A window is open from the first moment at which local clocks have reached its start until the
last moment at which they have not yet reached its end, on every day on which it opens (`days`,
`dates`, `holidays`); one that spans midnight belongs to the day on which it starts. It follows for
the two days of a clock change:

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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from ..spec import EndpointSpec, Window
from ..spec.schedule import MIDNIGHT

HORIZON = timedelta(days=8)  # a week, and the day on which a window may have been skipped
# Where a window names dates, nth days or holidays: what comes every year comes within it.
LONG_HORIZON = timedelta(days=400)
_DAY = timedelta(days=1)

Span = tuple[datetime, datetime]


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
    days = _days_around(spec, utc, utc) if spec.schedule.windows else []
    for window in spec.schedule.windows:
        if _is_open(spec, window, utc, days):
            return WindowBounds(
                window.name,
                window.min_copies,
                window.max_copies or scaling.max_copies,
                window.keep_alive or scaling.keep_alive,
                window.deferrable,
            )
    return WindowBounds(None, scaling.min_copies, scaling.max_copies, scaling.keep_alive)


def next_edge(
    spec: EndpointSpec, moment: datetime, horizon: timedelta | None = None
) -> datetime | None:
    """Returns the first UTC moment after `moment` at which the bounds change, within `horizon`:
    unless it is given, a time in which everything that this schedule repeats comes once."""
    start = _aware_utc(moment)
    end = start + (horizon or _horizon(spec))
    while start < end and spec.schedule.windows:
        until = min(start + HORIZON, end)
        if edge := next(_edges(spec, start, until), None):
            return edge
        start = until
    return None


def _horizon(spec: EndpointSpec) -> timedelta:
    weekly = all(window.is_weekly for window in spec.schedule.windows)
    return HORIZON if weekly else LONG_HORIZON


def edges_between(spec: EndpointSpec, start: datetime, end: datetime) -> tuple[datetime, ...]:
    """Returns the UTC moments in (start, end] at which the bounds change, in order."""
    return tuple(_edges(spec, _aware_utc(start), _aware_utc(end)))


def spans_between(
    spec: EndpointSpec, window: Window, start: datetime, end: datetime
) -> tuple[Span, ...]:
    """Returns the times in [start, end) in which a window is open, in order and disjoint, whatever
    the others are."""
    first, last = _aware_utc(start), _aware_utc(end)
    found: list[Span] = []
    for opens, closes in _spans(spec, window, _days_around(spec, first, last)):
        opens, closes = max(opens, first), min(closes, last)
        if opens >= closes:
            continue
        if found and opens <= found[-1][1]:  # a change of the clocks may make two of them meet
            opens, closes = found[-1][0], max(found[-1][1], closes)
            found.pop()
        found.append((opens, closes))
    return tuple(found)


def moments_between(spec: EndpointSpec, start: datetime, end: datetime) -> tuple[datetime, ...]:
    """Returns the UTC moments in (start, end] at which any window opens or closes, in order."""
    first, last = _aware_utc(start), _aware_utc(end)
    days = _days_around(spec, first, last) if spec.schedule.windows else []
    found = {
        moment
        for window in spec.schedule.windows
        for span in _spans(spec, window, days)
        for moment in span
        if first < moment <= last
    }
    return tuple(sorted(found))


def _edges(spec: EndpointSpec, start: datetime, end: datetime) -> Iterator[datetime]:
    before = bounds_at(spec, start)
    for moment in moments_between(spec, start, end):
        after = bounds_at(spec, moment)
        if not after.same_effect(before):
            yield moment
        before = after


def _is_open(spec: EndpointSpec, window: Window, moment: datetime, days: Sequence[date]) -> bool:
    return any(start <= moment < end for start, end in _spans(spec, window, days))


def _days_around(spec: EndpointSpec, start: datetime, end: datetime) -> list[date]:
    """The local days of which a window may touch [start, end], and a few around them.

    Two days back: one for a window over midnight, one for a clock that is set back over midnight.
    """
    zone = ZoneInfo(zone_of(spec))
    first = start.astimezone(zone).date() - 2 * _DAY
    last = end.astimezone(zone).date() + _DAY
    return [first + n * _DAY for n in range((last - first).days + 1)]


def _spans(spec: EndpointSpec, window: Window, days: Sequence[date]) -> Iterator[Span]:
    """Yields when a window is open that opens on some of the days."""
    zone, schedule = zone_of(spec), spec.schedule
    start, end = window.start, window.end
    for day in days:
        if schedule.opens(window, day):
            yield _span_on(zone, start, end, day)


def span_on(window: Window, zone: str, day: date) -> Span:
    """Returns when a window that opens on a local day is open; of one that lies in a skipped hour
    both are the same."""
    return _span_on(zone, window.start, window.end, day)


@lru_cache(maxsize=16384)
def _span_on(zone: str, start: time, end: time, day: date) -> Span:
    over_midnight = end <= start or end == MIDNIGHT
    until = time() if end == MIDNIGHT else end
    return (
        _instant(zone, datetime.combine(day, start), fold=0),
        _instant(zone, datetime.combine(day + _DAY * over_midnight, until), fold=1),
    )


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


def _aware_utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError(f"{moment!r} has no time zone: the policy takes aware datetimes only")
    return moment.astimezone(UTC)
