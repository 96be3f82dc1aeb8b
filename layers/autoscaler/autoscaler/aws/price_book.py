"""The price book as one item of the table, beside the fleet: it comes with the fleet's query."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal

from ..catalog.prices import Former, PriceBook, bundled
from ..endpoints.migrations import Part
from .items import Item, read, written

# No endpoint's name is empty, so nothing else has such a key.
PRICES_SK = "#PRICES"


def price_item(key: Item, book: PriceBook) -> Item:
    """What is stored; the bundled table is not, it comes with the code."""
    body = {
        "region": book.region,
        "read_at": book.read_at.isoformat() if book.read_at else None,
        "usd_per_hour": {name: str(usd) for name, usd in sorted(book.listed.items())},
        "since": book.since.isoformat() if book.since else None,
        "former": {
            name: [[one.until.isoformat(), str(one.usd_per_hour), one.origin] for one in held]
            for name, held in sorted(book.former.items())
        },
    }
    return {**key, **written(json.dumps(body))}


def read_book(item: Item | None, region: str) -> PriceBook:
    """The stored book; the bundled table when there is none, or it is of another Region. A book
    of a release that kept no former prices begins to when it is read anew."""
    body = json.loads(read(Part.PRICES, item)) if item else {}
    if body.get("region") != region or not body.get("read_at"):
        return bundled(region)
    listed = {name: Decimal(usd) for name, usd in body["usd_per_hour"].items()}
    read_at = datetime.fromisoformat(body["read_at"])
    former = {
        name: tuple(
            Former(datetime.fromisoformat(until), Decimal(usd), origin)
            for until, usd, origin in held
        )
        for name, held in body.get("former", {}).items()
    }
    since = datetime.fromisoformat(body["since"]) if body.get("since") else None
    return PriceBook(region, listed, read_at, former, since)
