"""What an instance costs. Unknown is None, never zero."""

from __future__ import annotations

from decimal import Decimal

from .instances import instances


def usd_per_hour(instance_type: str) -> Decimal | None:
    """Dollars per hour, us-east-1 on demand, from the bundled table; None: not known."""
    found = instances().get(instance_type)
    return found.usd_per_hour if found else None
