"""What the tick wakes an endpoint for that keeps answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ..endpoints.status import EndpointRecord
from ..policy.types import Phase
from ..ports import Load
from .wishes import may_not_wake
from .world import World


def as_it_wakes(world: World, record: EndpointRecord, load: Load, now: datetime) -> Load:
    """The demand; of an endpoint that keeps answers and sleeps, only what nobody has taken.

    A message that a dispatcher has taken may be answered by what was kept, a moment from now; the
    tick would wake the endpoint for it. If it is not, the dispatcher wakes the endpoint by itself
    (`dispatch.wake_for`), and what it put back it takes again. After a failed wake, and whenever
    the dispatcher may not wake, everything counts.
    """
    status = record.status
    if record.spec.answers.keep is None or status.phase is not Phase.ASLEEP or not load.backlog:
        return load
    if status.retry_at is not None or may_not_wake(record, now):
        return load
    untaken = world.load.untaken(status.name)
    return replace(load, backlog=untaken, taken=max(0, load.backlog - untaken))
