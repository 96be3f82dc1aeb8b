"""Which prices a report's figures have, in sentences that stand under it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from ..alerts.wording import local_time, usd_apart
from ..catalog.prices import PriceBook
from .costs import Books
from .figures import CostReport


def price_notes(book: PriceBook, books: Books, report: CostReport) -> Iterator[str]:
    """Where the prices come from, which of them changed in the period, and from when on changes
    are known, if the baseline begins before."""
    zone = report.period.time_zone
    yield f"{book.sentence()} What was closed before keeps the price that it was closed with."
    for name in sorted(_types(books, report)):
        spans = list(book.course(name, report.period.start, report.until))
        for before, after in pairwise(spans):
            was, became = usd_apart(before.usd_per_hour, after.usd_per_hour)
            yield (
                f"{name} cost {was} an hour until "
                f"{local_time(after.start, zone)}, and {became} from then on: "
                "what ran and the always-on baseline have the price of their time."
            )
    since = book.known_since
    if since is not None and any(
        one.baseline_usd and one.slot.end <= since for one in report.slots
    ):
        yield (
            f"Changes of prices are known from {local_time(since, zone)} on: before, the always-on "
            "baseline has the first price that is known."
        )


def _types(books: Books, report: CostReport) -> set[str]:
    """Those that ran in the period, and those that a baseline may be of."""
    ran = {
        one.instance_type
        for one in books.segments
        if one.start < report.until and one.end > report.period.start
    }
    return ran.union(
        (one.instance_type for one in report.endpoints),
        (m.instance_type for record in books.records for m in record.status.meters),
    )
