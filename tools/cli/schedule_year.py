"""A schedule laid out over some days, with its hours and what it alone asks to be paid."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from autoscaler.catalog.fit import choose
from autoscaler.catalog.models import known_model
from autoscaler.catalog.prices import PriceBook
from autoscaler.control.metering import instances_for
from autoscaler.policy.schedule import zone_of
from autoscaler.policy.stretches import ClockChange, Stretch, clock_changes, stretches
from autoscaler.spec import EndpointSpec, format_duration

OUTSIDE = "outside"  # all windows


@dataclass(frozen=True)
class Rate:
    """What one instance of the first type costs, and how many copies lie on it."""

    instance_type: str
    usd_per_hour: Decimal | None  # None: not known
    copies_per_instance: int
    source: str

    def usd(self, copy_counts: Mapping[int, float]) -> Decimal | None:
        """Dollars of so many hours by number of copies; None: the price is not known."""
        if self.usd_per_hour is None:
            return None
        instance_hours = sum(
            self.instances(copies) * hours for copies, hours in copy_counts.items()
        )
        return self.usd_per_hour * Decimal(str(round(instance_hours, 6)))

    def instances(self, copies: int) -> int:
        return instances_for(copies, self.copies_per_instance)


@dataclass(frozen=True)
class Month:
    """Hours of one local month by window, and by the copies that the schedule keeps."""

    name: str  # yyyy-mm
    by_window: Mapping[str, float]
    by_copies: Mapping[int, float]


@dataclass(frozen=True)
class Laid:
    """What is shown. `overrides`: sentences of what a person asked for, of an endpoint that is
    there; `odd`: what may surprise."""

    spec: EndpointSpec
    start: datetime
    end: datetime
    stretches: Sequence[Stretch]
    changes: Sequence[ClockChange]
    months: Sequence[Month]
    rate: Rate
    odd: Sequence[str] = ()
    overrides: Sequence[str] = ()
    notes: Sequence[str] = field(default=())

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(zone_of(self.spec))

    @property
    def names(self) -> list[str]:
        """The windows in their order of precedence, then what is outside all of them."""
        return [*(window.name for window in self.spec.schedule.windows), OUTSIDE]

    def holiday(self, moment: datetime) -> str | None:
        return self.spec.schedule.holiday(moment.astimezone(self.zone).date())

    def total(self) -> Month:
        """All months together."""
        by_window: dict[str, float] = defaultdict(float)
        by_copies: dict[int, float] = defaultdict(float)
        for month in self.months:
            for name, hours in month.by_window.items():
                by_window[name] += hours
            for copies, hours in month.by_copies.items():
                by_copies[copies] += hours
        return Month("in total", by_window, by_copies)


def lay_out(
    spec: EndpointSpec,
    start: datetime,
    days: int,
    rate: Rate,
    odd: Sequence[str] = (),
    overrides: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Laid:
    """The schedule from `start` for so many days of the local calendar."""
    zone = ZoneInfo(zone_of(spec))
    end = (start.astimezone(zone).replace(tzinfo=None) + timedelta(days=days)).replace(tzinfo=zone)
    found = stretches(spec, start, end)
    return Laid(
        spec=spec,
        start=start.astimezone(UTC),
        end=end.astimezone(UTC),
        stretches=found,
        changes=clock_changes(spec, start, end),
        months=list(_months(found, zone)),
        rate=rate,
        odd=odd,
        overrides=overrides,
        notes=notes,
    )


def rate_of(spec: EndpointSpec, book: PriceBook) -> Rate:
    """The price of the first instance type. A model that is not in the catalogue, or that does not
    fit, counts an instance for each copy."""
    first = spec.instances.types[0]
    price, facts, fits = book.price(first), known_model(spec.model.id), 1
    if facts is not None:
        try:
            fits = choose(facts, spec, book).copies_by_type[first]
        except ValueError:
            fits = 1
    return Rate(first, price.usd_per_hour, fits, price.source)


def _months(found: Sequence[Stretch], zone: ZoneInfo) -> Iterator[Month]:
    by_window: dict[str, dict[str, float]] = {}
    by_copies: dict[str, dict[int, float]] = {}
    for one in found:
        for month, hours in _by_month(one, zone):
            names = by_window.setdefault(month, defaultdict(float))
            copies = by_copies.setdefault(month, defaultdict(float))
            names[one.bounds.name or OUTSIDE] += hours
            copies[one.bounds.min_copies] += hours
    for month in by_window:
        yield Month(month, by_window[month], by_copies[month])


def _by_month(one: Stretch, zone: ZoneInfo) -> Iterator[tuple[str, float]]:
    """The hours of a stretch, by the local month in which they are."""
    moment = one.start
    while moment < one.end:
        local = moment.astimezone(zone)
        first = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, tzinfo=None, fold=0)
        following = (first + timedelta(days=32)).replace(day=1)
        until = min(one.end, following.replace(tzinfo=zone).astimezone(UTC))
        yield f"{local:%Y-%m}", (until - moment) / timedelta(hours=1)
        moment = until


def document(laid: Laid) -> dict[str, Any]:
    """Everything, for scripts; times in UTC and, as `local`, with the zone's offset."""
    total = laid.total()
    return {
        "endpoint": laid.spec.name,
        "time_zone": zone_of(laid.spec),
        "from": laid.start.isoformat(),
        "to": laid.end.isoformat(),
        "precedence": laid.names[:-1],
        "transitions": [_transition(laid, one) for one in laid.stretches],
        "clock_changes": [
            {
                "at": change.at.isoformat(),
                "local": change.at.astimezone(laid.zone).isoformat(),
                "moved_by_seconds": change.moved_by.total_seconds(),
            }
            for change in laid.changes
        ],
        "months": [_month(laid, month) for month in laid.months],
        "total": _month(laid, total),
        "price": {
            "instance_type": laid.rate.instance_type,
            "usd_per_hour": _text(laid.rate.usd_per_hour),
            "copies_per_instance": laid.rate.copies_per_instance,
            "source": laid.rate.source,
        },
        "warnings": list(laid.odd),
        "overrides": list(laid.overrides),
        "notes": list(laid.notes),
    }


def _transition(laid: Laid, one: Stretch) -> dict[str, Any]:
    keep = one.bounds.keep_alive
    return {
        "at": one.start.isoformat(),
        "local": one.start.astimezone(laid.zone).isoformat(),
        "until": one.end.isoformat(),
        "window": one.bounds.name,
        "min_copies": one.bounds.min_copies,
        "max_copies": one.bounds.max_copies,
        "keep_alive": "learned" if keep is None else format_duration(keep),
        "beneath": list(one.beneath),
        "holiday": laid.holiday(one.start),
    }


def _month(laid: Laid, month: Month) -> dict[str, Any]:
    hours = {name: round(month.by_window.get(name, 0.0), 4) for name in laid.names}
    return {
        "month": month.name,
        "hours": hours,
        "kept_copy_hours": round(sum(n * h for n, h in month.by_copies.items()), 4),
        "usd": _text(laid.rate.usd(month.by_copies)),
    }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"
