"""Writes a report: read the books, sum them up, store three files, say so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from ..alerts.events.costs import ReportLine, ReportWritten
from ..ports import Announcer, Clock, EndpointStore
from .billed import Prices
from .controller import ControllerUsage
from .costs import Books, summarize
from .csv import render_csv
from .figures import CostReport
from .html import render_html
from .periods import Period

# Enough for a month of 48 wakes a day with a few lines each.
_HISTORY_LINES = 10_000


class ReportStore(Protocol):
    """Where reports are kept."""

    def put(self, key: str, body: bytes, content_type: str) -> str:
        """Stores or overwrites; returns the URI."""


def write_report(
    store: EndpointStore,
    blobs: ReportStore,
    clock: Clock,
    announcer: Announcer,
    period: Period,
    *,
    prices: Prices,
    priced: str = "",
    usage: ControllerUsage | None = None,
    remarks: Sequence[str] = (),
) -> ReportWritten:
    """Writes costs.html, costs.csv and costs.json under `reports/<kind>/<date>/` and announces it.

    `priced` says where the prices come from; `remarks` stand among the notes. Writing the same
    period again overwrites the same files.
    """
    now = clock.now()
    books = read_books(store, period)
    report = summarize(books, period, now, prices, usage)
    if priced:
        told = f"{priced} What was closed before keeps the price that it was closed with."
        report = report.model_copy(update={"notes": (*report.notes, told)})
    if remarks:
        report = report.model_copy(update={"notes": (*remarks, *report.notes)})
    folder = f"reports/{period.kind.value}/{period.first_day.isoformat()}"
    blobs.put(f"{folder}/costs.csv", render_csv(report).encode(), "text/csv; charset=utf-8")
    blobs.put(f"{folder}/costs.json", report.model_dump_json(indent=2).encode(), "application/json")
    html = render_html(report).encode()
    uri = blobs.put(f"{folder}/costs.html", html, "text/html; charset=utf-8")
    written = _written(report, uri)
    announcer.announce(written)
    return written


def read_books(store: EndpointStore, period: Period) -> Books:
    """Records first: a segment closed in between is then seen twice rather than not at all, and
    `billed_segments` counts it once."""
    records = store.load_all()
    segments = store.usage(period.start, period.end)
    day = timedelta(days=1)
    counters = store.traffic((period.start - day).date(), (period.end + day).date())
    names = {r.spec.name for r in records} | {s.endpoint for s in segments}
    return Books(
        records=records,
        segments=segments,
        traffic=counters,
        history={name: store.history(name, _HISTORY_LINES) for name in sorted(names)},
    )


def period_since_first(store: EndpointStore, clock: Clock, time_zone: str = "UTC") -> Period:
    """Everything since the oldest endpoint of the fleet was applied, until now."""
    now = clock.now()
    start = min((r.status.created_at for r in store.load_all()), default=now)
    return Period.since(start, now, time_zone)


def _written(report: CostReport, uri: str) -> ReportWritten:
    total = report.total
    return ReportWritten(
        at=report.written_at,
        uri=uri,
        period=report.period.title,
        cost_usd=total.cost.total,
        baseline_usd=total.baseline_usd,
        saved_usd=total.savings_usd,
        lines=tuple(
            ReportLine(
                endpoint=e.name,
                cost_usd=e.cost.total,
                saved_usd=e.savings_usd,
                wakes=e.wakes.count,
                requests=e.served.requests,
            )
            for e in report.endpoints
        ),
    )
