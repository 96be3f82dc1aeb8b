"""The two things that never stop: the tick, and the queues.

Each imports what it needs when it is called first: they are two functions' cold starts.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from .boundary import QueueBatch
from .logs import logger
from .metrics import Measures
from .settings import settings
from .wiring import desk, world

if TYPE_CHECKING:
    from ..control.reconcile import Outcome

# Of the 120 s that the template gives: the endpoints that were begun by then may still meet a call
# that is never answered (`clients.LONGEST_CALL_SECONDS`).
TICK_SECONDS = 60.0


def tick() -> dict[str, Any]:
    """Reconciles every endpoint; raises ReconcileError when some could not be."""
    from ..control.reconcile import ReconcileError, reconcile

    try:
        outcome = reconcile(world(), TICK_SECONDS)
    except ReconcileError as failed:
        _say(failed.outcome)  # or one endpoint's trouble would hide the others from their alarms
        raise
    _say(outcome)
    return {"endpoints": outcome.endpoints, "conflicts": outcome.conflicts}


def _say(outcome: Outcome) -> None:
    """What alarms and the dashboard read of a tick."""
    _measures().tick(sum(outcome.copies.values()), len(outcome.stuck), outcome.spent_today_usd)
    for name, copies in outcome.copies.items():
        logger.info("copies", endpoint=name, copies=copies)  # a widget of the dashboard reads it
    logger.info(
        "reconciled",
        endpoints=outcome.endpoints,
        conflicts=outcome.conflicts,
        stuck=outcome.stuck,
    )


@cache
def _measures() -> Measures:
    return Measures(settings().stack_name)


def work_off(event: Any, seconds_left: float) -> dict[str, Any]:
    """Answers a batch of one or more queues; the messages that it names stay in their queue.

    `seconds_left`: until the function is cut off.
    """
    from ..control.dispatch import dispatch
    from ..control.messages import endpoint_of, is_later, messages_of
    from ..control.shift import Shift

    shift = Shift.of(seconds_left)
    queues: dict[str, list[dict[str, Any]]] = {}
    for record in QueueBatch.model_validate(event).Records:
        queues.setdefault(record.eventSourceARN, []).append(record.model_dump())
    stay: list[str] = []
    for arn, records in queues.items():
        name = endpoint_of(arn, settings().stack_name)
        logger.append_keys(endpoint=name)
        done = dispatch(desk(), name, messages_of(records, _moment, is_later(arn)), shift)
        for trouble in done.troubles:
            logger.error("dispatch met trouble", exc_info=trouble)
        if done.all_troubled:
            raise done.troubles[0]  # so that the alarm on this function's errors sees it
        stay += done.stay
        _measures().waited(done.waited_seconds)
        logger.info(
            "dispatched",
            received=len(records),
            postponed=len(done.stay),
            troubles=len(done.troubles),
            # A widget of the dashboard reads it.
            longest_wait_seconds=max(done.waited_seconds, default=None),
        )
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in stay]}


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
