"""How long a message that cannot be answered now stays out of sight.

SQS moves a message to the dead letters after 1,000 receives (`endpoints.queues.MOST_RECEIVES`),
and each look here is one. So no message is looked at more often than every 24th part of its age:
it waits at most 4 % longer than it had to, and is received fewer than 900 times in the 14 days
that SQS keeps it (tests/unit/test_control_patience.py counts them).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ..endpoints.status import EndpointRecord
from ..policy.economy import lead_time, worth_asking_after
from ..policy.ladder import backoff
from ..policy.types import Phase
from .closing import bar_of, wakes_at, why_requests_wait
from .observe import history, remaining_lead
from .purse import barred
from .wishes import may_not_wake

# Failures of the model itself, not of its absence: after these the message is refused.
TRIES = 8
FIRST_RETRY = timedelta(seconds=10)
LONGEST_RETRY = timedelta(minutes=5)
# Before SQS deletes it (after 14 days) a message is refused, with its reason.
LONGEST_WAIT = timedelta(days=13)
AT_ONCE = timedelta(seconds=1)
WHEN_BUSY = timedelta(seconds=5)
WHEN_TROUBLED = timedelta(seconds=30)
_SOONEST = timedelta(seconds=2)
_A_MOMENT = timedelta(seconds=1)
_OVERDUE = timedelta(seconds=15)
_AT_REST = timedelta(seconds=30)
_FAILED = timedelta(minutes=10)
_LONGEST = timedelta(minutes=30)
_LOOKS_PER_AGE = 24
OBSERVED = "the stack only observes (its parameter Mode) and wakes nothing"
_STARTING = {Phase.WAKING, Phase.CREATING, Phase.STAGING}


def time_until_ready(record: EndpointRecord, sent_at: datetime, now: datetime) -> timedelta:
    """Until the wake in flight should be ready, or until it is worth another look."""
    status = record.status
    if status.phase in _STARTING:
        wait = remaining_lead(record, worth_asking_after(history(record)), now)
    elif (pause := _pause(record, now)) > timedelta(0):
        wait = pause
    else:
        wait = _FAILED if status.phase is Phase.FAILED else _AT_REST
    return paced(wait, sent_at, now)


def expected_ready(record: EndpointRecord, now: datetime) -> timedelta | None:
    """Until it should serve, if it is asked now; zero: it does. None when nobody can say: it is
    being removed, it failed, its wakes of the day are spent, or the kill switch is on."""
    status = record.status
    if serves(record):
        return timedelta(0)
    lead = lead_time(history(record))
    if status.phase in _STARTING:
        # Longer than usual already: what is left is not known, but it is under way.
        return max(remaining_lead(record, lead, now), _OVERDUE)
    if status.phase is Phase.UPDATING:
        return lead
    if status.phase not in (Phase.ASLEEP, Phase.SLEEPING):
        return None
    pause = _pause(record, now)
    if halt := barred(record, now):
        return None if halt.until is None else max(halt.until - now, pause) + lead
    # An update that waits goes first, and ends with a wake.
    if status.update is None and may_not_wake(record, now + pause):
        return None
    return pause + lead


def held_up(record: EndpointRecord, now: datetime) -> str:
    """Why no request wakes it now, for whoever waits or is refused: the kill switch, a budget, a
    person who put it to sleep for them too, a closed window, a stack that only observes. Empty:
    they may."""
    if record.stack.observing_since is not None:
        return OBSERVED
    halt = barred(record, now)
    return halt.reason.text.rstrip(".") if halt else why_requests_wait(record, now) or ""


def _pause(record: EndpointRecord, now: datetime) -> timedelta:
    """Until requests may wake it: after a failed wake, a person's sleep, or a closed window."""
    status, until = record.status, now
    if status.retry_at:
        until = max(until, status.retry_at)
    if bar := bar_of(record, now):
        until = max(until, wakes_at(bar))
    return until - now


def serves(record: EndpointRecord) -> bool:
    """An update of one at zero leaves nobody to ask: SageMaker would count, and alarm, a request
    that met no copy, and roll the update back for it."""
    status = record.status
    copies = status.observed_copies or status.desired_copies
    return status.phase is Phase.AWAKE or (status.phase is Phase.UPDATING and copies > 0)


def paced(wait: timedelta, sent_at: datetime, now: datetime) -> timedelta:
    """The wait, lengthened with the message's age and cut at half an hour."""
    floor = max(_SOONEST, (now - sent_at) / _LOOKS_PER_AGE)
    return min(max(wait, floor), _LONGEST)


def in_time_for(due_at: datetime, wait: timedelta, now: datetime) -> timedelta:
    """The wait, so that a message is looked at while there is time left to answer it, and once more
    when its time is over: at most half of what is left. That adds fewer than 25 looks."""
    left = due_at - now
    return min(wait, max(left / 2, _SOONEST), left + _A_MOMENT)


def after_failures(failures: int) -> timedelta:
    """Between two tries of a message that the model failed on."""
    return backoff(failures, FIRST_RETRY, LONGEST_RETRY)
