"""The meter: from what was seen at moments to segments of instance-seconds. Pure.

A status carries one open segment (`Meter`). Whatever changes the status moves the meter and
stores the segments that this closes in the same write, so a replay finds the meter moved already
and adds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ..catalog.prices import PriceBook
from ..endpoints.status import Meter, UsageKind, UsageSegment


def advance(
    meter: Meter,
    now: datetime,
    *,
    instances: int,
    instance_type: str,
    kind: UsageKind,
    endpoint: str,
    team: str,
    prices: PriceBook,
    made_at: datetime | None = None,
    shared: str = "",
    weight: Decimal = Decimal(0),
    share: Decimal = Decimal(1),
    asking: bool = False,
) -> tuple[Meter, tuple[UsageSegment, ...]]:
    """Returns the meter at `now` and the segments that were closed, oldest first.

    What is closed is cut where the price of its type changed, and has the price of its time. All
    else is as it is from now on, of shared machines their name, weight and
    share too. Nothing changed and no UTC midnight passed: the same meter and no segment. `asking`:
    what was asked for and may never come stays open over midnight, as what is closed cannot be
    taken back. A `now` before the meter's start is a late observation and changes nothing.
    `made_at`: as `UsageSegment.made_at`.
    """
    if now < meter.since or instances == 0 == meter.instances:
        return meter, ()
    seen = Meter(
        instances=instances,
        instance_type=instance_type,
        kind=kind,
        shared=shared,
        weight=weight,
        share=share,
        since=meter.since,
    )
    unchanged = meter.since if asking else max(meter.since, _midnight(now))
    until = now if seen != meter else unchanged
    opened = seen.model_copy(update={"since": until})
    if not meter.instances:
        return opened, ()
    whose = {"endpoint": endpoint, "team": team, "made_at": made_at}
    common: dict[str, Any] = {**whose, **meter.model_dump(exclude={"since"})}
    pieces = (
        piece
        for start, end in _days(meter.since, until)
        for piece in prices.course(meter.instance_type, start, end)
    )
    return opened, tuple(
        UsageSegment(
            **common,
            start=piece.start,
            end=piece.end,
            usd_per_hour=piece.usd_per_hour,
            price_origin=piece.origin,
        )
        for piece in pieces
    )


def split_idle(
    segments: Sequence[UsageSegment],
    last_active_at: datetime,
    kind: UsageKind = UsageKind.IDLE_TAIL,
    known_until: datetime | None = None,
) -> tuple[UsageSegment, ...]:
    """Marks what SERVING segments ran after the last activity as idle; the sum is unchanged.

    Called for the segments that going to sleep, being kept without work, or another number of
    instances closes. Days closed before stay as they are: at their midnight nobody knew yet that
    it would not be used again. `known_until`: what ran after it is not known to be idle.
    """
    split: list[UsageSegment] = []
    for segment in segments:
        first = max(segment.start, last_active_at)
        last = min(segment.end, known_until or segment.end)
        if segment.kind is not UsageKind.SERVING or first >= last:
            split.append(segment)
            continue
        if segment.start < first:
            split.append(segment.model_copy(update={"end": first}))
        split.append(segment.model_copy(update={"start": first, "end": last, "kind": kind}))
        if last < segment.end:
            split.append(segment.model_copy(update={"start": last}))
    return tuple(split)


def open_segments(
    meter: Meter,
    now: datetime,
    *,
    endpoint: str,
    team: str,
    prices: PriceBook,
    made_at: datetime | None = None,
) -> tuple[UsageSegment, ...]:
    """What the open meter has run up to now, as segments that are not stored."""
    _, segments = advance(
        meter,
        now,
        instances=0,
        instance_type=meter.instance_type,
        kind=meter.kind,
        endpoint=endpoint,
        team=team,
        prices=prices,
        made_at=made_at,
    )
    return segments


def cut(
    meter: Meter,
    at: datetime,
    *,
    endpoint: str,
    team: str,
    prices: PriceBook,
    made_at: datetime | None = None,
) -> tuple[Meter, tuple[UsageSegment, ...]]:
    """Closes what has run until a moment, although nothing changed; it goes on from there."""
    if at <= meter.since:
        return meter, ()
    closed = open_segments(meter, at, endpoint=endpoint, team=team, prices=prices, made_at=made_at)
    return meter.model_copy(update={"since": at}), closed


def _midnight(moment: datetime) -> datetime:
    """The last UTC midnight, the moment itself included."""
    utc = moment.astimezone(UTC)
    return utc.replace(hour=0, minute=0, second=0, microsecond=0)


def _days(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Cuts a span at every UTC midnight; nothing for an empty one."""
    while start < end:
        cut = min(end, _midnight(start) + timedelta(days=1))
        yield start, cut
        start = cut
