"""What an instance costs in a Region and where the figure comes from. Unknown is None, never zero.

A book is what the Region's price list said when it was read last, laid over the bundled table of
us-east-1. Where only the table has a price, it is used and says that it is another Region's. What a
type cost before its price changed is kept beside it, so that each hour has the price of its time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache

from .instances import instances

_MICROSECOND = timedelta(microseconds=1)
BUNDLED_REGION = "us-east-1"
BUNDLED_ON = date(2026, 9, 27)  # most of data/instances.csv; each row says its own source
PRICE_LIST = "AWS Price List API"
LISTED = "list"  # SageMaker hosting, on demand
OTHER_REGION = "other-region"
# A new price holds from then on after it was read. Functions remember a book for as long, so that
# none still closes at the old price what is the new one's.
HOLDS_AFTER = timedelta(hours=1)
_UNKNOWN = "unknown"
_FORMER_KEPT = 12  # of a type; prices change a few times in ten years


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
class Former:
    """A price that held until another one was known. `origin`: where it was from."""

    until: datetime
    usd_per_hour: Decimal
    origin: str


@dataclass(frozen=True)
class Priced:
    """What an hour of a type costs from `start` to `end`; None: not known."""

    start: datetime
    end: datetime
    usd_per_hour: Decimal | None
    origin: str | None


@dataclass(frozen=True)
class PriceBook:
    """The prices of one Region. `listed` is its own price list, read at `read_at` (None: never).

    `former`: of types whose price changed, those before, oldest first. `since`: from when on such
    changes are kept (None: from the next reading on)."""

    region: str = BUNDLED_REGION
    listed: Mapping[str, Decimal] = field(default_factory=dict)
    read_at: datetime | None = None
    former: Mapping[str, tuple[Former, ...]] = field(default_factory=dict)
    since: datetime | None = None

    def price(self, instance_type: str) -> Price:
        """The Region's own price, else the bundled one with a label, else unknown."""
        own = self.listed.get(instance_type)
        if own is None or self.read_at is None:
            return self._bundled(instance_type)
        source = f"{PRICE_LIST}, {self.region}, read {self.read_at:%Y-%m-%d}"
        return Price(own, LISTED, source, self.region, self.read_at.date())

    def usd_per_hour(self, instance_type: str) -> Decimal | None:
        """Dollars per hour on demand, as known last; None: not known."""
        return self.price(instance_type).usd_per_hour

    def course(self, instance_type: str, start: datetime, end: datetime) -> Iterator[Priced]:
        """The prices that held within [start, end), each with its span; nothing for an empty one.
        The first that is known holds for all time before, the last for all time after."""
        for before in self.former.get(instance_type, ()):
            if start < min(end, before.until):
                until = min(end, before.until)
                yield Priced(start, until, before.usd_per_hour, before.origin)
                start = until
        if start < end:
            last = self.price(instance_type)
            yield Priced(start, end, last.usd_per_hour, last.origin)

    def usd(self, instance_type: str, start: datetime, end: datetime) -> Decimal | None:
        """Dollars of one instance from `start` to `end`; None: a price is not known."""
        total = Decimal(0)
        for one in self.course(instance_type, start, end):
            if one.usd_per_hour is None:
                return None
            hours = Decimal((one.end - one.start) // _MICROSECOND) / 3_600_000_000
            total += one.usd_per_hour * hours
        return total

    def at(self, instance_type: str, moment: datetime) -> Decimal | None:
        """Dollars per hour then; None: not known."""
        held = (p.usd_per_hour for p in self.former.get(instance_type, ()) if moment < p.until)
        return next(held, self.usd_per_hour(instance_type))

    def renewed(self, listed: Mapping[str, Decimal], now: datetime) -> PriceBook:
        """The book with another list. What changed holds an hour later; of what was never read
        before nothing is known of earlier times."""
        book = replace(self, listed=listed, read_at=now, since=self.known_since or now)
        if self.read_at is None:
            return book
        former = dict(self.former)
        for name in sorted({*self.listed, *listed}):
            old = self.price(name)
            if old.usd_per_hour in (None, book.usd_per_hour(name)):
                continue
            held = Former(now + HOLDS_AFTER, old.usd_per_hour or Decimal(0), old.origin or "")
            former[name] = (*former.get(name, ()), held)[-_FORMER_KEPT:]
        return replace(book, former=former)

    @property
    def known_since(self) -> datetime | None:
        """Of earlier times no price is known: a type has its first one. None: never read."""
        return self.since or self.read_at

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
