"""Keeps the Region's price book up to date; a price list that cannot be read changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from ..alerts.events.costs import PricesStale
from ..catalog.instances import instances
from ..catalog.prices import PriceBook
from ..ports import Announcer, Clock, EndpointStore, PriceList, PriceListError

# Once a week is often enough for people to hear of it; prices change a few times a year.
STALE_AFTER = timedelta(days=7)
# A price that differs by more from the bundled one is no price of that machine in any Region.
_FACTOR = 5


@dataclass(frozen=True)
class Refreshed:
    """What became of it: the book that holds now, and why it was not replaced (None: it was)."""

    book: PriceBook
    changed: tuple[str, ...] = ()  # instance types whose price is another now
    problem: str | None = None


def refresh_prices(
    store: EndpointStore, price_list: PriceList, announcer: Announcer, clock: Clock
) -> Refreshed:
    """Reads the price list of the store's Region and keeps it, with the prices before.

    When that fails the old book stays. It is announced when the book is older than a week, with
    the date of the book as the key: once for each book.
    """
    now, before = clock.now(), store.prices()
    try:
        listed = _believable(price_list.read(before.region))
    except PriceListError as wrong:
        if before.read_at is None or now - before.read_at > STALE_AFTER:
            announcer.announce(
                PricesStale(at=now, region=before.region, read_at=before.read_at, why=str(wrong))
            )
        return Refreshed(before, problem=str(wrong))
    book = before.renewed(listed, now)
    changed = tuple(n for n in listed if listed[n] != before.usd_per_hour(n))
    store.keep_prices(book)
    return Refreshed(book, changed)


def _believable(listed: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Those that we know the machine of. Raises PriceListError when a price cannot be one."""
    known = {name: usd for name, usd in listed.items() if name in instances()}
    if not known:
        raise PriceListError(f"the price list names none of the {len(instances())} types we know")
    for name, usd in known.items():
        bundled = instances()[name].usd_per_hour
        if bundled and not bundled / _FACTOR <= usd <= bundled * _FACTOR:
            raise PriceListError(
                f"the price list has ${usd} an hour for {name}, the bundled table ${bundled}"
            )
    return dict(sorted(known.items()))
