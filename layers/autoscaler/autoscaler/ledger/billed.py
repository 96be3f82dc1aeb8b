"""Which instance-seconds belong to a period, and what always-on would have cost in it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from ..endpoints.status import EndpointRecord, EndpointStatus, Meter, UsageSegment
from ..policy.types import Phase
from .meter import open_segments
from .shares import apportioned

Prices = Callable[[str], Decimal | None]
"""Dollars per hour of an instance type; None: unknown."""

EVER = datetime.min.replace(tzinfo=UTC)  # before anything that is known
Span = tuple[datetime, datetime]
_OVER = {Phase.FAILED, Phase.RETIRING, Phase.RETIRED}
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class AlwaysOn:
    """One instance of the endpoint's first type, kept running from `start` to `end`.

    Of shared machines, the part of one instance that one copy takes: one that would else have a
    machine of its own would pay a whole one.

    Conservative: a fleet that is always on would need more than one instance at its peaks, and
    the schedule's own minimum may ask for more.
    """

    start: datetime
    end: datetime
    usd_per_hour: Decimal | None
    part: Decimal = Decimal(1)
    pauses: tuple[Span, ...] = ()  # in which there was no endpoint: oldest first, none overlaps

    def usd(self, start: datetime, end: datetime) -> Decimal | None:
        """What it would have cost within [start, end); None: the price is unknown."""
        within = _overlap((start, end), (self.start, self.end))
        for pause in self.pauses:
            within -= _overlap(pause, (max(start, self.start), min(end, self.end)))
        if within <= timedelta(0):
            return Decimal(0)
        return None if self.usd_per_hour is None else self.usd_per_hour * self.part * hours(within)

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
    prices: Prices,
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
    prices: Prices,
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
    prices: Prices,
    now: datetime,
) -> tuple[UsageSegment, ...]:
    name, kind = record.spec.name, meter.instance_type
    stored = (s.end for s in closed if (s.endpoint, s.instance_type) == (name, kind))
    meter = meter.model_copy(update={"since": max(meter.since, max(stored, default=meter.since))})
    price = prices(kind) if meter.instances else None
    return open_segments(meter, now, endpoint=name, team=record.spec.team, usd_per_hour=price)


def always_on(
    record: EndpointRecord | None,
    segments: Sequence[UsageSegment],
    prices: Prices,
    start: datetime,
    until: datetime,
) -> AlwaysOn | None:
    """The baseline of one endpoint, or None when it never had an instance.

    It begins with the period, or with the first instance of an endpoint created within it, and
    ends when the endpoint is given up; if it was created anew after that, it goes on with the
    first instance. One that has left the fleet is compared only while it used instances: when it
    was created is not known any more, nor how many copies an instance held: of shared ones, the
    least that its copies took. So is one whose name another has now.
    """
    if record is None:
        if not segments:
            return None
        first, end = segments[0], max(s.end for s in segments)
        part = min(Decimal(1), *(s.weight for s in segments if s.shared), Decimal(1))
        return AlwaysOn(first.start, end, prices(first.instance_type), part)
    status = record.status
    existed = status.first_applied_at < start and status.last_awake_at is not None
    if not existed and not segments:
        return None
    begin = start if existed else segments[0].start
    end = min(until, status.phase_since) if status.phase in _OVER else until
    shared = record.spec.instances.shared is not None
    part = Decimal(1) / status.copies_per_instance if shared else Decimal(1)
    price, pauses = prices(record.spec.instances.types[0]), _pauses(status, segments, start, until)
    return AlwaysOn(begin, max(begin, end), price, part, pauses)


def _pauses(
    status: EndpointStatus, segments: Sequence[UsageSegment], start: datetime, until: datetime
) -> tuple[Span, ...]:
    """When there was nothing to keep on: after an earlier endpoint of the name, and while this one
    had failed. Each ends with the first instance of what was made then, unless that was before the
    period and has answered."""
    made, awake_at = status.first_applied_at, status.last_awake_at
    earlier = [s.end for s in segments if s.start < made]
    gone = [(max(earlier), made)] if earlier else []
    found: list[Span] = []
    for since, anew in [*gone, *((span.start, span.end) for span in status.failed_spans)]:
        known = anew < start and awake_at is not None and awake_at > anew
        first = min((s.start for s in segments if s.start >= anew), default=max(anew, until))
        end = anew if known else first
        begin = max([since, *(before[1] for before in found)])
        if begin < end:
            found.append((begin, end))
    return tuple(found)


def _overlap(one: Span, other: Span) -> timedelta:
    return max(timedelta(0), min(one[1], other[1]) - max(one[0], other[0]))
