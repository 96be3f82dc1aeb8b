"""A fleet's books as the controller would have kept them, for tests and pictures of the report."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from autoscaler.catalog.prices import PriceBook
from autoscaler.endpoints.status import (
    Cause,
    ColdStart,
    EndpointRecord,
    HistoryEntry,
    Meter,
    Traffic,
    UsageKind,
    UsageSegment,
)
from autoscaler.ledger.costs import Books
from autoscaler.ledger.meter import advance, split_idle
from autoscaler.policy.types import Phase
from tests.samples import asleep, spec

PRICES = {
    "ml.g6e.xlarge": Decimal("2.6054"),
    "ml.g6e.12xlarge": Decimal("13.1199"),
    "ml.p5en.48xlarge": Decimal("72.7936"),
}
_MODELS = {
    "deepseek-r1-distill-llama-8b": "DeepSeek-R1-Distill-Llama-8B",
    "deepseek-r1-distill-qwen-32b": "DeepSeek-R1-Distill-Qwen-32B",
    "deepseek-r1": "DeepSeek-R1",
}
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
BOOK = PriceBook(listed=PRICES, read_at=MONDAY - timedelta(days=365))


def segment(start: datetime, minutes: float, **changes: Any) -> UsageSegment:
    """A priced span of one serving instance."""
    fields: dict[str, Any] = {
        "endpoint": "llama",
        "team": "search",
        "instance_type": "ml.g6e.xlarge",
        "instances": 1,
        "kind": UsageKind.SERVING,
        "start": start,
        "end": start + timedelta(minutes=minutes),
        "usd_per_hour": PRICES["ml.g6e.xlarge"],
    }
    return UsageSegment(**{**fields, **changes})


def fleet_books(days: int = 7) -> Books:
    """Three endpoints of two teams over some days from MONDAY on; the same every time."""
    fleets = [
        ("deepseek-r1-distill-llama-8b", "search", "ml.g6e.xlarge", 7, "900.00"),
        ("deepseek-r1-distill-qwen-32b", "research", "ml.g6e.12xlarge", 3, None),
        ("deepseek-r1", "research", "ml.p5en.48xlarge", 1, "9000.00"),
    ]
    parts = [_endpoint(*fleet, days=days) for fleet in fleets]
    return Books(
        records=[part[0] for part in parts],
        segments=[s for part in parts for s in part[1]],
        traffic=[t for part in parts for t in part[2]],
        history={part[0].spec.name: part[3] for part in parts},
    )


def _endpoint(
    name: str, team: str, instance_type: str, per_day: int, budget: str | None, *, days: int
) -> tuple[EndpointRecord, list[UsageSegment], list[Traffic], list[HistoryEntry]]:
    random = Random(name)
    segments: list[UsageSegment] = []
    starts: list[ColdStart] = []
    entries: list[HistoryEntry] = []
    for generation, began in enumerate(_wakes(random, per_day, days), 2):
        lead = random.uniform(210, 330) if per_day > 1 else random.uniform(1800, 2600)
        busy, copies = random.uniform(15, 75), random.choice([1, 1, 1, 2])
        segments += _cycle(began, lead, busy, copies, name, team, instance_type)
        cause = random.choice([Cause.MESSAGE, Cause.MESSAGE, Cause.BACKLOG, Cause.WINDOW])
        ready = began + timedelta(seconds=lead)
        starts.append(ColdStart(requested_at=began, ready_at=ready, cause=cause, copies=copies))
        of_it = {"endpoint": name, "generation": generation, "cause": cause.value}
        entries.append(HistoryEntry(**of_it, at=began, phase=Phase.WAKING, text="Woken."))
        answered = {"text": "Answered.", "lead_seconds": starts[-1].lead_time.total_seconds()}
        entries.append(HistoryEntry(**of_it, at=ready, phase=Phase.AWAKE, **answered))
    spent = sum((_usd(s) for s in segments), Decimal(0))
    status = asleep(
        name,
        created_at=MONDAY - timedelta(days=20),
        last_awake_at=MONDAY,
        instance_type=instance_type,
        cold_starts=tuple(starts[-20:]),
        spent_in="2026-11",
        spent_usd=spent,
    )
    limits = {"monthly_usd": budget} if budget else {}
    wanted = spec(
        name,
        team=team,
        model={"id": f"deepseek-ai/{_MODELS[name]}"},
        instances={"types": [instance_type]},
        budget=limits,
    )
    traffic = [_traffic(random, name, per_day, day) for day in range(days)]
    return EndpointRecord(spec=wanted, status=status), segments, traffic, entries


def _wakes(random: Random, per_day: int, days: int) -> Iterator[datetime]:
    for day in range(days):
        count = per_day if day % 7 < 5 else per_day // 3
        hours = sorted(random.sample(range(7, 19), min(count, 12)))
        for hour in hours:
            yield MONDAY + timedelta(days=day, hours=hour, minutes=random.uniform(0, 20))


def _cycle(
    began: datetime, lead: float, busy: float, copies: int, name: str, team: str, type_: str
) -> list[UsageSegment]:
    """One wake to its sleep, through the meter itself; never longer than its own hour or so."""
    ready = began + timedelta(seconds=lead)
    quiet = ready + timedelta(minutes=min(busy, 25))
    gone = quiet + timedelta(minutes=10)
    seen = [
        (began, copies, UsageKind.PROVISIONING),
        (ready, copies, UsageKind.SERVING),
        (gone, copies, UsageKind.IDLE_TAIL),
        (gone + timedelta(minutes=3), 0, UsageKind.IDLE_TAIL),
    ]
    meter, segments = Meter(since=began), []
    for moment, instances, kind in seen:
        meter, closed = advance(
            meter, moment, instances=instances, instance_type=type_, kind=kind,
            endpoint=name, team=team, prices=BOOK,
        )  # fmt: skip
        segments += closed
    return list(split_idle(segments, quiet))


def _traffic(random: Random, name: str, per_day: int, day: int) -> Traffic:
    requests = int(random.uniform(60, 140) * per_day * (1 if day % 7 < 5 else 0.3))
    return Traffic(
        endpoint=name,
        start=MONDAY + timedelta(days=day, hours=12),
        requests=requests,
        refused=requests // 400,
        input_tokens=requests * 1155,
        output_tokens=requests * 431,
        waited_seconds=requests * random.uniform(9, 22),
    )


def _usd(used: UsageSegment) -> Decimal:
    return (used.usd_per_hour or Decimal(0)) * Decimal(used.instance_seconds) / 3600
