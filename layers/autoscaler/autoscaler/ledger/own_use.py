"""What the controller used and AWS counts for no stack alone, worked out from the books. Pure.

Each figure says from what; docs/costs.md says how far they were off where it could be counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from ..catalog.prices import PriceBook
from ..endpoints.alarms import alarms_of
from ..endpoints.bursts import bursts
from ..endpoints.queues import LATER_EVERY
from ..endpoints.scaling import scales
from ..endpoints.status import EndpointRecord, UsageSegment
from ..policy.types import Phase
from ..spec import EndpointSpec, Kind
from .billed import billed_segments, lives_in
from .costs import Books
from .metric_hours import metric_hours
from .metrics_read import covered, metrics_read, times
from .periods import Period

# Lambda reads a queue that is empty with five long polls of 20 s (Lambda developer guide, "How
# Lambda polls SQS"). Of an endpoint's two queues the one of what may wait is read seldom.
POLLS_PER_SECOND = Decimal(5) / 20
_PER_MESSAGE = 3  # sent, received, deleted; batches make it less

# States entered for each call of a function, as the embedded account's execution histories have
# them: a look at a start is a task, a choice and a wait; what a machine enters besides is with the
# function that it calls once, or once a round.
TRANSITIONS: Mapping[str, int] = {
    "look-at-start": 3,
    "plan-deployment": 23,
    "plan-staging": 4,
    "stage-file": 3,
    "seal-staging": 3,
    "remove-weights": 45,
}
# A wake and a round of a sleep have other states for each kind: of a sleep as many as on average,
# as some look a second time until zero instances are seen.
_OF_A_KIND: Mapping[Kind, Mapping[str, int]] = {
    Kind.COMPONENT: {"plan-wake": 4, "guard-sleep": 12},
    Kind.REALTIME: {"plan-wake": 8, "guard-sleep": 14},
    Kind.ASYNC: {"plan-wake": 4, "guard-sleep": 10},
}
_PUTS_TRACKING, _PUTS_BURSTS = 2, 3  # more of a wake, where its file allows a second, a third copy
# Of the schedules those of every minute: the tick's is as its parameter says, the alerts' is not.
_ALERTS_EVERY = timedelta(minutes=1)
_EVENTS_PER_LINE = 2  # of a wake in the history, with what its sleep tells; and one for each answer
_REPORTS_PER_DAY = 1 + Decimal(1) / 7 + Decimal(1) / 30


@dataclass(frozen=True)
class Setup:
    """What of a stack's parameters its own cost depends on."""

    tick: timedelta
    alarms: int
    since: datetime | None = None  # it was there from then on; None: all the time
    traced: bool = False  # X-Ray has a trace of each invocation

    def began(self, start: datetime, until: datetime) -> datetime:
        """From when on it was there within a period."""
        return min(until, max(start, self.since or start))

    def share(self, start: datetime, until: datetime) -> Decimal:
        """The share of a period in which it was there."""
        return times(until - self.began(start, until), until - start)


def estimated(
    books: Books,
    period: Period,
    now: datetime,
    prices: PriceBook,
    setup: Setup,
    invocations: Mapping[str, Decimal],
    of_a_report: int,
) -> dict[str, Decimal]:
    """By the fields of ControllerUsage. `invocations`: as AWS counted them, by function;
    `of_a_report`: metrics that one report reads."""
    start, until = period.start, max(period.start, min(period.end, now))
    began = setup.began(start, until)
    there = until - began
    ran = billed_segments(books.segments, books.records, prices, start, until, now)
    counted = [one for one in books.traffic if period.holds(one.start, one.end)]
    lives = lives_of(books.records, ran, start, until)
    usual, fine = _alarms(books.records, ran, lives, start, until)
    lines = [x for of_one in books.history.values() for x in of_one if start <= x.at < until]
    answers = sum(one.requests + one.refused for one in counted)
    reports = _REPORTS_PER_DAY * times(there, timedelta(days=1))
    return {
        "state_transitions": transitions(invocations, _woken(books, start, until)),
        "alarms": setup.alarms * setup.share(start, until) + usual,
        "high_resolution_alarms": fine,
        "queue_requests": _queue_requests(lives, answers, there, setup.tick),
        "metrics_read": metrics_read(ran, setup.tick) + reports * of_a_report,
        "metric_hours": metric_hours(ran, books.traffic, began, until),
        "bus_events": Decimal(answers + len(lines) * _EVENTS_PER_LINE),
        "traces": sum(invocations.values(), Decimal(0)) if setup.traced else Decimal(0),
        "schedule_calls": times(there, setup.tick) + times(there, _ALERTS_EVERY),
    }


def transitions(invocations: Mapping[str, Decimal], woken: Sequence[EndpointSpec]) -> Decimal:
    """Of all state machines, from how often they called the stack's functions. `woken`: what each
    wake woke, which slept too; without any, a component of one copy is reckoned with."""
    of_each = [_of_a_wake(spec) for spec in woken] or [_OF_A_KIND[Kind.COMPONENT]]
    mixed = {
        name: Decimal(sum(one[name] for one in of_each)) / len(of_each)
        for name in ("plan-wake", "guard-sleep")
    }
    each: dict[str, Decimal] = {**{n: Decimal(t) for n, t in TRANSITIONS.items()}, **mixed}
    return sum((invocations.get(name, Decimal(0)) * n for name, n in each.items()), Decimal(0))


def _of_a_wake(spec: EndpointSpec) -> Mapping[str, int]:
    usual = _OF_A_KIND[spec.kind]
    puts = _PUTS_TRACKING * scales(spec) + _PUTS_BURSTS * bursts(spec)
    return {**usual, "plan-wake": usual["plan-wake"] + puts}


def _woken(books: Books, start: datetime, until: datetime) -> list[EndpointSpec]:
    specs = {record.spec.name: record.spec for record in books.records}
    lines = (line for of_one in books.history.values() for line in of_one)
    return [
        specs[line.endpoint]
        for line in lines
        if line.phase is Phase.WAKING and start <= line.at < until and line.endpoint in specs
    ]


def lives_of(
    records: Iterable[EndpointRecord], ran: Iterable[UsageSegment], start: datetime, until: datetime
) -> dict[str, timedelta]:
    """How long endpoints of each name were there within the period. One that is gone since was
    there while it had instances, as far as anybody knows."""
    used: dict[str, list[UsageSegment]] = defaultdict(list)
    for one in ran:
        used[one.endpoint].append(one)
    known = {record.spec.name: record for record in records}
    there: dict[str, timedelta] = {}
    for name in sorted({*used, *known}):
        record = known.get(name)
        gone, _ = lives_in(record, used[name])
        spans = [(min(s.start for s in life), max(s.end for s in life)) for life in gone]
        if record is not None:
            status = record.status
            end = status.phase_since if status.phase is Phase.RETIRED else until
            spans.append((max(start, status.first_applied_at), min(until, end)))
        there[name] = sum((max(end - begin, timedelta()) for begin, end in spans), timedelta())
    return there


def _alarms(
    records: Sequence[EndpointRecord],
    ran: Iterable[UsageSegment],
    lives: Mapping[str, timedelta],
    start: datetime,
    until: datetime,
) -> tuple[Decimal, Decimal]:
    """So many at a time, usual ones and fine ones: some are there only while an endpoint runs."""
    spans: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for one in ran:
        spans[one.endpoint].append((one.start, one.end))
    whole, usual, fine = until - start, Decimal(0), Decimal(0)
    for record in records:
        name = record.spec.name
        awake = min(covered(spans.get(name, ())), lives[name])
        for lasted, asleep in ((awake, False), (lives[name] - awake, True)):
            made, share = alarms_of(record.spec, asleep=asleep), times(lasted, whole)
            usual, fine = usual + made.usual * share, fine + made.fine * share
    return usual, fine


def _queue_requests(
    lives: Mapping[str, timedelta], answers: int, whole: timedelta, tick: timedelta
) -> Decimal:
    """Lambda's polls of every endpoint's queue and of the alerts', messages, the tick's looks."""
    there = sum(lives.values(), timedelta())
    polls = times(there + whole, timedelta(seconds=1)) * POLLS_PER_SECOND
    asked = times(there, tick) + times(there, max(tick, LATER_EVERY))
    return polls + answers * _PER_MESSAGE + asked
