"""What somebody else did to an endpoint, or SageMaker by itself, and what is done about it."""

from __future__ import annotations

from datetime import datetime

from ..endpoints.status import Cause, EndpointRecord
from ..policy.closing import Closure
from ..policy.types import Phase
from ..policy.wording import counted
from ..ports import Capacity
from .closing import bar_of
from .purse import barred, cause_of
from .setbacks import back_to_zero, fail
from .wishes import request_sleep, request_wake
from .world import World

_SHOULD_EXIST = {Phase.AWAKE, Phase.ASLEEP, Phase.WAKING, Phase.SLEEPING}
_GONE = (
    "SageMaker has no such endpoint or inference component any more: it was deleted from outside. "
    "Apply its file again to create it."
)


def mend_drift(world: World, record: EndpointRecord, capacity: Capacity, now: datetime) -> bool:
    """Answers what is not as it was left; True when there was something."""
    status = record.status
    deleted = record.spec.kind.sleeps_deleted
    if status.phase in _SHOULD_EXIST and not capacity.exists and not deleted:
        fail(world, record, Cause.DRIFT, _GONE, now)
        return True
    if status.phase is Phase.AWAKE:
        return _mend_awake(world, record, capacity, now)
    left = deleted and capacity.exists
    if status.phase is Phase.ASLEEP and (capacity.desired_copies or capacity.instances or left):
        text = f"{counted(capacity.instances, 'instance')} ran while the endpoint was asleep."
        request_sleep(world, record, Cause.DRIFT, text)
        return True
    return False


def _mend_awake(world: World, record: EndpointRecord, capacity: Capacity, now: datetime) -> bool:
    why = _lost(world, record, capacity, now)
    if why is not None:
        back_to_zero(world, record, why, now)
        return True
    if capacity.desired_copies == 0 and (halt := barred(record, now)):
        request_sleep(world, record, cause_of(halt), halt.reason.text)
        return True
    if capacity.desired_copies == 0 and (bar := bar_of(record, now)):
        cause = Cause.WINDOW if isinstance(bar, Closure) else Cause.PERSON
        why = bar.text if isinstance(bar, Closure) else "it shall sleep even for requests"
        text = f"Its copies are gone, and {why}."
        request_sleep(world, record, cause, text)
        return True
    if capacity.desired_copies == 0:
        did = "set the copies to zero" if capacity.exists else "deleted it in SageMaker"
        text = f"Somebody {did} while the endpoint was awake."
        copies = max(1, record.status.bounds.min_copies)
        request_wake(world, record, Cause.DRIFT, copies, text)
        return True
    return False


def _lost(world: World, record: EndpointRecord, capacity: Capacity, now: datetime) -> str | None:
    """Why no copy of it serves nor will; None: one does, or may soon. SageMaker starts copies that
    died anew for ever, and so long its instances are billed: it gets as long as a wake."""
    if capacity.current_copies or not capacity.desired_copies:
        return None
    what = "endpoint" if record.spec.kind.is_whole_instance else "inference component"
    if capacity.status == "Failed":
        return f"its {what} failed while awake: {capacity.failure or 'SageMaker gives no reason'}"
    since = record.status.short_since
    if since is None or now - since < world.wake:
        return None
    minutes = (now - since).total_seconds() / 60
    return (
        f"none of its copies has served for {minutes:.0f} minutes: its {what} is {capacity.status}"
    )
