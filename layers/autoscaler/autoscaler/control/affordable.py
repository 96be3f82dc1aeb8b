"""What of a file its own budget cannot pay for, and what would keep it at zero now: warnings of
`plan`, with the figures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from ..catalog.prices import PriceBook
from ..endpoints.stack_state import StackState
from ..endpoints.status import EndpointRecord
from ..policy.budget import halted
from ..policy.forecast import asked_for
from ..policy.types import Bounds, Observation, Phase
from ..spec import EndpointSpec, WhenSpent
from .purse import spent_of

_WEEKS = 4
_HOURS_PER_MONTH = Decimal(730)  # as AWS's price calculator counts


def unaffordable(
    spec: EndpointSpec, prices: PriceBook, copies_per_instance: int, now: datetime
) -> Iterator[str]:
    """Sentences about limits that the schedule's own minimum is above."""
    price = prices.usd_per_hour(spec.instances.types[0])
    if price is None or not spec.budget.limited:
        return
    start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    hours = asked_for(spec, None, start, start + timedelta(weeks=_WEEKS), copies_per_instance)
    week = sum(hours.values(), Decimal(0)) / _WEEKS
    month = week / (7 * 24) * _HOURS_PER_MONTH * price
    day = max(hours.values(), default=Decimal(0)) * price
    for name, limit, least, span in (
        ("monthly_usd", spec.budget.monthly_usd, month, "a month"),
        ("daily_usd", spec.budget.daily_usd, day, "on its longest day"),
    ):
        if limit is not None and least > limit:
            yield (
                f"budget.{name}: {_usd(limit)} is less than the windows and min_copies alone cost, "
                f"{_usd(least)} {span}; {_follows(spec.budget.when_spent)}; raise it, or shorten "
                "the windows"
            )


def kept_at_zero(
    spec: EndpointSpec, state: StackState, now: datetime, record: EndpointRecord | None = None
) -> Iterator[str]:
    """A sentence while the kill switch is on, or a budget is spent and ends in sleep: the stack's,
    or its own, of which earlier endpoints of its name (`record`: the present one) spent too."""
    month, today = spent_of(record, now) if record else state.spent_before(spec.name, now, now)
    seen = Observation(
        phase=Phase.ASLEEP,
        phase_since=now,
        desired_copies=0,
        observed_copies=0,
        bounds=Bounds(0, 0),
        backlog=0,
        in_flight=0.0,
        spent_this_month_usd=month,
        spent_today_usd=today,
        stack_limit=state.limit_of(spec.budget.priority, now),
        stopped=state.stop_of(spec.name),
    )
    if halt := halted(spec, seen, now):
        yield f"{halt.reason.text} What is applied stays at zero until then."


def _follows(action: WhenSpent) -> str:
    return {
        WhenSpent.CAP: "once it is spent no copy is kept",
        WhenSpent.SLEEP: "once it is spent it sleeps whatever waits",
        WhenSpent.ALERT: "it will be exceeded",
    }[action]


def _usd(money: Decimal) -> str:
    return f"${money:,.2f}"
