"""Writes a report: read the books, sum them up, store three files, say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Protocol

from ..alerts.events.costs import ReportWritten
from ..catalog.prices import PriceBook
from ..ports import Announcer, Clock, EndpointStore
from .advised import kept_advice
from .announcement import announcement
from .bill import SHARED, Bill, Estimate, reconciled
from .billed import billed_segments, instance_hours, usd
from .budgets import StackMoney
from .controller import ControllerUsage
from .costs import Books, summarize
from .csv import render_csv
from .figures import CostReport
from .html import render_html
from .notes import notes
from .periods import Period
from .price_notes import price_notes
from .usual import LOOK_BACK
from .wakes import wake_lines

# A stack that had no instance for so long had none before either: that is not looked for.
_UNUSED = timedelta(days=400)
Billed = Bill | str
"""A bill, or the sentence that says why there is none."""


class ReportStore(Protocol):
    """Where reports are kept."""

    def get(self, key: str) -> bytes | None:
        """What lies there; None: nothing does."""

    def put(self, key: str, body: bytes, content_type: str) -> str:
        """Stores or overwrites; returns the URI."""


def write_report(
    store: EndpointStore,
    blobs: ReportStore,
    clock: Clock,
    announcer: Announcer,
    period: Period,
    *,
    prices: PriceBook,
    usage: Callable[[Books], ControllerUsage] | None = None,
    stack: StackMoney | None = None,
    remarks: Sequence[str] = (),
    bill: Billed | None = None,
    advise: Callable[[CostReport], CostReport] | None = None,
) -> ReportWritten:
    """Writes costs.html, costs.csv and costs.json under `reports/<kind>/<date>/` and announces it.

    `usage`: what the controller itself used, by the same books; `stack`: what is spent of its
    budget; `remarks` stand among the notes. `bill`: AWS's, to lay beside the estimates, or why
    there is none. `advise` puts the changes into the report that would save most; without it those
    stay that the files have. Writing the same period again overwrites the same files.
    """
    now = clock.now()
    books = read_books(store, period, now)
    report = summarize(books, period, now, prices, usage(books) if usage else None, stack)
    if isinstance(bill, Bill):
        report = _reconciled(report, books, prices, bill)
    elif bill is not None:
        remarks = (*remarks, bill)
    said = (*remarks, *report.notes, *price_notes(prices, books, report))
    report = report.model_copy(update={"notes": said})
    folder = folder_of(period)
    report = advise(report) if advise else kept_advice(report, blobs.get(f"{folder}/costs.json"))
    blobs.put(f"{folder}/costs.csv", render_csv(report).encode(), "text/csv; charset=utf-8")
    blobs.put(f"{folder}/costs.json", report.model_dump_json(indent=2).encode(), "application/json")
    html = render_html(report).encode()
    uri = blobs.put(f"{folder}/costs.html", html, "text/html; charset=utf-8")
    written = announcement(report, uri)
    announcer.announce(written)
    return written


def folder_of(period: Period) -> str:
    """Where the files of a report lie in its bucket."""
    return f"reports/{period.kind.value}/{period.first_day.isoformat()}"


def _reconciled(report: CostReport, books: Books, prices: PriceBook, bill: Bill) -> CostReport:
    found = reconciled(bill, _estimates(books, prices, bill, report.written_at))
    beside = report.model_copy(update={"bill": found, "basis": "reconciled"})
    return beside.model_copy(update={"notes": notes(beside)})


def _estimates(
    books: Books, prices: PriceBook, bill: Bill, now: datetime
) -> Mapping[str, Estimate]:
    """What the ledger has of the bill's UTC days."""
    start = datetime.combine(bill.first, time(), tzinfo=UTC)
    until = datetime.combine(bill.after, time(), tzinfo=UTC)
    sums: dict[str, Estimate] = {}
    for one in billed_segments(books.segments, books.records, prices, start, until, now):
        # By whose machines they were then: an endpoint may have moved from its own to shared ones.
        name = SHARED if one.shared else one.endpoint
        known = sums.get(name, Estimate(Decimal(0), Decimal(0)))
        hours = instance_hours(one)
        sums[name] = Estimate(
            known.usd + usd(one),
            known.hours + hours,
            bool(one.shared),
            known.unpriced_hours + (hours if one.usd_per_hour is None else 0),
        )
    return sums


def read_books(store: EndpointStore, period: Period, now: datetime | None = None) -> Books:
    """With the weeks before the period, which say what is usual, and up to now, for what a budget
    has spent.

    Records first: a segment closed in between is then seen twice rather than not at all, and
    `billed_segments` counts it once."""
    records = store.load_all()
    until = max(period.end, now or period.end)
    segments = store.usage(period.start - LOOK_BACK, until)
    day = timedelta(days=1)
    counters = store.traffic((period.start - LOOK_BACK).date(), (period.end + day).date())
    within = (s.endpoint for s in segments if s.end > period.start and s.start < period.end)
    names = {r.spec.name for r in records} | set(within)
    return Books(
        records=records,
        segments=segments,
        traffic=counters,
        history={name: wake_lines(store, name, period) for name in sorted(names)},
    )


def period_since_first(store: EndpointStore, clock: Clock, time_zone: str = "UTC") -> Period:
    """Everything until now since the oldest endpoint was applied; of those that were removed since
    their first instance."""
    now = clock.now()
    start = min((r.status.first_applied_at for r in store.load_all()), default=now)
    while earlier := store.usage(start - _UNUSED, start):
        start = min(segment.start for segment in earlier)
    return Period.since(start, now, time_zone)
