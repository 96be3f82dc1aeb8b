"""What AWS billed, beside what the ledger had estimated for the same UTC days, and why they differ.

The bill is of whole UTC days, tells usage by type and by the tag `autoscaler:endpoint`, and knows
what the ledger cannot: discounts, Savings Plans, other usage than instances.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from pydantic import AwareDatetime, BaseModel, ConfigDict, computed_field

from ..alerts.money import Money

# Cost Explorer has a day's costs within a day or so, and goes on changing them for some more.
LAG = timedelta(days=3)
SHARED = "(shared machines)"
# USE1-Host:ml.g6e.xlarge, of asynchronous endpoints USE1-AsyncInf:ml.g6e.xlarge (AWS Price List);
# Host:VolumeUsage.gp3 and the like are no instances.
_INSTANCE = re.compile(r"\b(?:Host|AsyncInf):ml\.")
_NOTHING = Decimal("0.01")
_CLOSE = Decimal("0.01")  # shares of a whole below this are no difference


class Figure(BaseModel):
    """Base of every part of a report."""

    model_config = ConfigDict(frozen=True, defer_build=True)


class BillLine(Figure):
    """One usage type of one UTC day. `endpoint`: its tag; "": it has none."""

    day: date
    endpoint: str
    usage_type: str
    unblended_usd: Decimal
    amortized_usd: Decimal
    quantity: Decimal  # hours, of an instance

    @property
    def is_instance(self) -> bool:
        return bool(_INSTANCE.search(self.usage_type))


class Bill(Figure):
    """Lines of [first, after). `final`: AWS does not call any of them estimated any more."""

    first: date
    after: date
    read_at: AwareDatetime
    lines: tuple[BillLine, ...] = ()
    final: bool = True
    whole: bool = True  # False: there was more than one page, and a page costs $0.01


class BilledEndpoint(Figure):
    """One endpoint, or all that share machines. Hours are of instances."""

    name: str
    estimated_usd: Money
    estimated_hours: float
    billed_usd: Money  # instances, amortized: a Savings Plan's part included
    billed_hours: float
    other_usd: Money  # other usage types with its tag
    unpriced_hours: float = 0.0  # of the estimated ones, in no dollars: their price is unknown

    @computed_field  # type: ignore[prop-decorator]
    @property
    def difference_usd(self) -> Money:
        """Billed minus estimated."""
        return self.billed_usd - self.estimated_usd


class Reconciliation(Figure):
    """Reconciled figures beside estimated ones, of the same UTC days."""

    first: date
    last: date
    read_at: AwareDatetime
    final: bool
    endpoints: tuple[BilledEndpoint, ...]
    estimated_usd: Money
    billed_usd: Money
    other_usd: Money  # of the whole stack: its endpoints' other usage, and the controller
    why: tuple[str, ...]


@dataclass(frozen=True)
class Estimate:
    """What the ledger has of an endpoint in the bill's days. Hours whose price it does not know
    are in no dollars."""

    usd: Decimal
    hours: Decimal
    shared: bool = False
    unpriced_hours: Decimal = Decimal(0)


def reconciled(bill: Bill, estimates: Mapping[str, Estimate]) -> Reconciliation:
    """Lays the bill beside the ledger and says what explains the difference."""
    joined = _joined(estimates)
    names = sorted(joined.keys() | {_name(line) for line in bill.lines if line.is_instance})
    rows = tuple(_row(name, joined.get(name), bill.lines) for name in names)
    other = sum((one.amortized_usd for one in bill.lines if not one.is_instance), Decimal(0))
    found = Reconciliation(
        first=bill.first,
        last=bill.after - timedelta(days=1),
        read_at=bill.read_at,
        final=bill.final and bill.whole,
        endpoints=rows,
        estimated_usd=sum((row.estimated_usd for row in rows), Decimal(0)),
        billed_usd=sum((row.billed_usd for row in rows), Decimal(0)),
        other_usd=other,
        why=(),
    )
    return found.model_copy(update={"why": tuple(_why(found, bill))})


def nothing_tagged(stack: str) -> str:
    """Why a bill without any line is none: what AWS does not tell is not zero."""
    return (
        f"Not reconciled: Cost Explorer knows nothing with the tag autoscaler:stack = {stack} in "
        "these days. Activate autoscaler:stack and autoscaler:endpoint as cost allocation tags "
        "(Billing console, Cost allocation tags); they count from then on, not backwards."
    )


def _joined(estimates: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """Shared machines have no endpoint's tag: their endpoints are one row."""
    own = {name: one for name, one in estimates.items() if not one.shared}
    sharing = [one for one in estimates.values() if one.shared]
    if sharing:
        usd = sum((one.usd for one in sharing), Decimal(0))
        counted = sum((one.hours for one in sharing), Decimal(0))
        unpriced = sum((one.unpriced_hours for one in sharing), Decimal(0))
        own[SHARED] = Estimate(usd, counted, shared=True, unpriced_hours=unpriced)
    return own


def _name(line: BillLine) -> str:
    return line.endpoint or SHARED


def _row(name: str, estimate: Estimate | None, lines: Sequence[BillLine]) -> BilledEndpoint:
    own = [line for line in lines if _name(line) == name]
    instances = [line for line in own if line.is_instance]
    others = [line for line in own if not line.is_instance and line.endpoint]
    known = estimate or Estimate(Decimal(0), Decimal(0))
    return BilledEndpoint(
        name=name,
        estimated_usd=known.usd,
        estimated_hours=float(known.hours),
        billed_usd=sum((line.amortized_usd for line in instances), Decimal(0)),
        billed_hours=float(sum((line.quantity for line in instances), Decimal(0))),
        other_usd=sum((line.amortized_usd for line in others), Decimal(0)),
        unpriced_hours=float(known.unpriced_hours),
    )


def _why(found: Reconciliation, bill: Bill) -> Iterator[str]:
    instances = [line for line in bill.lines if line.is_instance]
    if instances and not any(line.endpoint for line in bill.lines):
        yield (
            "No line has the tag autoscaler:endpoint, so all instances are in one row: activate "
            "it as a cost allocation tag beside autoscaler:stack."
        )
    yield from _of_discounts(instances)
    yield from _of_hours(found)
    if found.other_usd >= _NOTHING:
        yield (
            f"${found.other_usd:,.2f} of other usage types of this stack (the controller, volumes, "
            "data transfer, storage) are in no instance-hour, and beside these figures."
        )
    if not bill.final:
        yield "AWS still calls some of these days estimated: usage may arrive late."
    if not bill.whole:
        yield "The bill has more lines than one answer of Cost Explorer; the rest was not read."
    yield "Taxes, support and credits have no tag, and are in neither figure."


def _of_discounts(instances: Sequence[BillLine]) -> Iterator[str]:
    listed = sum((line.unblended_usd for line in instances), Decimal(0))
    paid = sum((line.amortized_usd for line in instances), Decimal(0))
    if abs(listed - paid) >= _NOTHING:
        yield (
            f"Savings Plans: ${paid:,.2f} with their part of the commitment, where the bill's own "
            f"lines have ${listed:,.2f}."
        )


def _of_hours(found: Reconciliation) -> Iterator[str]:
    """Whether it is the hours or their price that differs."""
    for row in found.endpoints:
        if row.unpriced_hours:
            yield (
                f"{row.name}: the price of {row.unpriced_hours:,.2f} of its "
                f"{row.estimated_hours:,.2f} hours is unknown; the estimate is without them, the "
                "bill is not."
            )
        if abs(row.difference_usd) < _NOTHING:
            continue
        hours, counted = Decimal(str(row.billed_hours)), Decimal(str(row.estimated_hours))
        apart = abs(hours - counted)
        if apart > _CLOSE * max(hours, counted):
            yield (
                f"{row.name}: AWS billed {hours:,.2f} instance-hours, the ledger counted "
                f"{counted:,.2f}; starts that are not billed, usage that arrives late, or a day "
                "before the tag was activated."
            )
        elif not row.unpriced_hours and abs(row.difference_usd) > _CLOSE * row.estimated_usd:
            price = row.billed_usd / hours if hours else Decimal(0)
            yield (
                f"{row.name}: the hours agree; AWS billed ${price:,.4f} an hour on average, which "
                "is not the list price: a discount, a private price, or a price of another Region."
            )
