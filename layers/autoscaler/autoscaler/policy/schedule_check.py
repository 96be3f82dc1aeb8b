"""What of a schedule contradicts itself or is of no use, with the dates that show it; and what is
only odd.

Of 400 windows each pair may meet, and a Lambda answers 6 MB at most: of a kind at most so many
sentences are said, and each names so many windows or dates; the rest is counted.

Asked when a file is planned or applied, and by `schedule show`; never when a stored one is read,
whose dates pass while it is in force.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from ..spec import EndpointSpec, Window, format_duration
from .laid import Laid, to_moment, to_number
from .local_time import DAY, LOOK_EVERY, Span, span_on
from .opening_days import OpeningDays
from .rivalry import Turn, hiders, meetings, never_winning, without_effect
from .schedule import lay_out_windows, listed_bounds, zone_of
from .stretches import ClockChange, clock_changes, won

YEARS = 5  # in so many, 29 February comes once
_AHEAD = timedelta(days=YEARS * 365 + 1)
_YEAR = timedelta(days=366)
_MOST_SENTENCES = 20
_MOST_NAMED = 5


def faults(spec: EndpointSpec, now: datetime) -> Iterator[str]:
    """Yields a sentence for each part that can never matter, naming field, dates and way out."""
    schedule = spec.schedule
    if schedule.holidays and (problem := schedule.holidays.problem()):
        yield f"schedule.holidays.{problem}"
        return
    laid = lay_out_windows(spec, now, now + _AHEAD)
    if _is_always_closed(spec, laid, now):
        yield (
            f"schedule.windows: closed all the year from {now:%Y-%m-%d} (max_copies 0 at all "
            "times), so that no request is ever answered; leave a time of the day without such a "
            "window, or use `autoscaler delete` or `autoscaler stop` for what shall not run"
        )
    yield from _bounded(_useless(spec, laid, now))


def _useless(spec: EndpointSpec, laid: Laid, now: datetime) -> Iterator[str]:
    """The windows that never open, repeat another, or are always hidden."""
    hidden = never_winning(laid)
    today = now.astimezone(ZoneInfo(zone_of(spec))).date()
    opening = OpeningDays(spec.schedule, today, _AHEAD.days + 1)
    meant: dict[tuple[object, ...], Window] = {}
    for number, window in enumerate(spec.schedule.windows):
        first = meant.setdefault(_meaning(window), window)
        if not laid.turns[number]:
            yield f"schedule.windows.{window.name}: {_never_open(spec, window, now, opening)}"
        elif first is not window:
            yield f"schedule.windows.{window.name}: {_same(spec, laid, number, first)}"
        elif hidden >> number & 1:
            yield f"schedule.windows.{window.name}: {_never_wins(spec, laid, number)}"


def _is_always_closed(spec: EndpointSpec, laid: Laid, now: datetime) -> bool:
    """Whether a closed window wins at every moment of the next year."""
    if not any(window.is_closed for window in spec.schedule.windows):
        return False
    listed, last = listed_bounds(spec), to_number(now + _YEAR)
    within = takewhile(lambda turn: turn[0] < last, won(laid))
    return all(listed[first].is_closed for _, _, first, _ in within)


def _same(spec: EndpointSpec, laid: Laid, number: int, first: Window) -> str:
    return (
        f"means the same as {first.name!r}, which is listed before it and so wins whenever it is "
        f"open (next {_when(spec, _first_span(laid, number))}); take one of the two out"
    )


def _never_wins(spec: EndpointSpec, laid: Laid, number: int) -> str:
    windows = spec.schedule.windows
    names = _some([repr(windows[other].name) for other in hiders(laid, number)])
    return (
        f"never wins: {names}, listed before it, hides it "
        f"{_when(spec, _first_span(laid, number))}, and it is hidden at all other times until "
        f"{to_moment(laid.turns[number][-1]):%Y-%m-%d} too; list it first, or take it out"
    )


def _first_span(laid: Laid, number: int) -> Span:
    opens, closes = laid.turns[number][:2]
    return _span((opens, closes))


def _never_open(spec: EndpointSpec, window: Window, now: datetime, opening: OpeningDays) -> str:
    today = opening.days[0]
    dates = window.dates or ()
    if dates and not window.days and all(span.is_over(today - DAY) for span in dates):
        last = max(span.last for span in dates)
        return (
            f"all of its dates are over, the last on {last}; give it dates to come, write "
            f"{last:%m-%d} for every year, or take it out"
        )
    if skipped := _all_skipped(spec, window, now, opening):
        return (
            f"{_some(skipped)}, and it names no other day to come; name other days or hours, or "
            "take it out"
        )
    rule = f", with `holidays: {window.holidays}`" if window.holidays else ""
    return (
        f"is not open once from {today} to {today + _AHEAD}{rule}; name other days, or take it out"
    )


def _all_skipped(
    spec: EndpointSpec, window: Window, now: datetime, opening: OpeningDays
) -> list[str]:
    """What is said of each of its days to come if clocks jump over its hours on all of them."""
    zone, said = zone_of(spec), []
    for day in (opening.days[number] for number in opening.of(window)):
        opens, closes = span_on(window, zone, day)
        if closes <= now:
            continue
        if opens < closes:
            return []
        (change,) = clock_changes(spec, opens - LOOK_EVERY, opens)
        said.append(_moved_text(day, timedelta(0), change, ZoneInfo(zone), skipped=True))
    return said


def _meaning(window: Window) -> tuple[object, ...]:
    days = frozenset(window.days or ()), frozenset(window.dates or ()), window.holidays
    effect = window.min_copies, window.max_copies, window.keep_alive, window.deferrable
    return (*days, window.start, window.end, *effect)


def oddities(spec: EndpointSpec, now: datetime) -> Iterator[str]:
    """Yields what is allowed and may yet surprise within a year."""
    schedule = spec.schedule
    if schedule.holidays and not any(window.holidays for window in schedule.windows):
        yield (
            "schedule.holidays: no window asks for them; say `holidays: only`, `except` or `also` "
            "in one, or take the calendar out"
        )
    laid = lay_out_windows(spec, now, now + _YEAR)
    idle = without_effect(laid, [bounds.effect for bounds in listed_bounds(spec)])
    changes = clock_changes(spec, now, now + _YEAR)
    yield from _bounded(_overlaps(spec, meetings(laid)))
    yield from _bounded(_of_each(spec, lambda _, window: _moved(spec, window, changes)))
    yield from _bounded(_of_each(spec, lambda _, window: _half_over(spec, window, now)))
    yield from _bounded(_of_each(spec, lambda n, _: _without_effect(spec, idle.get(n))))


def _of_each(spec: EndpointSpec, said: Callable[[int, Window], Iterator[str]]) -> Iterator[str]:
    for number, window in enumerate(spec.schedule.windows):
        yield from (f"schedule.windows.{window.name}: {text}" for text in said(number, window))


def _bounded(sentences: Iterator[str]) -> Iterator[str]:
    """The first of one kind; of the others, how many there are."""
    yield from islice(sentences, _MOST_SENTENCES)
    if more := sum(1 for _ in sentences):
        yield f"schedule.windows: and {more} more like the last"


def _some(named: Sequence[str]) -> str:
    """The first of some, and how many more there are."""
    first, more = named[:_MOST_NAMED], len(named) - _MOST_NAMED
    if more > 0:
        return f"{', '.join(first)} and {more} more"
    return " and ".join(filter(None, (", ".join(first[:-1]), first[-1])))


def _overlaps(spec: EndpointSpec, met: Sequence[Mapping[int, Turn]]) -> Iterator[str]:
    """A sentence for each window that wins over others."""
    windows = spec.schedule.windows
    losing: dict[int, list[tuple[str, Turn]]] = {}
    for number, earlier in enumerate(met):
        for winner, turn in earlier.items():
            losing.setdefault(winner, []).append((windows[number].name, turn))
    for winner, others in sorted(losing.items()):
        shown = [f"{name!r} ({_next(spec, turn)})" for name, turn in others[:_MOST_NAMED]]
        names = _some([*shown, *(name for name, _ in others[_MOST_NAMED:])])
        count = f"{len(others)} others: " if len(others) > _MOST_NAMED else ""
        yield (
            f"schedule.windows.{windows[winner].name}: listed first, it wins where it overlaps "
            f"{count}{names}"
        )


def _next(spec: EndpointSpec, turn: Turn) -> str:
    return f"next {_when(spec, _span(turn))}"


def _moved(spec: EndpointSpec, window: Window, changes: Sequence[ClockChange]) -> Iterator[str]:
    """Where a change of the clocks makes it shorter or longer: once for each direction."""
    zone = ZoneInfo(zone_of(spec))
    told: set[bool] = set()
    for change in changes:
        changed_on = change.at.astimezone(zone).date()
        for day in (changed_on - DAY, changed_on):
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
        yield f"{_some(over)} {'is' if len(over) == 1 else 'are'} over; take it out"


def _without_effect(spec: EndpointSpec, won: Turn | None) -> Iterator[str]:
    """A window that wins and changes nothing: without it the same would hold."""
    if won:
        when = _when(spec, _span(won))
        yield f"changes nothing: {when}, and at all other times, the same holds without it"


def _span(turn: Turn) -> Span:
    return to_moment(turn[0]), to_moment(turn[1])


def _when(spec: EndpointSpec, span: Span) -> str:
    """`on 2026-12-24 08:00-18:00`, in the schedule's time zone."""
    zone = ZoneInfo(zone_of(spec))
    opens, closes = (moment.astimezone(zone) for moment in span)
    end = f"{closes:%H:%M}" if closes.date() == opens.date() else f"{closes:%Y-%m-%d %H:%M}"
    if closes.date() == opens.date() + DAY and f"{closes:%H:%M}" == "00:00":
        end = "24:00"
    return f"on {opens:%Y-%m-%d %H:%M}-{end}"
