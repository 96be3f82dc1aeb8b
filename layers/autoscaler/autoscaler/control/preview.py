"""What a new endpoint would be and cost, in sentences, before anything is created."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from ..catalog.fit import Placement, choose
from ..catalog.models import ModelFacts
from ..catalog.prices import PriceBook, bundled
from ..policy.schedule import bounds_at, next_edge
from ..spec import EndpointSpec, Rung
from .advice import advice
from .metering import most_instances

HOURS_PER_MONTH = 730  # as AWS's price calculator counts


def preview(
    spec: EndpointSpec,
    placement: Placement | None,
    now: datetime,
    book: PriceBook | None = None,
    facts: ModelFacts | None = None,
) -> Iterator[str]:
    """Yields lines for people. `placement` None: the model is not in the catalogue."""
    book = book or bundled()
    yield f"instances: {_told(spec.instances, book)}"
    if others := [_told(rung, book) for rung in spec.instances.alternatives]:
        yield f"alternatives: {'; '.join(others)}"
    if facts is not None:
        yield from advice(spec, facts, book)
    if placement is not None:
        per_instance = placement.copies_per_instance
        yield f"a copy {placement.explanation}; {per_instance} to an instance"
    bounds = bounds_at(spec, now)
    edge = next_edge(spec, now)
    until = f" until {edge:%Y-%m-%d %H:%M} UTC" if edge else ""
    where = f" (window {bounds.name})" if bounds.name else ""
    copies = f"{bounds.min_copies} to {bounds.max_copies}"
    yield f"copies: {'none, closed' if bounds.is_closed else copies}{where}{until}"
    windows = [window.name for window in spec.schedule.windows]
    if len(windows) > 1:
        yield f"windows: {', '.join(windows)}; of those that are open the first listed wins"
    if placement is not None and (most := _most(spec, placement, book, facts)) is not None:
        first = book.usd_per_hour(spec.instances.types[0])
        yield (
            f"cost: $0.00 an hour asleep, {_usd(first)} with one instance, {_usd(most)} "
            f"at most; always on would be {_usd(first and first * HOURS_PER_MONTH)} a month"
        )
    if book.is_foreign:
        yield f"prices: {book.sentence()}"


def _told(rung: Rung, book: PriceBook) -> str:
    return ", else ".join(
        f"{name} ({_usd(book.usd_per_hour(name))} an hour)" for name in rung.types
    )


def _most(
    spec: EndpointSpec, placement: Placement, book: PriceBook, facts: ModelFacts | None
) -> Decimal | None:
    """Dollars an hour of all copies on the dearest rung, any of which a wake may come to; None: no
    price is known. Without `facts`, a copy on an alternative is taken to fill an instance."""
    found: list[Decimal] = []
    for number, rung in enumerate(spec.rungs):
        prices = [book.usd_per_hour(name) for name in rung.types]
        known = [price for price in prices if price is not None]
        copies = placement.copies_per_instance if number == 0 else 1
        if number and facts is not None:
            copies = choose(facts, spec.on_rung(number), book).copies_per_instance
        found += [price * most_instances(spec, copies) for price in known]
    return max(found, default=None)


def _usd(amount: Decimal | None) -> str:
    return "price unknown" if amount is None else f"${amount:,.2f}"
