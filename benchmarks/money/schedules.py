"""A year of schedules, minute by minute, against a reckoning of its own.

The policy says of every UTC minute of a year which window wins. The reckoning knows nothing of it:
it reads the local clock of every minute, and finds for each day on which a window opens the first
minute at which the clock has reached its start and the last at which it has not reached its end.
The days come from rules that are written out here, holidays from a list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from autoscaler.catalog.loading import expected_start
from autoscaler.catalog.models import known_models
from autoscaler.policy import Bounds, History, Observation, Phase, Transition, bounds_at, decide
from autoscaler.policy.schedule import edges_between
from autoscaler.spec import EndpointSpec, parse_spec
from benchmarks.money import many_windows
from benchmarks.staging.figures import Figure, at_most

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AROUND = 3 * 1440  # minutes before and after a day, among which its window is looked for
LEAD = timedelta(seconds=245)
R1_LEAD = timedelta(minutes=45)  # FACTS.md: 30 to 45 minutes

OpensOn = Callable[[date], bool]


@dataclass(frozen=True)
class Declared:
    """A window as the file has it, and again as a rule: opens on, from and to in minutes of the
    day; `until` above 1440 is on the next day."""

    document: dict[str, Any]
    opens_on: OpensOn
    since: int
    until: int


@dataclass(frozen=True)
class Case:
    """A schedule in a zone and a year; `changes`: how often its clocks are changed then."""

    zone: str
    year: int
    changes: int
    windows: Sequence[Declared]
    calendar: dict[str, str] | None = None


# Public holidays by Berlin's law on Sundays and holidays, written down here and not asked of the
# library; with the one that begins before the year is over in UTC.
BERLIN_2026 = {
    *(
        date(2026, month, day)
        for month, day in (
            (1, 1), (3, 8), (4, 3), (4, 6), (5, 1), (5, 14), (5, 25), (10, 3), (12, 25), (12, 26),
        )
    ),
    date(2027, 1, 1),
}  # fmt: skip


def window(name: str, start: str, end: str, **days: Any) -> dict[str, Any]:
    return {"name": name, "start": start, "end": end, "min_copies": 1, **days}


def _weekday(day: date) -> bool:
    return day.weekday() < 5


PEAK = Declared(
    window("peak", "08:00", "18:00", days=["mon", "tue", "wed", "thu", "fri"]), _weekday, 480, 1080
)
NIGHT = Declared(  # over midnight, and over the change of the clocks, which is on a Sunday
    window("night", "22:00", "06:00", days=["sat", "sun"]), lambda d: d.weekday() > 4, 1320, 1800
)
# Its start is skipped in spring and comes twice in autumn.
SMALL_HOURS = Declared(
    window("small-hours", "02:15", "04:45", days=["sun"]), lambda d: d.weekday() == 6, 135, 285
)
PATCHES = Declared(
    window("patches", "00:00", "24:00", days=["first mon", "last fri"]),
    lambda d: (d.weekday() == 0 and d.day <= 7) or (d.weekday() == 4 and (d + 7 * DAY).day <= 7),
    0,
    1440,
)
YEAR_END = Declared(
    window("year-end", "06:00", "24:00", dates=["12-24..01-02"]),
    lambda d: (d.month, d.day) >= (12, 24) or (d.month, d.day) <= (1, 2),
    360,
    1440,
)
CLOSED = Declared(
    window("closed", "00:00", "24:00", holidays="only"), lambda d: d in BERLIN_2026, 0, 1440
)
ALL = (SMALL_HOURS, PATCHES, YEAR_END, PEAK, NIGHT)

CASES = (
    Case("America/New_York", 2026, 2, ALL),
    Case("Europe/Berlin", 2026, 2, (CLOSED, *ALL), {"calendar": "DE", "subdivision": "BE"}),
    Case("Asia/Kolkata", 2026, 0, ALL),
    Case("Australia/Lord_Howe", 2026, 2, ALL),  # by half an hour
    Case("America/Sao_Paulo", 2026, 0, ALL),
    Case("America/Sao_Paulo", 2018, 2, ALL),  # at midnight; given up in 2019
)


@dataclass(frozen=True)
class Found:
    """Minutes of one case. A minute inside another window than the one that is declared to win is
    outside the one and missing in the other."""

    case: Case
    minutes: int
    inside: int
    outside: int
    missing: int
    changes: int


def spec_of(case: Case) -> EndpointSpec:
    schedule: dict[str, Any] = {
        "time_zone": case.zone,
        "windows": [one.document for one in case.windows],
    }
    if case.calendar:
        schedule["holidays"] = case.calendar
    return parse_spec(
        {
            "name": "year",
            "model": {"id": "acme/model"},
            "instances": {"types": ["ml.g6e.xlarge"]},
            "scaling": {"max_copies": 2, "keep_alive": "10m"},
            "schedule": schedule,
        }
    )


def year_of(case: Case, days: int | None = None) -> Found:
    """Compares every minute of the year (or of its first days), in UTC."""
    start = datetime(case.year, 1, 1, tzinfo=UTC)
    end = datetime(case.year + 1, 1, 1, tzinfo=UTC) if days is None else start + days * DAY
    minutes = int((end - start) / MINUTE)
    expected, changes = reckoned(case, start, minutes)
    spec, names = spec_of(case), [one.document["name"] for one in case.windows]
    number = {name: index for index, name in enumerate(names)} | {None: -1}
    got = np.fromiter(
        (number[bounds_at(spec, start + n * MINUTE).name] for n in range(minutes)),
        dtype=np.int8,
        count=minutes,
    )
    differs = got != expected
    return Found(
        case,
        minutes,
        int(np.count_nonzero(expected >= 0)),
        int(np.count_nonzero(differs & (got >= 0))),
        int(np.count_nonzero(differs & (expected >= 0))),
        changes,
    )


def reckoned(case: Case, start: datetime, minutes: int) -> tuple[Any, int]:
    """The winning window of each minute (-1: none) by the local clock, and how often that jumps."""
    zone = ZoneInfo(case.zone)
    before = start - 2 * _AROUND * MINUTE
    shown = np.fromiter(
        (_shown(before + n * MINUTE, zone) for n in range(minutes + 4 * _AROUND)),
        dtype=np.int64,
        count=minutes + 4 * _AROUND,
    )
    winner = np.full(len(shown), -1, dtype=np.int8)
    first = (before + 1.5 * _AROUND * MINUTE).date()
    for number in range(len(case.windows) - 1, -1, -1):  # who is listed first is laid on last
        declared = case.windows[number]
        for back in range((minutes + _AROUND) // 1440 + 2):
            day = first + back * DAY
            if declared.opens_on(day):
                opens, closes = _span(shown, declared, day, before)
                winner[opens:closes] = number
    inside = slice(2 * _AROUND, 2 * _AROUND + minutes)
    jumps = int(np.count_nonzero(np.diff(shown[inside]) != 1))
    return winner[inside], jumps


def _shown(moment: datetime, zone: ZoneInfo) -> int:
    """The minute that local clocks show, counted as if there were no zones."""
    return int((moment.astimezone(zone).replace(tzinfo=UTC) - _EPOCH) / MINUTE)


def _span(shown: Any, declared: Declared, day: date, before: datetime) -> tuple[int, int]:
    """From the first minute at which clocks have reached the start, to after the last at which
    they have not reached the end."""
    as_if_utc = datetime.combine(day, time(), UTC)
    midnight, about = (as_if_utc - _EPOCH) // MINUTE, (as_if_utc - before) // MINUTE
    low = max(0, about - _AROUND)
    clocks = shown[low : about + _AROUND]
    opens = low + int(np.argmax(clocks >= midnight + declared.since))
    closes = low + int(np.nonzero(clocks < midnight + declared.until)[0][-1]) + 1
    return opens, max(opens, closes)


@dataclass(frozen=True)
class Starts:
    """What a start takes, and what the policy knows of it."""

    takes: timedelta = LEAD
    history: History = field(default_factory=lambda: History(lead_times=(LEAD,)))


MEASURED = Starts()
# What `control.observe` gives an endpoint of which no start was measured: the size of its model.
UNMEASURED = {
    "an 8B": Starts(history=History()),
    "DeepSeek-R1": Starts(
        R1_LEAD,
        History(estimated_start=expected_start(known_models()["deepseek-ai/DeepSeek-R1"])),
    ),
}


@dataclass(frozen=True)
class Lateness:
    """How long capacity was missing at the openings of a year."""

    tick_minutes: int
    openings: int
    late_seconds: float


def lateness(case: Case, tick_minutes: int, starts: Starts = MEASURED) -> Lateness:
    """Seconds after an opening until a copy serves, over all openings: asleep until a tick wakes
    it, ready a lead time later. The ticks come at three different seconds and minutes."""
    spec, tick = spec_of(case), timedelta(minutes=tick_minutes)
    start = datetime(case.year, 1, 1, tzinfo=UTC)
    openings = [
        edge
        for edge in edges_between(spec, start, start + 365 * DAY)
        if bounds_at(spec, edge).min_copies > bounds_at(spec, edge - MINUTE).min_copies
    ]
    late = 0.0
    for edge in openings:
        for shift in (0.0, 0.35, 0.99):
            # Ticks, of which the first comes before any that could matter.
            ahead = 2 + (starts.takes + tick + MINUTE) // tick
            first = edge - (ahead - shift) * tick
            ready = _first_wake(spec, first, tick, starts.history) + starts.takes
            late += max(0.0, (ready - edge).total_seconds())
    return Lateness(tick_minutes, len(openings), late)


def _first_wake(spec: EndpointSpec, first: datetime, tick: timedelta, history: History) -> datetime:
    for now in _ticks(first, tick):
        asleep = Observation(
            phase=Phase.ASLEEP,
            phase_since=first,
            desired_copies=0,
            observed_copies=0,
            bounds=Bounds(0, 2),
            backlog=0,
            in_flight=0.0,
            tick=tick,
        )
        if decide(spec, asleep, history, now).transition is Transition.WAKE:
            return now
    raise RuntimeError("nothing woke it for its window")


def _ticks(first: datetime, tick: timedelta) -> Iterator[datetime]:
    yield from (first + n * tick for n in range(60))


def figures() -> list[Figure]:
    """Nothing outside, nothing missing, in any zone; capacity serves when a window opens."""
    rows: list[Figure] = []
    for case in CASES:
        found = year_of(case)
        name = f"{case.zone} {case.year}"
        if found.changes != case.changes:
            raise RuntimeError(f"{name}: {found.changes} changes of the clocks, not {case.changes}")
        clocks = f"{found.changes} clock changes, {found.inside:,} of {found.minutes:,} min inside"
        rows.append(at_most(f"{name}, {clocks}: outside", found.outside, 0, "{:.0f} min"))
        rows.append(at_most(f"{name}: missing", found.missing, 0, "{:.0f} min"))
    for tick_minutes in (1, 5, 15):
        late = lateness(CASES[1], tick_minutes)
        what = f"late at {late.openings} openings, a look every {tick_minutes} min"
        rows.append(at_most(what, late.late_seconds, 0, "{:.0f} s"))
    for model, starts in UNMEASURED.items():
        late = lateness(CASES[1], 1, starts)
        takes = f"{starts.takes.total_seconds() / 60:.0f} min"
        what = f"late at {late.openings} openings, {model} ({takes}) of which no start was measured"
        rows.append(at_most(what, late.late_seconds, 0, "{:.0f} s"))
    return [*rows, *many_windows.figures()]
