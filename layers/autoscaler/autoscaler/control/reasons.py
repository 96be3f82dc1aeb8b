"""Why an endpoint is as it is: the last decision's reasons, stored when they change.

Their codes are compared, not their sentences: those carry figures that move with every look, and
an endpoint at rest shall cost no write a minute.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ..alerts.events.capacity import WakeDelayed
from ..endpoints.status import EndpointRecord
from ..policy.closing import Closure
from ..policy.types import Decision, Phase, ReasonCode
from ..ports import Load
from .closing import bar_of
from .telling import tell, telling
from .wishes import entry
from .world import World

_DELAYS = (ReasonCode.WAKES_SPENT, ReasonCode.BACKING_OFF, ReasonCode.REQUESTS_HELD_BACK)


def keep_reasons(
    world: World, record: EndpointRecord, decision: Decision, load: Load, now: datetime
) -> None:
    """Stores the reasons if they are others than before, and tells once a day that a wake which
    is wanted has to wait. `record` is as it was before the decision was carried out.

    Raises ConflictError; the next tick finds the same reasons again.
    """
    codes = tuple(reason.code.value for reason in decision.reasons)
    delay = next((r.code for r in decision.reasons if r.code in _DELAYS), None)
    told = f"{now.date()}#{delay}" if delay else record.status.delay_told
    if codes == record.status.reasons and told == record.status.delay_told:
        return
    newest = record if _is_untouched(record, decision) else world.store.load(record.status.name)
    if newest is None:
        return
    status = newest.status.model_copy(
        update={
            "reasons": codes,
            "last_reason": decision.summary,
            "last_reason_at": now,
            "delay_told": told,
        }
    )
    if delay is None or told == newest.status.delay_told:
        world.store.save(status)
        return
    lines = [entry(status, now, decision.summary)]
    delayed = _delayed(newest.having(status), delay, load, now)
    tell(world, world.store.save(telling(status, delayed), entries=lines))


def _is_untouched(record: EndpointRecord, decision: Decision) -> bool:
    """Of who sleeps on nothing was written with the decision: no need to read it once more."""
    return record.status.phase is Phase.ASLEEP and decision.transition is None


def _delayed(record: EndpointRecord, code: ReasonCode, load: Load, now: datetime) -> WakeDelayed:
    status = record.status
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    until = midnight if code is ReasonCode.WAKES_SPENT else status.retry_at or midnight
    bar = bar_of(record, now) if code is ReasonCode.REQUESTS_HELD_BACK else None
    if bar is not None:
        until = bar.until
    woken = status.wakes_today if status.wakes_on == now.date() else 0
    stack = record.stack.wakes_spent(now) if code is ReasonCode.WAKES_SPENT else None
    if woken >= record.spec.budget.wakes_per_day:
        stack = None  # its own are what keeps it
    return WakeDelayed(
        endpoint=status.name,
        generation=status.generation,
        at=now,
        reason=code,
        waiting=load.backlog,
        until=until,
        wakes_today=woken,
        stack_wakes=stack.wakes if stack else None,
        window=bar.window if isinstance(bar, Closure) else None,
    )
