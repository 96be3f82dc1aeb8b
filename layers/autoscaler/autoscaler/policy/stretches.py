"""A schedule laid out over time: what holds from when to when, and where the clocks are changed.

For listings and for checks; decisions ask `bounds_at`, with which this agrees at every moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ..spec import EndpointSpec
from .laid import Laid, numbers, to_moment, winner
from .local_time import LOOK_EVERY, offset_at
from .schedule import WindowBounds, lay_out_windows, listed_bounds, zone_of


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
    listed, names = listed_bounds(spec), [window.name for window in spec.schedule.windows]
    laid = lay_out_windows(spec, start, end)
    return tuple(
        Stretch(
            to_moment(since),
            to_moment(until),
            listed[first],
            tuple(names[number] for number in numbers(beneath)),
        )
        for since, until, first, beneath in won(laid)
    )


def won(laid: Laid) -> Iterator[tuple[int, int, int, int]]:
    """Yields since when and until when each window wins (-1: none is open), and those that are open
    beneath it at least for a while; without a gap."""
    held: tuple[int, int, int, int] | None = None
    for since, until, open_windows in laid.states():
        first = winner(open_windows)
        beneath = open_windows & (open_windows - 1)  # all but the first
        if held is not None and held[2] == first:
            held = (held[0], until, first, held[3] | beneath)
            continue
        if held is not None:
            yield held
        held = (since, until, first, beneath)
    if held is not None:
        yield held


def clock_changes(spec: EndpointSpec, start: datetime, end: datetime) -> tuple[ClockChange, ...]:
    """Returns the changes of the schedule's clocks in (start, end]."""
    zone = ZoneInfo(zone_of(spec))
    found: list[ClockChange] = []
    moment = start.astimezone(UTC).replace(microsecond=0)
    last = end.astimezone(UTC).replace(microsecond=0)
    while moment < last:
        until = min(moment + LOOK_EVERY, last)
        if offset_at(until, zone) != offset_at(moment, zone):
            at = _first_with(offset_at(until, zone), moment, until, zone)
            found.append(ClockChange(at, offset_at(moment, zone), offset_at(at, zone)))
        moment = until
    return tuple(found)


def _first_with(offset: timedelta, before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first whole second of (before, after] at which the zone has its last offset."""
    while (gap := int((after - before).total_seconds())) > 1:
        middle = before + timedelta(seconds=gap // 2)
        if offset_at(middle, zone) == offset:
            after = middle
        else:
            before = middle
    return after
