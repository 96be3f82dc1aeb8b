"""How a schedule looks in a terminal: who wins, every transition, hours and cost by month."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from autoscaler.policy.schedule import bounds_at, zone_of
from autoscaler.policy.stretches import ClockChange, Stretch
from autoscaler.policy.wording import counted
from autoscaler.spec import Day, HolidayRule, Window, format_duration
from autoscaler.spec.days import WEEK
from autoscaler.spec.schedule import end_text
from tools.cli.schedule_starts import starts_of
from tools.cli.schedule_year import OUTSIDE, Laid, Month

_RULES = {
    HolidayRule.ONLY: "only if a holiday",
    HolidayRule.EXCEPT: "but for holidays",
    HolidayRule.ALSO: "and holidays",
}


def page(laid: Laid) -> Group:
    """Everything that `schedule show` prints."""
    return Group(
        *_head(laid),
        _precedence(laid),
        *(f"[magenta]{escape(text)}[/]" for text in laid.overrides),
        *(f"[yellow]{escape(text)}[/]" for text in (*laid.odd, *laid.notes)),
        "",
        _transitions(laid),
        "",
        _hours(laid),
        *_cost(laid),
    )


def _head(laid: Laid) -> Iterator[RenderableType]:
    start, end = (moment.astimezone(laid.zone) for moment in (laid.start, laid.end))
    days = (end.date() - start.date()).days
    calendar = laid.spec.schedule.holidays
    holidays = f", holidays of {calendar}" if calendar else ""
    begins = f"{start:%Y-%m-%d %H:%M} {_offset(start)}"
    yield f"[bold]{escape(laid.spec.name)}[/], {days} days from {begins}"
    zone = f"{zone_of(laid.spec)}{escape(holidays)}"
    yield f"{zone}; of the windows that are open the first listed wins"


def _precedence(laid: Laid) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("", "window", "on", "from", "to", "copies", "idle"):
        table.add_column(heading, overflow="fold")
    scaling = laid.spec.scaling
    for number, window in enumerate(laid.spec.schedule.windows, 1):
        table.add_row(
            str(number),
            window.name,
            days_text(window),
            f"{window.start:%H:%M}",
            end_text(window.end),
            *_kept(
                window.min_copies,
                scaling.max_copies if window.max_copies is None else window.max_copies,
                window.keep_alive or scaling.keep_alive,
            ),
        )
    outside = _kept(scaling.min_copies, scaling.max_copies, scaling.keep_alive)
    table.add_row("", OUTSIDE, "otherwise", "", "", *outside)
    return table


def days_text(window: Window) -> str:
    """`mon-fri, first sat, 12-24 but for holidays`."""
    plain = [WEEK.index(day) for day in window.days or () if isinstance(day, Day)]
    nth = [str(day) for day in window.days or () if not isinstance(day, Day)]
    named = ", ".join([*_runs(plain), *nth, *map(str, window.dates or ())])
    if window.holidays is None:
        return named
    return f"{named} {_RULES[window.holidays]}" if named else "holidays"


def _runs(days: Sequence[int]) -> Iterator[str]:
    """Three days or more in a row as from and to."""
    left = sorted(days)
    while left:
        run = [left.pop(0)]
        while left and left[0] == run[-1] + 1:
            run.append(left.pop(0))
        if len(run) > 2:
            yield f"{WEEK[run[0]]}-{WEEK[run[-1]]}"
        else:
            yield from (str(WEEK[day]) for day in run)


def _transitions(laid: Laid) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("local time", "UTC", "from then on", "copies", "idle"):
        table.add_column(heading, no_wrap=True)
    table.add_column("", overflow="fold")
    month = ""
    rows: list[tuple[datetime, Stretch | ClockChange]] = [
        *((one.start, one) for one in laid.stretches),
        *((change.at, change) for change in laid.changes),
    ]
    for moment, one in sorted(rows, key=lambda row: (row[0], isinstance(row[1], Stretch))):
        local = moment.astimezone(laid.zone)
        if (now := f"{local:%B %Y}") != month:
            month = now
            table.add_row(f"[bold]{month}[/]")
        shown = f"{local:%a %d  %H:%M} {_offset(local)}"
        if isinstance(one, ClockChange):
            change = f"[cyan]{_clocks(one, local)}[/]"
            table.add_row(shown, _utc(moment, local), "[cyan]clocks[/]", "", "", change)
        else:
            table.add_row(shown, _utc(moment, local), *_what(laid, one))
    return table


def _what(laid: Laid, one: Stretch) -> tuple[str, str, str, str]:
    bounds = one.bounds
    name = bounds.name or f"[dim]{OUTSIDE}[/]"
    notes = [f"hides {', '.join(one.beneath)}"] if one.beneath else []
    if bounds.name is None and laid.spec.schedule.windows:
        notes.append(_gap(laid, one))
    if holiday := laid.holiday(one.start):
        notes.append(holiday)
    kept = _kept(bounds.min_copies, bounds.max_copies, bounds.keep_alive)
    return (name, *kept, escape("; ".join(notes)))


def _gap(laid: Laid, one: Stretch) -> str:
    """How long it lasts; of one that goes on before or after the list, how much of it is shown."""
    earlier = one.start == laid.start and _is_outside(laid, one.start - timedelta.resolution)
    later = one.end == laid.end and _is_outside(laid, one.end)
    least = "at least " if earlier or later else ""
    return f"gap of {least}{format_duration(one.end - one.start)}"


def _is_outside(laid: Laid, moment: datetime) -> bool:
    return bounds_at(laid.spec, moment).name is None


def _clocks(change: ClockChange, local: datetime) -> str:
    way = "forward" if change.moved_by > timedelta(0) else "back"
    before = local.replace(tzinfo=None) - change.moved_by
    return f"{way} {format_duration(abs(change.moved_by))}, {before:%H:%M} to {local:%H:%M}"


def _hours(laid: Laid) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("hours")
    for name in laid.names:
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("costs", justify="right", no_wrap=True)
    for month in (*laid.months, laid.total()):
        style = "bold" if month.name == "in total" else None
        table.add_row(*_month_row(laid, month), style=style)
    return table


def _month_row(laid: Laid, month: Month) -> list[str]:
    found = (month.by_window.get(name, 0.0) for name in laid.names)
    hours = [f"{h:,.0f}" if abs(h - round(h)) < 1e-6 else f"{h:,.2f}" for h in found]
    usd = laid.rate.usd(month.by_copies)
    return [month.name, *hours, "not known" if usd is None else f"${usd:,.2f}"]


def _cost(laid: Laid) -> Iterator[str]:
    rate = laid.rate
    if rate.usd_per_hour is None:
        price = f"the price of {rate.instance_type} is not known ({rate.source})"
    else:
        price = f"{rate.instance_type} at ${rate.usd_per_hour:,.2f} an hour ({rate.source})"
    fits = rate.copies_per_instance
    copies = f", {fits} copies to an instance" if fits > 1 else ""
    yield (
        "[dim]Costs are what the schedule alone asks for: hours x min_copies. On top comes what "
        f"requests wake{_starts(laid)}. {escape(price)}{copies}.[/]"
    )


def _starts(laid: Laid) -> str:
    found = starts_of(laid)
    if not found.instances:
        return ""
    each = format_duration(timedelta(minutes=round(found.each / timedelta(minutes=1))))
    usd = "" if found.usd is None else f": about ${found.usd:,.2f}"
    return f", and {counted(found.instances, 'start')} by the schedule, {each} each{usd}"


def _kept(low: int, high: int, keep_alive: timedelta | None) -> tuple[str, str]:
    """How many copies, and how long they stay idle; none do where nothing wakes it."""
    if high == 0:
        return "closed", ""
    return str(low) if low == high else f"{low}-{high}", _idle(keep_alive)


def _idle(keep_alive: timedelta | None) -> str:
    return "learned" if keep_alive is None else format_duration(keep_alive)


def _offset(local: datetime) -> str:
    text = f"{local:%z}"
    return f"{text[:3]}:{text[3:]}"


def _utc(moment: datetime, local: datetime) -> str:
    """The time, with the day where it is another one."""
    same = moment.date() == local.date()
    return f"{moment:%H:%M}" if same else f"{moment:%a %H:%M}"
