"""Whose an endpoint was when, for what has no team of its own: baseline, wakes and requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from ..endpoints.status import EndpointRecord, HistoryEntry, Traffic, UsageSegment
from .billed import EVER, AlwaysOn
from .figures import Served, Wakes
from .sums import served_of
from .wakes import wakes_of


@dataclass(frozen=True)
class Held:
    """From `start` to `end` the endpoint was of this team."""

    team: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Part:
    """What an endpoint would have cost and did while it was of one team."""

    team: str
    baseline: AlwaysOn | None
    wakes: Wakes
    served: Served


def held(
    team: str, segments: Iterable[UsageSegment], start: datetime, until: datetime
) -> tuple[Held, ...]:
    """The spans of [start, until) by team, without gap or overlap; at least one. `team`: the last
    that is known; `segments`: all of the endpoint, oldest first, those around the period too.

    Only segments keep the team of their time. While nothing ran, nobody knows when a file got
    another team: the time from the last instance of the one team on is taken for the next one's,
    as is the wake with which that begins, and what lies before the first instance for its team's.
    """
    turns = [*_turns(team, segments), (until, "")]
    spans = [Held(one, max(a, start), min(b, until)) for (a, one), (b, _) in pairwise(turns)]
    return tuple(span for span in spans if span.start < span.end) or (Held(team, start, until),)


def parts_of(
    spans: Sequence[Held],
    record: EndpointRecord | None,
    whole: AlwaysOn | None,
    lines: Sequence[HistoryEntry],
    counted: Iterable[Traffic],
) -> tuple[Part, ...]:
    """An endpoint's baseline, wakes and requests, each in one of the parts: they add up to all."""
    asked: dict[Held, list[Traffic]] = defaultdict(list)
    for row in counted:
        asked[_holder(spans, row)].append(row)
    return tuple(
        Part(
            team=span.team,
            baseline=whole.within(span.start, span.end) if whole else None,
            wakes=wakes_of(record, lines, span.start, span.end),
            served=served_of(asked[span]),
        )
        for span in spans
    )


def _holder(spans: Sequence[Held], counted: Traffic) -> Held:
    """An hour is, as with periods, of whoever holds its middle."""
    middle = counted.start + (counted.end - counted.start) / 2
    return next((span for span in reversed(spans) if span.start <= middle), spans[0])


def _turns(team: str, segments: Iterable[UsageSegment]) -> Iterator[tuple[datetime, str]]:
    """Each team with the moment from which on the endpoint was its own."""
    current, gone = None, EVER
    for one in segments:
        if one.team == current:
            gone = max(gone, one.end)
            continue
        yield min(gone, one.start), one.team  # the two may overlap: two types may run at once
        current, gone = one.team, one.end
    if team != current:
        yield gone, team
