"""Which instance-seconds belong to a period, and what always-on would have cost in it. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate

from ..catalog.prices import PriceBook
from ..endpoints.lives import FailedSpan, MachineBefore
from ..endpoints.status import EndpointRecord, EndpointStatus, Meter, UsageSegment
from ..policy.types import Phase
from .meter import open_segments
from .shares import apportioned

EVER = datetime.min.replace(tzinfo=UTC)  # before anything that is known
Span = tuple[datetime, datetime]
_FOREVER = datetime.max.replace(tzinfo=UTC)
_OVER = {Phase.FAILED, Phase.RETIRING, Phase.RETIRED}
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Rate:
    """What an hour of it costs from `start` to `end`; None: the price is unknown."""

    start: datetime
    end: datetime
    usd_per_hour: Decimal | None


@dataclass(frozen=True)
class AlwaysOn:
    """One instance of the endpoint's first type, kept running from `start` to `end`; before
    another file took effect, of the first type of that time. Where no rate is, between two
    endpoints of the name, there was none.

    Of shared machines, the part of one instance that one copy takes: one that would else have a
    machine of its own would pay a whole one.

    Conservative: a fleet that is always on would need more than one instance at its peaks, and
    the schedule's own minimum may ask for more.
    """

    start: datetime
    end: datetime
    rates: tuple[Rate, ...]
    pauses: tuple[Span, ...] = ()  # in which it had failed: none overlaps another

    def usd(self, start: datetime, end: datetime) -> Decimal | None:
        """What it would have cost within [start, end); None: the price is unknown."""
        total, start, end = Decimal(0), max(start, self.start), min(end, self.end)
        for rate in self.rates:
            span = max(start, rate.start), min(end, rate.end)
            within = _overlap(span, span)
            for pause in self.pauses:
                within -= _overlap(pause, span)
            if within <= timedelta(0):
                continue
            if rate.usd_per_hour is None:
                return None
            total += rate.usd_per_hour * hours(within)
        return total

    def within(self, start: datetime, end: datetime) -> AlwaysOn:
        """The part of it in [start, end); it may be empty."""
        return replace(self, start=max(start, self.start), end=min(end, self.end))


def hours(duration: timedelta) -> Decimal:
    """Exact to the microsecond."""
    return Decimal(duration // _MICROSECOND) / 3_600_000_000


def instance_hours(segment: UsageSegment) -> Decimal:
    """Of shared instances, its part of them."""
    return segment.instances * segment.share * hours(segment.end - segment.start)


def usd(segment: UsageSegment) -> Decimal:
    """Nothing for an unknown price: who sums this must name the unpriced hours beside it."""
    return (segment.usd_per_hour or Decimal(0)) * instance_hours(segment)


def billed_segments(
    segments: Iterable[UsageSegment],
    records: Iterable[EndpointRecord],
    prices: PriceBook,
    start: datetime,
    until: datetime,
    now: datetime,
) -> list[UsageSegment]:
    """Closed segments and open meters, clipped to [start, until), oldest first; shared instances
    are split, so those of the whole fleet are needed.

    Records are read before the segments, so a meter may be older than the segment that closed
    it: it counts only from where the closed ones end.
    """
    closed = list(segments)
    both = [*closed, *still_open(records, closed, prices, now)]
    clipped = (clip(segment, start, until) for segment in apportioned(both))
    return sorted((s for s in clipped if s is not None), key=lambda s: (s.start, s.endpoint))


def still_open(
    records: Iterable[EndpointRecord],
    closed: Sequence[UsageSegment],
    prices: PriceBook,
    now: datetime,
) -> list[UsageSegment]:
    """What the open meters have run; their share is the one that each was opened with."""
    return [
        segment
        for record in records
        for meter in record.status.meters
        for segment in _still_open(record, meter, closed, prices, now)
    ]


def clip(segment: UsageSegment, start: datetime, end: datetime) -> UsageSegment | None:
    """The part of a segment within [start, end), or None."""
    first, last = max(segment.start, start), min(segment.end, end)
    if first >= last:
        return None
    if (first, last) == (segment.start, segment.end):
        return segment
    return segment.model_copy(update={"start": first, "end": last})


def _still_open(
    record: EndpointRecord,
    meter: Meter,
    closed: Sequence[UsageSegment],
    prices: PriceBook,
    now: datetime,
) -> tuple[UsageSegment, ...]:
    name, kind = record.spec.name, meter.instance_type
    stored = (s.end for s in closed if (s.endpoint, s.instance_type) == (name, kind))
    meter = meter.model_copy(update={"since": max(meter.since, max(stored, default=meter.since))})
    return open_segments(
        meter,
        now,
        endpoint=name,
        team=record.spec.team,
        prices=prices,
        made_at=record.status.first_applied_at,
    )


def always_on(
    record: EndpointRecord | None,
    segments: Sequence[UsageSegment],
    prices: PriceBook,
    start: datetime,
    until: datetime,
) -> AlwaysOn | None:
    """The baseline of one endpoint, or None when it never had an instance.

    It begins with the period, or with the first instance of an endpoint that got it within it, and
    ends when the endpoint is given up; if it was created anew after that, it goes on with the
    instance that answered. One that has left the fleet is compared only while it used instances:
    when it was created is not known any more, nor how many copies an instance held: of shared
    ones, the least that its copies took. So is each whose name another has now, and nothing is
    compared between two of a name.

    `segments`: the endpoint's within the period, oldest first.
    """
    gone, own = lives_in(record, segments)
    rates = tuple(_rates_of_gone(gone, prices))
    span = _kept_on(record, own, start, until) if record else None
    pauses: tuple[Span, ...] = ()
    if record and span:
        rates += tuple(_rates(record, prices, max([span[0], *(one.end for one in rates)])))
        pauses = _pauses(record.status, own, start, until)
    elif not rates:
        return None
    begin = min(one.start for one in rates)
    return AlwaysOn(begin, span[1] if span else rates[-1].end, rates, pauses)


def lives_in(
    record: EndpointRecord | None, segments: Sequence[UsageSegment]
) -> tuple[list[list[UsageSegment]], list[UsageSegment]]:
    """The segments of each endpoint that had the name before, oldest first, and of the present one.

    What an older release wrote does not say of which it is: of the last that was made before it,
    and all that is older than any that is known counts as of one.
    """
    made = {s.made_at for s in segments if s.made_at}
    known = sorted({*made, record.status.first_applied_at} if record else made)
    lives: dict[datetime, list[UsageSegment]] = defaultdict(list)
    for segment in segments:
        before = bisect_right(known, segment.start)
        since = segment.made_at or (known[before - 1] if before else EVER)
        lives[since].append(segment)
    own = lives.pop(record.status.first_applied_at, []) if record else []
    return [lives[since] for since in sorted(lives)], own


def _kept_on(
    record: EndpointRecord, own: Sequence[UsageSegment], start: datetime, until: datetime
) -> Span | None:
    """From when to when the endpoint that there is would have been on; None: it had no instance."""
    status = record.status
    existed = status.first_applied_at < start and status.last_awake_at is not None
    if not existed and not own:
        return None
    begin, seen = start, [segment.start for segment in own[:1]]
    if not existed:
        begin = seen[0]
    elif began := _began(status):
        begin = max(start, min([began, *seen]))
    end = min(until, status.phase_since) if status.phase in _OVER else until
    return begin, max(begin, end)


def _began(status: EndpointStatus) -> datetime | None:
    """When its first instance was asked for, which may be long after its file was applied: weights
    are staged before, and capacity may be missing. None: not known (any more)."""
    if status.began_at is not None:
        return status.began_at
    creation = status.creation
    if creation is None or status.failed_spans:
        return None
    return creation.asked_at or creation.requested_at


def _rates(record: EndpointRecord, prices: PriceBook, since: datetime) -> Iterator[Rate]:
    """By the files of the time, as far as they are known."""
    status, machines = record.status, record.spec.instances
    present = MachineBefore(
        until=_FOREVER,
        instance_type=machines.types[0],
        copies_per_instance=status.copies_per_instance,
    )
    for one in (*status.machines_before, present):
        part = 1 if machines.shared is None else one.copies_per_instance
        for held in prices.course(one.instance_type, since, one.until):
            price = None if held.usd_per_hour is None else held.usd_per_hour / part
            yield Rate(held.start, held.end, price)
        since = max(since, one.until)


def _rates_of_gone(lives: Sequence[Sequence[UsageSegment]], prices: PriceBook) -> Iterator[Rate]:
    """Each life from its first instance to its last one, on what it had first; none overlaps the
    next, and what lies between two costs nothing."""
    since = EVER
    for life in lives:
        begin, since = max(since, life[0].start), max(since, *(s.end for s in life))
        part = min([Decimal(1), *(s.weight for s in life if s.shared)])
        for held in prices.course(life[0].instance_type, begin, since):
            price = None if held.usd_per_hour is None else held.usd_per_hour * part
            yield Rate(held.start, held.end, price)


def _pauses(
    status: EndpointStatus, own: Sequence[UsageSegment], start: datetime, until: datetime
) -> tuple[Span, ...]:
    """While it had failed there was nothing to keep on, nor until what was made then had its
    instance."""
    found: list[Span] = []
    for span in status.failed_spans:
        for since, end in _away(span, status.last_awake_at, own, start, until):
            begin = max([since, *(before[1] for before in found)])
            if begin < end:
                found.append((begin, end))
    return tuple(found)


def _away(
    failed: FailedSpan,
    awake_at: datetime | None,
    own: Sequence[UsageSegment],
    start: datetime,
    until: datetime,
) -> list[Span]:
    """From the failure on; some may be empty. Until it has answered again, it is compared only
    while it has instances: after a try that had one it may wait for the next for days."""
    if failed.back_at is not None:
        return [(failed.start, failed.back_at)]
    later = [(max(s.start, failed.end), s.end) for s in own if s.end > failed.end]
    if awake_at is not None and awake_at > failed.end:
        # It has answered before it was kept since when it could: by then, or with the first here.
        first = min((begin for begin, _ in later), default=until)
        return [(failed.start, failed.end if awake_at <= start else first)]
    ends = accumulate((end for _, end in later), max, initial=failed.start)
    return list(zip(ends, [*(begin for begin, _ in later), until], strict=True))


def _overlap(one: Span, other: Span) -> timedelta:
    return max(timedelta(0), min(one[1], other[1]) - max(one[0], other[0]))
