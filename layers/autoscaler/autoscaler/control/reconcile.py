"""The tick: look at every endpoint, decide, act, record. Level-triggered.

Nothing here depends on which event called it. What could not be done now (somebody else wrote
first, AWS refused) is looked at again by the next tick.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from ..endpoints.stack_state import life_of
from ..endpoints.status import EndpointRecord
from ..ledger.shares import shares_now
from ..policy.types import Phase
from ..ports import ConflictError, Load
from .back_pressure import asks_later, tried_later_read
from .observe import NO_LOAD
from .progress import forget_retired
from .reconcile_one import reconcile_endpoint
from .signals import is_quiet
from .spent import spent_today
from .stack_watch import watched
from .standing import with_standing
from .stuck import is_stuck
from .telling import told_again
from .world import RESTING, World, measures_nothing

_WITHOUT_QUEUE = {Phase.STAGING, Phase.RETIRED}
# Endpoints at a time: each waits for AWS most of its turn, 20 to 50 ms a call.
THREADS = 16
# In an outcome, beside endpoints' names; no endpoint can be called so.
THE_STACK = "(the stack)"
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass
class Outcome:
    """What one tick did, for the log."""

    endpoints: int = 0
    conflicts: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    stuck: list[str] = field(default_factory=list)  # longer in a phase than its flow may take
    copies: dict[str, int] = field(default_factory=dict)  # of whoever does not rest at zero
    spent_today_usd: Decimal = Decimal(0)  # in this UTC day, of what was removed too


class ReconcileError(RuntimeError):
    """Some endpoints could not be reconciled; the others were, as `outcome` has it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(f"could not reconcile {outcome.failures}")
        self.outcome = outcome


class LeftError(RuntimeError):
    """The tick's time is over before this endpoint's turn came."""


def reconcile(world: World, patience_seconds: float = math.inf) -> Outcome:
    """Reconciles every endpoint once, several at a time.

    After `patience_seconds` of the wall no endpoint is begun any more: a function that is ended in
    the middle tells nobody. What was left comes first in the next tick.

    Raises ReconcileError at the end if any failed or was left, so that it is loud and the alarm
    on the function's errors sees it; the others are done by then.
    """
    until, now = time.monotonic() + patience_seconds, world.clock.now()
    records = sorted(world.store.load_all(), key=_urgency)
    stuck = [r.status.name for r in records if is_stuck(r.status, now, world.wake)]
    outcome, standings = _begun(world, records, stuck, now), shares_now(records)
    records = _watched(world, records, now, outcome)
    loads = world.load.read(
        [r.status.name for r in records if r.status.phase not in _WITHOUT_QUEUE],
        now,
        {r.status.name: r.spec.kind for r in records},
        resting={r.status.name for r in records if measures_nothing(r.status)},
        quiet={r.status.name for r in records if is_quiet(r, now, world.tick)},
        since={s.name: s.signals.read_at for s in (r.status for r in records) if s.signals},
        unasked={r.status.name for r in records if not asks_later(r, now, world.tick)},
    )

    def tended(record: EndpointRecord) -> Exception | None:
        if time.monotonic() > until:
            return LeftError("the tick's time was over; it comes first in the next one")
        try:
            record, silence = told_again(world, record)
            if record.status.phase is Phase.RETIRED:
                if silence is None:
                    forget_retired(world, record, now)
                return silence
            load = loads.get(record.status.name, NO_LOAD)
            record, unread = tried_later_read(world, record, load)
            standing = with_standing(world, record, standings)
            unset = reconcile_endpoint(world, standing, loads, now)
        except Exception as error:  # noqa: BLE001 - one endpoint must not stop the others
            return error
        return silence or unread or unset

    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        _judge(outcome, records, pool.map(tended, records), loads)
    if outcome.failures:
        raise ReconcileError(outcome)
    return outcome


def _watched(
    world: World, records: list[EndpointRecord], now: datetime, outcome: Outcome
) -> list[EndpointRecord]:
    """The stack's budget and the breaker; their trouble is no reason to leave endpoints alone."""
    try:
        return watched(world, records, now)
    except ConflictError:
        outcome.conflicts.append(THE_STACK)
    except Exception as error:  # noqa: BLE001 - told at the end, like that of an endpoint
        outcome.failures[THE_STACK] = f"{type(error).__name__}: {error}"
    return records


def _begun(
    world: World, records: Sequence[EndpointRecord], stuck: list[str], now: datetime
) -> Outcome:
    # What was removed today has been spent too: the sum must not fall when an endpoint goes.
    state = records[0].stack if records else world.store.stack()
    _, gone = state.gone_usd(now, {life_of(r.status.name, r.status.created_at) for r in records})
    spent = (spent_today(record, now) for record in records)
    copies = {
        r.status.name: r.status.observed_copies
        for r in records
        if r.status.phase not in RESTING or r.status.observed_instances
    }
    return Outcome(len(records), stuck=stuck, copies=copies, spent_today_usd=sum(spent, gone))


def _urgency(record: EndpointRecord) -> tuple[bool, datetime]:
    """What is under way or serves comes before what rests; then whom nobody looked at lately."""
    status = record.status
    return status.phase in RESTING, status.observed_at or _NEVER


def _judge(
    outcome: Outcome,
    records: Iterable[EndpointRecord],
    ends: Iterable[Exception | None],
    loads: Mapping[str, Load],
) -> None:
    for record, error in zip(records, ends, strict=True):
        name = record.status.name
        trouble = loads[name].trouble if name in loads else None
        if isinstance(error, ConflictError):
            outcome.conflicts.append(name)
        elif error is not None:
            outcome.failures[name] = f"{type(error).__name__}: {error}"
        elif trouble:
            outcome.failures[name] = trouble
