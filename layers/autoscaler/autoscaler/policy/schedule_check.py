"""What of a schedule contradicts itself or is of no use, with the dates that show it; and what is
only odd.

Asked when a file is planned or applied, and by `schedule show`; never when a stored one is read,
whose dates pass while it is in force.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from ..spec import EndpointSpec, Window, format_duration
from .schedule import Span, bounds_at, edges_between, span_on, spans_between, zone_of
from .stretches import ClockChange, clock_changes, stretches

YEARS = 5  # in so many, 29 February comes once
_AHEAD = timedelta(days=YEARS * 365 + 1)
_YEAR = timedelta(days=366)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class _Opened:
    """A window and when it is open in the next years, whatever the others are."""

    window: Window
    spans: tuple[Span, ...]


def faults(spec: EndpointSpec, now: datetime) -> Iterator[str]:
    """Yields a sentence for each part that can never matter, naming field, dates and way out."""
    schedule = spec.schedule
    if schedule.holidays and (problem := schedule.holidays.problem()):
        yield f"schedule.holidays.{problem}"
        return
    earlier: list[_Opened] = []
    for window in schedule.windows:
        opened = _Opened(window, spans_between(spec, window, now, now + _AHEAD))
        if wrong := _fault(spec, opened, earlier, now):
            yield f"schedule.windows.{window.name}: {wrong}"
        earlier.append(opened)


def _fault(
    spec: EndpointSpec, opened: _Opened, earlier: Sequence[_Opened], now: datetime
) -> str | None:
    window, spans = opened.window, opened.spans
    if not spans:
        return _never_open(spec, window, now)
    when = _when(spec, spans[0])
    same = next((one for one in earlier if _meaning(one.window) == _meaning(window)), None)
    if same is not None:
        return (
            f"means the same as {same.window.name!r}, which is listed before it and so wins "
            f"whenever it is open (next {when}); take one of the two out"
        )
    hidden_by = [one for one in earlier if _minus(spans[:1], one.spans) != spans[:1]]
    if _left(spans, [span for one in earlier for span in one.spans]):
        return None
    names = " and ".join(repr(one.window.name) for one in hidden_by)
    return (
        f"never wins: {names}, listed before it, hides it {when}, and it is hidden at all other "
        f"times until {spans[-1][1]:%Y-%m-%d} too; list it first, or take it out"
    )


def _never_open(spec: EndpointSpec, window: Window, now: datetime) -> str:
    today = now.astimezone(ZoneInfo(zone_of(spec))).date()
    dates = window.dates or ()
    if dates and not window.days and all(span.is_over(today - _DAY) for span in dates):
        last = max(span.last for span in dates)
        return (
            f"all of its dates are over, the last on {last}; give it dates to come, write "
            f"{last:%m-%d} for every year, or take it out"
        )
    rule = f", with `holidays: {window.holidays}`" if window.holidays else ""
    return (
        f"is not open once from {today} to {today + _AHEAD}{rule}; name other days, or take it out"
    )


def _meaning(window: Window) -> tuple[object, ...]:
    days = frozenset(window.days or ()), frozenset(window.dates or ()), window.holidays
    effect = window.min_copies, window.max_copies, window.keep_alive, window.deferrable
    return (*days, window.start, window.end, *effect)


def _left(spans: Sequence[Span], earlier: Sequence[Span]) -> bool:
    """Whether anything of `spans` is outside all of `earlier`."""
    return bool(_minus(spans, earlier))


def _minus(spans: Sequence[Span], taken: Sequence[Span]) -> tuple[Span, ...]:
    """What is left of disjoint spans, in order, without others in any order."""
    covers = sorted(taken)
    left: list[Span] = []
    first = 0
    for opens, closes in spans:
        while first < len(covers) and covers[first][1] <= opens:
            first += 1
        for index in range(first, len(covers)):
            start, end = covers[index]
            if start >= closes:
                break
            if start > opens:
                left.append((opens, start))
            opens = max(opens, end)
        if opens < closes:
            left.append((opens, closes))
    return tuple(left)


def oddities(spec: EndpointSpec, now: datetime) -> Iterator[str]:
    """Yields what is allowed and may yet surprise within a year."""
    schedule = spec.schedule
    if schedule.holidays and not any(window.holidays for window in schedule.windows):
        yield (
            "schedule.holidays: no window asks for them; say `holidays: only`, `except` or `also` "
            "in one, or take the calendar out"
        )
    until = now + _YEAR
    opened = [_Opened(w, spans_between(spec, w, now, until)) for w in schedule.windows]
    changes = clock_changes(spec, now, until)
    for number, one in enumerate(opened):
        where = f"schedule.windows.{one.window.name}"
        for text in (
            *_overlaps(spec, one, opened[:number]),
            *_moved(spec, one.window, changes),
            *_half_over(spec, one.window, now),
            *_without_effect(spec, one.window, now, until),
        ):
            yield f"{where}: {text}"


def _overlaps(spec: EndpointSpec, one: _Opened, earlier: Sequence[_Opened]) -> Iterator[str]:
    for other in earlier:
        for opens, closes in one.spans:
            both = [(max(opens, a), min(closes, b)) for a, b in other.spans if a < closes]
            common = next((span for span in both if span[0] < span[1]), None)
            if common:
                name = other.window.name
                yield f"overlaps {name!r}, next {_when(spec, common)}; {name!r}, listed first, wins"
                break


def _moved(spec: EndpointSpec, window: Window, changes: Sequence[ClockChange]) -> Iterator[str]:
    """Where a change of the clocks makes it shorter or longer: once for each direction."""
    zone = ZoneInfo(zone_of(spec))
    told: set[bool] = set()
    for change in changes:
        changed_on = change.at.astimezone(zone).date()
        for day in (changed_on - _DAY, changed_on):
            if not spec.schedule.opens(window, day) or (change.moved_by > timedelta(0)) in told:
                continue
            opens, closes = span_on(window, zone_of(spec), day)
            off = (closes - opens) - _by_the_clock(window)
            if off:
                told.add(change.moved_by > timedelta(0))
                yield _moved_text(day, off, change, zone, skipped=opens == closes)


def _moved_text(
    day: date, off: timedelta, change: ClockChange, zone: ZoneInfo, *, skipped: bool
) -> str:
    shown = change.at.astimezone(zone)
    was = (shown - change.moved_by).time()
    clocks = f"clocks go from {was:%H:%M} to {shown:%H:%M} on {shown.date()}"
    if skipped:
        return f"does not open on {day}: {clocks}"
    span = format_duration(abs(off))
    return f"is {span} {'longer' if off > timedelta(0) else 'shorter'} on {day}: {clocks}"


def _by_the_clock(window: Window) -> timedelta:
    """How long it is on a day of 24 hours."""
    utc = span_on(window, "UTC", date(2026, 1, 1))
    return utc[1] - utc[0]


def _half_over(spec: EndpointSpec, window: Window, now: datetime) -> Iterator[str]:
    today = now.astimezone(ZoneInfo(zone_of(spec))).date()
    over = [str(span) for span in window.dates or () if span.is_over(today)]
    if over:
        yield f"{', '.join(over)} {'is' if len(over) == 1 else 'are'} over; take it out"


def _without_effect(
    spec: EndpointSpec, window: Window, now: datetime, until: datetime
) -> Iterator[str]:
    """A window that wins and changes nothing: without it the same would hold."""
    others = tuple(one for one in spec.schedule.windows if one is not window)
    schedule = spec.schedule.model_copy(update={"windows": others})
    without = spec.model_copy(update={"schedule": schedule})
    won = [one for one in stretches(spec, now, until) if one.bounds.name == window.name]
    for one in won:
        inner = edges_between(without, one.start, one.end - timedelta(microseconds=1))
        for moment in (one.start, *inner):
            if not bounds_at(without, moment).same_effect(one.bounds):
                return
    if won:
        when = _when(spec, (won[0].start, won[0].end))
        yield f"changes nothing: {when}, and at all other times, the same holds without it"


def _when(spec: EndpointSpec, span: Span) -> str:
    """`on 2026-12-24 08:00-18:00`, in the schedule's time zone."""
    zone = ZoneInfo(zone_of(spec))
    opens, closes = (moment.astimezone(zone) for moment in span)
    end = f"{closes:%H:%M}" if closes.date() == opens.date() else f"{closes:%Y-%m-%d %H:%M}"
    if closes.date() == opens.date() + _DAY and f"{closes:%H:%M}" == "00:00":
        end = "24:00"
    return f"on {opens:%Y-%m-%d %H:%M}-{end}"
