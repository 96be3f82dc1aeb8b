"""A schedule laid out over time: what holds from when to when, and where the clocks are changed.

For listings and for checks; decisions ask `bounds_at`, with which this agrees at every moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ..spec import EndpointSpec
from .schedule import WindowBounds, bounds_at, moments_between, spans_between, zone_of

# Two changes of a zone's clocks were never closer to each other.
_LOOK_EVERY = timedelta(hours=12)


@dataclass(frozen=True)
class Stretch:
    """A time in which one window wins, or none is open (`bounds.name` None). `beneath`: windows
    that are open in it too, at least for a while, and lose because they are listed later."""

    start: datetime
    end: datetime
    bounds: WindowBounds
    beneath: tuple[str, ...] = ()

    @property
    def hours(self) -> float:
        return (self.end - self.start) / timedelta(hours=1)


@dataclass(frozen=True)
class ClockChange:
    """The moment at which a zone's offset from UTC changes."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def moved_by(self) -> timedelta:
        """How far the clocks go forward; negative: back."""
        return self.after - self.before


def stretches(spec: EndpointSpec, start: datetime, end: datetime) -> tuple[Stretch, ...]:
    """Returns the stretches of [start, end), without a gap between them."""
    first, last = start.astimezone(UTC), end.astimezone(UTC)
    found: list[Stretch] = []
    moments = [first, *moments_between(spec, first, last)]
    for moment, until in zip(moments, [*moments[1:], last], strict=True):
        if moment >= until:
            continue
        bounds = bounds_at(spec, moment)
        if found and found[-1].bounds == bounds:
            found[-1] = Stretch(found[-1].start, until, bounds)
        else:
            found.append(Stretch(moment, until, bounds))
    return tuple(_with_beneath(spec, found)) if found else ()


def _with_beneath(spec: EndpointSpec, found: list[Stretch]) -> Iterator[Stretch]:
    first, last = found[0].start, found[-1].end
    spans = {w.name: spans_between(spec, w, first, last) for w in spec.schedule.windows}
    at = dict.fromkeys(spans, 0)
    for one in found:
        beneath = []
        for name, opened in spans.items():
            while at[name] < len(opened) and opened[at[name]][1] <= one.start:
                at[name] += 1
            open_too = at[name] < len(opened) and opened[at[name]][0] < one.end
            if open_too and name != one.bounds.name:
                beneath.append(name)
        yield Stretch(one.start, one.end, one.bounds, tuple(beneath))


def clock_changes(spec: EndpointSpec, start: datetime, end: datetime) -> tuple[ClockChange, ...]:
    """Returns the changes of the schedule's clocks in (start, end]."""
    zone = ZoneInfo(zone_of(spec))
    found: list[ClockChange] = []
    moment = start.astimezone(UTC).replace(microsecond=0)
    last = end.astimezone(UTC).replace(microsecond=0)
    while moment < last:
        until = min(moment + _LOOK_EVERY, last)
        if _offset(until, zone) != _offset(moment, zone):
            at = _first_with(_offset(until, zone), moment, until, zone)
            found.append(ClockChange(at, _offset(moment, zone), _offset(at, zone)))
        moment = until
    return tuple(found)


def _first_with(offset: timedelta, before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first whole second of (before, after] at which the zone has its last offset."""
    while (gap := int((after - before).total_seconds())) > 1:
        middle = before + timedelta(seconds=gap // 2)
        if _offset(middle, zone) == offset:
            after = middle
        else:
            before = middle
    return after


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)
