"""Sentences about copies, bounds, and capacity that did not come."""

from __future__ import annotations

from ...policy.types import ReasonCode
from ...policy.wording import at_utc, counted, spanned
from ..events.capacity import (
    BoundsChanged,
    CapacityMissing,
    CopiesChanged,
    CopiesMissing,
    ScalingMissing,
    SignalMissing,
    WakeDelayed,
)
from ..wording import NOT_KNOWN
from .base import Sentence, told


@told.register
def _(event: CopiesChanged) -> Sentence:
    after = counted(event.after, "copy")
    verb = "grows" if event.after > event.before else "shrinks"
    body = " ".join(event.reasons) or "No reason was given."
    return Sentence(f"{event.endpoint} {verb} from {event.before} to {after}", body)


@told.register
def _(event: BoundsChanged) -> Sentence:
    after = spanned(event.after.min_copies, event.after.max_copies)
    before = spanned(event.before.min_copies, event.before.max_copies)
    where = f" Window {event.window} is in force." if event.window else ""
    return Sentence(f"{event.endpoint} may now use {after}", f"Until now {before}.{where}")


@told.register
def _(event: CapacityMissing) -> Sentence:
    types = ", ".join(event.instance_types)
    why = f": {event.failure.rstrip('.')}" if event.failure else ""
    rung = f" (rung {event.rung} of {event.rungs})" if event.rungs > 1 else ""
    body = f"Try {event.attempt} on {types}{rung} brought no answer{why}. {_meanwhile(event)}"
    return Sentence(f"{event.endpoint} could not be woken", f"{body} {_next_try(event)}")


def _meanwhile(event: CapacityMissing) -> str:
    if event.fallback:
        return f"{event.fallback} answers for it meanwhile."
    return "Its requests wait."


def _next_try(event: CapacityMissing) -> str:
    where = f" on {', '.join(event.next_types)}" if event.rungs > 1 and event.next_types else ""
    when = f"at {at_utc(event.retry_at)}" if event.retry_at else "now"
    if event.circuit_open:
        return (
            f"Each try is paid for and none came up: the circuit is open, and the next try is "
            f"{when}. Mend the cause and apply its file, or wake it by hand."
        )
    return f"The next try is {when}{where}."


@told.register
def _(event: CopiesMissing) -> Sentence:
    why = event.failure.rstrip(".")
    body = (
        f"{event.current} of {counted(event.wanted, 'copy')} came up: {why}. What does not come up "
        f"is paid for, so that no more are asked for until {at_utc(event.until)}."
    )
    return Sentence(f"{event.endpoint} serves with fewer copies than it needs", body)


@told.register
def _(event: WakeDelayed) -> Sentence:
    waiting = NOT_KNOWN if event.waiting is None else counted(event.waiting, "request")
    until = at_utc(event.until)
    if event.reason is ReasonCode.WAKES_SPENT and event.stack_wakes is not None:
        body = (
            f"The whole stack has spent its {counted(event.stack_wakes, 'wake')} of the day. It "
            f"wakes again after {until}; a hold wakes it now, and `autoscaler budget set "
            "--wakes-per-day` sets the limit."
        )
    elif event.reason is ReasonCode.WAKES_SPENT:
        body = (
            f"Its {counted(event.wakes_today, 'wake')} of the day are spent. It wakes again after "
            f"{until}; a hold wakes it now, and budget.wakes_per_day in its file sets the limit."
        )
    elif event.window:
        body = (
            f"Window {event.window} has max_copies 0: requests wait until {until}, when it is "
            "awake for them. A hold or keep-warm wakes it now."
        )
    elif event.reason is ReasonCode.REQUESTS_HELD_BACK:
        body = f"It was put to sleep even for requests until {until}; a release lets them wake it."
    else:
        body = f"Its last wake failed: it is tried again at {until}, and later each time."
    return Sentence(f"{event.endpoint} has to wait before it wakes", body, (("Waiting", waiting),))


@told.register
def _(event: ScalingMissing) -> Sentence:
    body = (
        f"A scaling policy or its alarm could not be put: {event.failure.rstrip('.')}. Ticks scale "
        "it all the same, once a minute, and its next wake puts what is missing. Mend the cause."
    )
    return Sentence(f"{event.endpoint} is awake without all of its scaling", body)


@told.register
def _(event: SignalMissing) -> Sentence:
    body = (
        f"{event.signal} does not arrive. It is never taken for zero: what needs it stays as it "
        "is, and may bill for longer than it is used."
    )
    return Sentence(f"{event.endpoint} is missing a signal", body)
