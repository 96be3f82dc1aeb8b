"""What is decided in observe mode and not done: what it would save, and how it is said. Pure.

A withheld sleep saves what runs meanwhile, less the start that would follow it. It is an estimate:
requests that came would have met other copies than they did.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from ..alerts.wording import usd
from ..endpoints.status import EndpointRecord, EndpointStatus
from ..endpoints.withheld import EarlierDays, Withheld, Would, added, folded
from ..ledger.billed import hours
from ..policy.economy import lead_time
from ..policy.types import Decision, Phase, Transition
from ..policy.wording import at_utc, counted
from ..ports import Capacity
from .breaker import usd_per_hour
from .metering import instances_for
from .observe import history

PARAMETER = "Mode=observe"
_OBSERVES = f"The stack only observes ({PARAMETER}): nothing was changed."
_TRANSITIONS = {Transition.WAKE: Would.WAKE, Transition.SLEEP: Would.SLEEP}


def difference(
    record: EndpointRecord, decision: Decision, capacity: Capacity, now: datetime
) -> Withheld | None:
    """What would be done; None: what is there is what was decided."""
    resized = decision.copies != capacity.desired_copies
    if decision.transition is not None:
        would = _TRANSITIONS[decision.transition]
    elif record.status.phase is Phase.AWAKE and resized:
        would = Would.RESIZE
    else:
        return None
    copies = 0 if would is Would.SLEEP else decision.copies
    rate = _saves(record, would, copies, capacity)
    return Withheld(would=would, copies=copies, since=now, saves_usd_per_hour=rate)


def _saves(record: EndpointRecord, would: Would, copies: int, capacity: Capacity) -> Decimal | None:
    """Dollars an hour that it would cost less; None: a price is not known."""
    price = record.usd_per_copy_hour
    if price is None:
        return None
    if would is Would.SLEEP:
        return usd_per_hour(record)
    if record.spec.instances.shared is not None:
        return price * (capacity.copies - copies)
    each = record.status.copies_per_instance
    return price * each * (instances_for(capacity.copies, each) - instances_for(copies, each))


def is_same(before: Withheld | None, after: Withheld | None) -> bool:
    """Whether nothing new is withheld; the size of a wake that waits is no news."""
    if before is None or after is None:
        return before is after
    resized = before.would is Would.RESIZE and before.copies != after.copies
    return before.would is after.would and not resized


def counted_on(record: EndpointRecord, now: datetime) -> EndpointRecord:
    """With what the withheld change would have saved since the last look."""
    status, one = record.status, record.status.withheld
    since = status.withheld_at or now
    if one is None or now <= since:
        return record
    # A wake's requests would be answered by now: what it would cost until here is not known.
    rate = Decimal(0) if one.would is Would.WAKE else one.saves_usd_per_hour or Decimal(0)
    after = one.model_copy(update={"saved_usd": one.saved_usd + rate * hours(now - since)})
    changes: dict[str, Any] = {"withheld": after, "withheld_at": now}
    if rate:
        days = added(status.would_save, since, now, rate)
        began = record.stack.observing_since
        days, earlier = folded(days, status.would_save_earlier, began)
        changes |= {"would_save": days, "would_save_earlier": earlier}
    return record.having(status.model_copy(update=changes))


def less_its_start(record: EndpointRecord, now: datetime) -> EndpointRecord:
    """A withheld sleep is over: the start that would follow it is taken off what it saved."""
    status, one = record.status, record.status.withheld
    if one is None or one.would is not Would.SLEEP:
        return record
    start = min(lead_time(history(record)), now - one.since)
    price = (one.saves_usd_per_hour or Decimal(0)) * hours(start)
    days = dict(status.would_save)
    days[now.date()] = days.get(now.date(), Decimal(0)) - price
    after = one.model_copy(update={"saved_usd": one.saved_usd - price})
    return record.having(status.model_copy(update={"withheld": after, "would_save": days}))


def would_be(would: Would, copies: int) -> str:
    """As a part of a sentence."""
    return {
        Would.WAKE: f"it would be woken with {counted(copies, 'copy')}",
        Would.SLEEP: "it would be put to sleep",
        Would.RESIZE: f"it would get {counted(copies, 'copy')}",
    }[would]


def priced(rate: Decimal | None) -> str:
    """What it would save or cost, behind such a part."""
    if rate is None:
        return ", at a price that is not known"
    return f", {usd(abs(rate))} an hour {'less' if rate > 0 else 'more'}" if rate else ""


def withheld_view(status: EndpointStatus) -> dict[str, Any] | None:
    """What `get` shows of it; None: nothing is withheld."""
    one = status.withheld
    if one is None:
        return None
    rate, what = one.saves_usd_per_hour, would_be(one.would, one.copies)
    return {
        "would": one.would.value,
        "copies": one.copies,
        "since": one.since.isoformat(),
        "saves_usd_per_hour": None if rate is None else f"{rate:f}",
        "saved_usd": f"{one.saved_usd:f}",
        "text": f"{PARAMETER}: {what} since {at_utc(one.since)}{priced(rate)}",
    }


def would_have_saved(
    records: Iterable[EndpointRecord], start: datetime, end: datetime, *, open_ended: bool = False
) -> dict[str, Decimal]:
    """Dollars by endpoint. A UTC day belongs to the period that holds its middle, and to an
    open-ended one if it touches it; days of which only the sum is kept, if all of them do."""
    found: dict[str, Decimal] = {}
    for one in records:
        days, earlier = one.status.would_save, one.status.would_save_earlier
        saved = [usd for day, usd in days.items() if _belongs(day, start, end, open_ended)]
        if earlier and all(_ends_belong(earlier, start, end, open_ended)):
            saved.append(earlier.usd)
        found[one.status.name] = sum(saved, Decimal(0))
    return {name: saved for name, saved in sorted(found.items()) if saved}


def _belongs(day: date, start: datetime, end: datetime, open_ended: bool) -> bool:
    within = start <= datetime.combine(day, time(12), UTC) < end
    first, last = start.astimezone(UTC).date(), end.astimezone(UTC).date()
    return within or (open_ended and first <= day <= last)


def _ends_belong(
    days: EarlierDays, start: datetime, end: datetime, open_ended: bool
) -> tuple[bool, bool]:
    first, last = (_belongs(day, start, end, open_ended) for day in (days.first, days.last))
    return first, last


def _not_told(
    records: Iterable[EndpointRecord], start: datetime, end: datetime, open_ended: bool
) -> list[str]:
    """Of which days of the period nothing more than a sum over others too is known."""
    cut = [
        days
        for one in records
        if (days := one.status.would_save_earlier)
        and not all(_ends_belong(days, start, end, open_ended))
        and days.first <= end.astimezone(UTC).date()
        and start.astimezone(UTC).date() <= days.last
    ]
    if not cut:
        return []
    first, last = min(days.first for days in cut), max(days.last for days in cut)
    span = f"{first.day} {first:%b} to {last.day} {last:%b}"
    return [f"Of what was decided from {span} only the sum is kept, which is not in this."]


def withheld_sentences(
    records: Iterable[EndpointRecord],
    since: datetime | None,
    start: datetime,
    end: datetime,
    *,
    open_ended: bool = False,
) -> list[str]:
    """For the report of a period. `since`: when observe mode began, if it has not ended."""
    observes, fleet = since is not None and since < end, list(records)
    found = would_have_saved(fleet, start, end, open_ended=open_ended)
    begin = _OBSERVES if observes else f"For a time the stack only observed ({PARAMETER})."
    left_out = _not_told(fleet, start, end, open_ended)
    if not found:
        return [" ".join([begin, *left_out])] if observes or left_out else []
    each = ", ".join(f"{name} {usd(saved)}" for name, saved in found.items())
    total = usd(sum(found.values(), Decimal(0)))
    told = (
        f"{begin} What was decided meanwhile would have cost {total} less, the starts that follow "
        f"a sleep taken off ({each}; estimated, by UTC day)."
    )
    return [" ".join([told, *left_out])]
