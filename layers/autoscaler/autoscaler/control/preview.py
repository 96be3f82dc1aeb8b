"""What a new endpoint would be and cost, in sentences, before anything is created."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from ..catalog.fit import Placement
from ..catalog.models import ModelFacts
from ..catalog.prices import PriceBook, bundled
from ..policy.schedule import bounds_at, next_edge
from ..spec import EndpointSpec
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
    prices = {name: book.usd_per_hour(name) for name in spec.instances.types}
    told = [f"{name} ({_usd(price)} an hour)" for name, price in prices.items()]
    yield f"instances: {', else '.join(told)}"
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
    dearest = max((price for price in prices.values() if price is not None), default=None)
    if placement is not None and dearest is not None:
        most = most_instances(spec, placement.copies_per_instance)
        first = prices[spec.instances.types[0]]
        yield (
            f"cost: $0.00 an hour asleep, {_usd(first)} with one instance, {_usd(dearest * most)} "
            f"at most; always on would be {_usd(first and first * HOURS_PER_MONTH)} a month"
        )
    if book.is_foreign:
        yield f"prices: {book.sentence()}"


def _usd(amount: Decimal | None) -> str:
    return "price unknown" if amount is None else f"${amount:,.2f}"
