"""The refresh_prices function: once a day, and soon after the stack was made."""

from __future__ import annotations

from typing import Any

from ..aws.clock import SystemClock
from ..aws.events import BusAnnouncer
from ..aws.price_list import AwsPriceList
from ..aws.table import TableStore
from ..control.in_context import InContext
from ..control.refresh_prices import refresh_prices
from .logs import logger
from .settings import settings


def refresh() -> dict[str, Any]:
    """Reads the price list; what it could not be read for is logged, and the old prices stay."""
    env = settings()
    store = TableStore(env.table_name)
    announcer = InContext(BusAnnouncer(env.bus_name), store)
    done = refresh_prices(store, AwsPriceList(), announcer, SystemClock())
    book = done.book
    if done.problem:
        logger.warning("prices kept as they were", problem=done.problem, region=book.region)
    else:
        logger.info("prices read", region=book.region, types=len(book.listed), changed=done.changed)
    return {
        "region": book.region,
        "types": len(book.listed),
        "changed": list(done.changed),
        "read_at": book.read_at.isoformat() if book.read_at else None,
        "problem": done.problem,
    }
