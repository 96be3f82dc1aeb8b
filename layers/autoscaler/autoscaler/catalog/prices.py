"""What an instance costs in a Region and where the figure comes from. Unknown is None, never zero.

A book is what the Region's price list said when it was read last, laid over the bundled table of
us-east-1. Where only the table has a price, it is used and says that it is another Region's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cache

from .instances import instances

BUNDLED_REGION = "us-east-1"
BUNDLED_ON = date(2026, 9, 27)  # most of data/instances.csv; each row says its own source
PRICE_LIST = "AWS Price List API"
LISTED = "list"  # SageMaker hosting, on demand
OTHER_REGION = "other-region"
_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Price:
    """Dollars per hour on demand; None: not known. `kind` as in InstanceType, or other-region."""

    usd_per_hour: Decimal | None
    kind: str
    source: str
    region: str = BUNDLED_REGION
    as_of: date | None = None

    @property
    def origin(self) -> str | None:
        """Where it comes from, short enough to be kept with each dollar: `list us-east-1
        2026-11-20`; from the bundled table `table derived us-east-1 2026-09-27`. None: no price."""
        if self.usd_per_hour is None:
            return None
        if self.as_of is not None:
            return f"{self.kind} {self.region} {self.as_of}"
        return f"table {self.kind} {self.region} {BUNDLED_ON}"


@dataclass(frozen=True)
class PriceBook:
    """The prices of one Region. `listed` is its own price list, read at `read_at` (None: never)."""

    region: str = BUNDLED_REGION
    listed: Mapping[str, Decimal] = field(default_factory=dict)
    read_at: datetime | None = None

    def price(self, instance_type: str) -> Price:
        """The Region's own price, else the bundled one with a label, else unknown."""
        own = self.listed.get(instance_type)
        if own is None or self.read_at is None:
            return self._bundled(instance_type)
        source = f"{PRICE_LIST}, {self.region}, read {self.read_at:%Y-%m-%d}"
        return Price(own, LISTED, source, self.region, self.read_at.date())

    def usd_per_hour(self, instance_type: str) -> Decimal | None:
        """Dollars per hour on demand; None: not known."""
        return self.price(instance_type).usd_per_hour

    @property
    def is_foreign(self) -> bool:
        """Whether nothing is known of the Region itself, and the bundled table is another's."""
        return not self.listed and self.region != BUNDLED_REGION

    def sentence(self) -> str:
        """Where the prices come from, for reports and previews."""
        if self.listed and self.read_at is not None:
            return (
                f"Prices are those of {self.region}, on demand, as AWS's price list had them on "
                f"{self.read_at:%Y-%m-%d}; what it lacks is {_table(self.region)}."
            )
        return f"Prices are {_table(self.region)}."

    def _bundled(self, instance_type: str) -> Price:
        found = instances().get(instance_type)
        if found is None:
            return Price(None, _UNKNOWN, "not in the catalogue", self.region)
        if found.usd_per_hour is None or self.region == BUNDLED_REGION:
            return Price(found.usd_per_hour, found.price_kind, found.price_source, BUNDLED_REGION)
        source = f"{BUNDLED_REGION} price, {self.region}'s own not known ({found.price_source})"
        return Price(found.usd_per_hour, OTHER_REGION, source, BUNDLED_REGION)


def _table(region: str) -> str:
    if region == BUNDLED_REGION:
        return f"the bundled table's ({BUNDLED_REGION} on demand, as of {BUNDLED_ON})"
    return f"the {BUNDLED_REGION} price as of {BUNDLED_ON}: {region}'s own is not known"


@cache
def bundled(region: str = BUNDLED_REGION) -> PriceBook:
    """A Region's book before its price list was ever read."""
    return PriceBook(region)


def price(instance_type: str) -> Price:
    """The bundled table's price with its source; a type that it lacks has an unknown price."""
    return bundled().price(instance_type)


def usd_per_hour(instance_type: str) -> Decimal | None:
    """Dollars per hour, us-east-1 on demand, from the bundled table; None: not known."""
    return bundled().usd_per_hour(instance_type)
