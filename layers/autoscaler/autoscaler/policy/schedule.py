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
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from ..spec import EndpointSpec, Window
from .laid import MICROSECOND, Laid, laid_out, to_moment, winner
from .local_time import DAY, aware_utc, days_around, span_on

HORIZON = timedelta(days=8)  # a week, and the day on which a window may have been skipped
# Where a window names dates, nth days or holidays: what comes every year comes within it.
LONG_HORIZON = timedelta(days=400)


@dataclass(frozen=True)
class WindowBounds:
    """What the schedule asks for: of the window `name`, or of the spec itself (None)."""

    name: str | None
    min_copies: int
    max_copies: int
    keep_alive: timedelta | None  # None: as learned
    deferrable: bool = False  # requests that may wait are worked off in it

    @property
    def effect(self) -> tuple[int, int, timedelta | None, bool]:
        """All but the name."""
        return self.min_copies, self.max_copies, self.keep_alive, self.deferrable

    def same_effect(self, other: WindowBounds) -> bool:
        """True when only the names differ."""
        return self.effect == other.effect

    @property
    def is_closed(self) -> bool:
        """Whether no copy is allowed: nothing wakes the endpoint (`closing.py`)."""
        return self.max_copies == 0


def zone_of(spec: EndpointSpec) -> str:
    """The IANA name of the zone in which the windows are read; UTC unless the spec says."""
    return spec.schedule.time_zone or "UTC"


def bounds_at(spec: EndpointSpec, moment: datetime) -> WindowBounds:
    """Returns the bounds in force at an aware moment; the first listed open window wins."""
    utc = aware_utc(moment)
    days = _days_at(spec, utc) if spec.schedule.windows else []
    for window in spec.schedule.windows:
        if _is_open(spec, window, utc, days):
            return _bounds_in(spec, window)
    return _bounds_outside(spec)


def listed_bounds(spec: EndpointSpec) -> tuple[WindowBounds, ...]:
    """The bounds of each window in their order, and last those outside all of them."""
    inside = (_bounds_in(spec, window) for window in spec.schedule.windows)
    return (*inside, _bounds_outside(spec))


def lay_out_windows(spec: EndpointSpec, start: datetime, end: datetime) -> Laid:
    """All windows over [start, end), each as number of its place in the list."""
    schedule, zone = spec.schedule, zone_of(spec)
    return laid_out(schedule, zone, schedule.windows, aware_utc(start), aware_utc(end))


def next_edge(
    spec: EndpointSpec, moment: datetime, horizon: timedelta | None = None
) -> datetime | None:
    """Returns the first UTC moment after `moment` at which the bounds change, within `horizon`:
    unless it is given, a time in which everything that this schedule repeats comes once."""
    start = aware_utc(moment)
    end = start + (horizon or _horizon(spec))
    while start < end and spec.schedule.windows:
        until = min(start + HORIZON, end)
        if change := next(_changes(spec, start, until), None):
            return change[0]
        start = until
    return None


def _horizon(spec: EndpointSpec) -> timedelta:
    weekly = all(window.is_weekly for window in spec.schedule.windows)
    return HORIZON if weekly else LONG_HORIZON


def edges_between(spec: EndpointSpec, start: datetime, end: datetime) -> tuple[datetime, ...]:
    """Returns the UTC moments in (start, end] at which the bounds change, in order."""
    return tuple(moment for moment, _ in changes_between(spec, start, end))


def changes_between(
    spec: EndpointSpec, start: datetime, end: datetime
) -> tuple[tuple[datetime, WindowBounds], ...]:
    """Returns those moments, each with the bounds from then on."""
    return tuple(_changes(spec, start, end)) if spec.schedule.windows else ()


def _changes(
    spec: EndpointSpec, start: datetime, end: datetime
) -> Iterator[tuple[datetime, WindowBounds]]:
    listed = listed_bounds(spec)
    before: WindowBounds | None = None
    # What opens or closes at `end` is seen in the microsecond after it.
    for since, _, open_windows in lay_out_windows(spec, start, end + MICROSECOND).states():
        after = listed[winner(open_windows)]
        if before is not None and not after.same_effect(before):
            yield to_moment(since), after
        before = after


def _bounds_in(spec: EndpointSpec, window: Window) -> WindowBounds:
    scaling = spec.scaling
    return WindowBounds(
        window.name,
        window.min_copies,
        scaling.max_copies if window.max_copies is None else window.max_copies,
        window.keep_alive or scaling.keep_alive,
        window.deferrable,
    )


def _bounds_outside(spec: EndpointSpec) -> WindowBounds:
    scaling = spec.scaling
    return WindowBounds(None, scaling.min_copies, scaling.max_copies, scaling.keep_alive)


def _days_at(spec: EndpointSpec, moment: datetime) -> list[date]:
    first, count = days_around(zone_of(spec), moment, moment)
    return [first + n * DAY for n in range(count)]


def _is_open(spec: EndpointSpec, window: Window, moment: datetime, days: Sequence[date]) -> bool:
    zone, opens = zone_of(spec), spec.schedule.opens
    spans = (span_on(window, zone, day) for day in days if opens(window, day))
    return any(start <= moment < end for start, end in spans)
