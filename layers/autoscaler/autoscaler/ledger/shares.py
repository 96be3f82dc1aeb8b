"""Whose the instance-seconds of shared machines are. Pure.

The meter of every endpoint that shares machines counts all of them, so that nothing is missing
while any of the others was not looked at. Here they are split: in every moment each endpoint has
the part that its copies take of the copies of all, and the parts add up to what was there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import ROUND_DOWN, Decimal
from itertools import pairwise

from ..endpoints.status import EndpointRecord, UsageSegment

# Of a share: parts of so few digits add up to exactly 1 in every order. A year of the dearest
# machine, split so, is right to less than a millionth of a dollar.
_STEP = Decimal("1e-12")
_WHOLE = Decimal(1)


@dataclass(frozen=True)
class Standing:
    """An endpoint among those that share its machines.

    `share`: its part of the instances; of one that has none now, the part that a copy would have.
    `beside`: instances' worth of the others' copies.
    """

    share: Decimal = _WHOLE
    beside: Decimal = Decimal(0)


def apportioned(segments: Iterable[UsageSegment]) -> list[UsageSegment]:
    """Returns the segments with shared instances split among those that share them.

    What is not shared comes first and as it is. The others' pieces have the largest number of
    instances that any of them counts (who looked last knows best, and what was asked for counts),
    and as their share the part of it. Needs the segments of all that share the machines, whatever
    period or endpoint is asked about; the order does not matter, nor who was cut in two.
    """
    own: list[UsageSegment] = []
    groups: dict[tuple[str, str], list[UsageSegment]] = defaultdict(list)
    for segment in segments:
        if segment.shared:
            groups[segment.shared, segment.instance_type].append(segment)
        else:
            own.append(segment)
    return own + [piece for key in sorted(groups) for piece in _joined(_pieces(groups[key]))]


def parts(weights: Sequence[Decimal]) -> list[Decimal]:
    """Splits one into parts by weight, which add up to exactly 1: the last has what is left.

    Nobody's copies are for nothing: without a weight one takes a whole instance.
    """
    known = [weight or _WHOLE for weight in weights]
    whole = sum(known, Decimal(0))
    rounded = [(weight / whole).quantize(_STEP, ROUND_DOWN) for weight in known[:-1]]
    return [*rounded, _WHOLE - sum(rounded, Decimal(0))]


def shares_now(records: Iterable[EndpointRecord]) -> dict[str, Standing]:
    """How each endpoint stands by the open meters of all; one of its own has everything."""
    kept = sorted(records, key=lambda record: record.status.name)
    weights: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for record in kept:
        for meter in record.status.meters:
            if meter.shared:
                weights[meter.shared][record.status.name] = meter.weight or _WHOLE
    return {record.status.name: _standing(record, weights) for record in kept}


def _standing(record: EndpointRecord, weights: dict[str, dict[str, Decimal]]) -> Standing:
    name, open_meters = record.status.name, record.status.meters
    shared = open_meters[0].shared if open_meters else record.spec.instances.shared
    if not shared:
        return Standing()
    others = {n: weight for n, weight in weights.get(shared, {}).items() if n != name}
    copy = _WHOLE / record.status.copies_per_instance
    everybody = {**others, name: weights.get(shared, {}).get(name, copy)}
    names = sorted(everybody)
    split = dict(zip(names, parts([everybody[n] for n in names]), strict=True))
    return Standing(split[name], sum(others.values(), Decimal(0)))


def _pieces(group: Sequence[UsageSegment]) -> Iterator[UsageSegment]:
    """The segments of one type of shared instances, cut wherever any of them begins or ends."""
    to_come = sorted(group, key=lambda segment: segment.start, reverse=True)
    borders = sorted({moment for s in group for moment in (s.start, s.end)})
    there: list[UsageSegment] = []
    for start, end in pairwise(borders):
        while to_come and to_come[-1].start <= start:
            there.append(to_come.pop())
        there = sorted((s for s in there if s.end > start), key=_order)
        if there:
            yield from _split(there, start, end)


def _split(there: Sequence[UsageSegment], start: datetime, end: datetime) -> Iterator[UsageSegment]:
    most = max(segment.instances for segment in there)
    for segment, share in zip(there, parts([s.weight for s in there]), strict=True):
        changes = {"start": start, "end": end, "instances": most, "share": share}
        yield segment.model_copy(update=changes)


def _order(segment: UsageSegment) -> tuple[str, str, str, Decimal, datetime]:
    """By name first: who has the remainder does not depend on who was read first."""
    return segment.endpoint, segment.team, segment.kind, segment.weight, segment.start


def _joined(pieces: Iterable[UsageSegment]) -> list[UsageSegment]:
    """Neighbours that differ in nothing but their time are one again, within a UTC day."""
    joined: list[UsageSegment] = []
    latest: dict[str, int] = {}
    for piece in pieces:
        at = latest.get(piece.endpoint)
        if at is not None and _goes_on(joined[at], piece):
            joined[at] = joined[at].model_copy(update={"end": piece.end})
        else:
            latest[piece.endpoint] = len(joined)
            joined.append(piece)
    return joined


def _goes_on(before: UsageSegment, piece: UsageSegment) -> bool:
    if before.end != piece.start or piece.start.astimezone(UTC).time() == time():
        return False
    return before.model_copy(update={"start": piece.start, "end": piece.end}) == piece
