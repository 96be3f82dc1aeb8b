"""Sums over segments and counters, as a report shows them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from ..endpoints.status import Traffic, UsageKind, UsageSegment
from .billed import hours, instance_hours, usd
from .figures import Gaps, KindCosts, Served, Unpriced
from .metrics_read import covered


def by_kind(segments: Iterable[UsageSegment]) -> KindCosts:
    sums = dict.fromkeys(UsageKind, Decimal(0))
    for segment in segments:
        sums[segment.kind] += usd(segment)
    return KindCosts.model_validate({kind.value: money for kind, money in sums.items()})


def awake_hours(segments: Iterable[UsageSegment]) -> float:
    """Each endpoint's once, also while instances of two types run."""
    spans: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for segment in segments:
        if segment.kind is not UsageKind.PROVISIONING:
            spans[segment.endpoint].append((segment.start, segment.end))
    return float(sum((hours(covered(of_one)) for of_one in spans.values()), Decimal(0)))


def gaps(segments: Iterable[UsageSegment]) -> Gaps:
    over = [segment for segment in segments if segment.over_gap]
    spent = sum((usd(segment) for segment in over), Decimal(0))
    return Gaps(instance_seconds=sum(s.instance_seconds for s in over), usd=spent)


def unpriced(segments: Iterable[UsageSegment]) -> tuple[Unpriced, ...]:
    missing: dict[str, Decimal] = {}
    for segment in segments:
        if segment.usd_per_hour is None:
            before = missing.get(segment.instance_type, Decimal(0))
            missing[segment.instance_type] = before + instance_hours(segment)
    return tuple(
        Unpriced(instance_type=instance_type, instance_hours=float(spent))
        for instance_type, spent in sorted(missing.items())
    )


def served_of(counters: Iterable[Traffic | Served]) -> Served:
    names = ("requests", "refused", "input_tokens", "output_tokens", "waited_seconds", "kept")
    kept = list(counters)
    waits: Counter[int] = Counter()
    for one in kept:
        waits.update(one.waits)
    sums = {n: sum(getattr(c, n) for c in kept) for n in names}
    return Served.model_validate({**sums, "waits": dict(sorted(waits.items()))})
