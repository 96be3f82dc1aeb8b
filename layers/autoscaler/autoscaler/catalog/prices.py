"""What an instance costs and where the figure comes from. Unknown is None, never zero."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from .instances import instances

_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Price:
    """Dollars per hour, us-east-1 on demand; None: not known. `kind` as in InstanceType."""

    usd_per_hour: Decimal | None
    kind: str
    source: str


def price(instance_type: str) -> Price:
    """The bundled table's price with its source; a type that it lacks has an unknown price."""
    found = instances().get(instance_type)
    if found is None:
        return Price(None, _UNKNOWN, "not in the catalogue")
    return Price(found.usd_per_hour, found.price_kind, found.price_source)


def usd_per_hour(instance_type: str) -> Decimal | None:
    """Dollars per hour, us-east-1 on demand, from the bundled table; None: not known."""
    return price(instance_type).usd_per_hour
