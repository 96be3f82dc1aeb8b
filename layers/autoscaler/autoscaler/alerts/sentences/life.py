"""Sentences about the life of an endpoint."""

from __future__ import annotations

from ...endpoints.status import Cause, UpdateWay
from ...policy.wording import at_utc, counted
from ..events.life import (
    EndpointAwoke,
    EndpointCreated,
    EndpointFailed,
    EndpointRetired,
    EndpointSlept,
    EndpointUpdated,
    HoldEnded,
    HoldSet,
    PhaseStuck,
    SleepStuck,
    UpdateFailed,
    WakeRequested,
)
from ..wording import NOT_KNOWN, spoken, usd
from .base import Fact, Sentence, told

BECAUSE = {
    Cause.APPLY: "it was applied",
    Cause.MESSAGE: "a request arrived",
    Cause.BACKLOG: "requests are waiting",
    Cause.WINDOW: "its schedule asks for it",
    Cause.PATTERN: "requests usually come now",
    Cause.IDLE: "nobody used it",
    Cause.HOLD: "a hold asks for copies",
    Cause.PERSON: "a person asked for it",
    Cause.BUDGET: "its budget allows no more",
    Cause.FAILED_WAKE: "its wake failed",
    Cause.RETRY: "an earlier try failed",
    Cause.DRIFT: "it was changed from outside",
    Cause.UPDATE: "its file changed",
    Cause.STACK_DELETED: "the stack is being deleted",
    Cause.STOPPED: "it was stopped",
}


# Who waits for an answer is a tenant; whoever asked otherwise is a person.
_BY_REQUESTS = frozenset({Cause.MESSAGE, Cause.BACKLOG})


def for_whom(cause: Cause, asked_by: str | None) -> str:
    """` for acme`, `, as ana asked`; nothing when nobody is known."""
    if not asked_by:
        return ""
    return f" for {asked_by}" if cause in _BY_REQUESTS else f", as {asked_by} asked"


def _because(cause: Cause, asked_by: str | None) -> str:
    """`, because …`; nothing of a person who is named."""
    return "" if asked_by and cause is Cause.PERSON else f", because {BECAUSE[cause]}"


def _begun(failure: str) -> str:
    """As the beginning of a text: failures are said in the middle of one elsewhere."""
    return f"{failure[:1].upper()}{failure[1:].rstrip('.')}"


@told.register
def _(event: EndpointCreated) -> Sentence:
    after = "" if event.seconds is None else f" {spoken(event.seconds)} after it was applied"
    return Sentence(f"{event.endpoint} is ready", f"Its model gave the first answer{after}.")


@told.register
def _(event: WakeRequested) -> Sentence:
    copies = counted(event.copies, "copy")
    expected, whom = spoken(event.expected_seconds), for_whom(event.cause, event.asked_by)
    body = f"{copies} asked for{_because(event.cause, event.asked_by)}. "
    body = f"{f'It wakes{whom}. ' if whom else ''}{body}Expected to answer in {expected}."
    return Sentence(f"{event.endpoint} is waking", body)


@told.register
def _(event: EndpointAwoke) -> Sentence:
    lead = spoken(event.lead_seconds)
    waiting = NOT_KNOWN if event.backlog is None else counted(event.backlog, "request")
    whom, why = for_whom(event.cause, event.asked_by), _because(event.cause, event.asked_by)
    body = (
        f"{f'It woke{whom}. ' if whom else ''}It answered {lead} after it was asked to wake{why}."
    )
    if event.backlog:
        body += f" {waiting} {'was' if event.backlog == 1 else 'were'} waiting for it."
    facts: list[Fact] = [("Lead time", lead), ("Copies", str(event.copies))]
    if event.backlog is None:
        facts.append(("Waiting", waiting))
    if event.stages:
        parts = (f"{name} {spoken(seconds)}" for name, seconds in event.stages.items())
        facts.append(("Stages", ", ".join(parts)))
    return Sentence(f"{event.endpoint} is awake", body, tuple(facts))


def _slept(event: EndpointSlept) -> str:
    whom = for_whom(event.reason, event.asked_by)
    return whom or f" because {BECAUSE[event.reason]}"


@told.register
def _(event: EndpointSlept) -> Sentence:
    awake = spoken(event.awake_seconds)
    what = f"was awake for {awake} and went to sleep"
    if not event.awake_seconds:
        what = "was not awake, and is at zero again"
    body = f"It {what}{_slept(event)}. Zero instances were seen: nothing of it is billed now."
    facts: list[Fact] = [("Awake", awake)]
    if event.cost_usd is not None:
        facts.append(("Cost", usd(event.cost_usd)))
    if event.saved_usd is not None:
        facts.append(("Saved this month", usd(event.saved_usd)))
    return Sentence(f"{event.endpoint} is asleep", body, tuple(facts))


@told.register
def _(event: EndpointUpdated) -> Sentence:
    how = "copy by copy" if event.way is UpdateWay.ROLL else "by way of zero"
    body = f"Its changed file is in place after {spoken(event.seconds)}, {how}."
    return Sentence(f"{event.endpoint} is updated", body)


@told.register
def _(event: UpdateFailed) -> Sentence:
    body = f"{_begun(event.failure)}. It goes on as it was; mend its file and apply it again."
    return Sentence(f"{event.endpoint} could not be updated", body)


@told.register
def _(event: EndpointFailed) -> Sentence:
    body = (
        f"{_begun(event.failure)}. It answers nothing now: its requests wait in their queue, "
        "and what bills is removed. Mend the cause, then apply its file again."
    )
    return Sentence(f"{event.endpoint} failed while {event.failed_in}", body)


@told.register
def _(event: EndpointRetired) -> Sentence:
    body = "Everything of it was seen gone. Its usage stays in the ledger."
    return Sentence(f"{event.endpoint} is retired", body)


@told.register
def _(event: SleepStuck) -> Sentence:
    still = counted(event.instances, "instance")
    since = spoken(event.since_seconds)
    what = "the endpoint"
    if event.shared:  # the endpoint is the others' too
        what = f"its inference component, not the endpoint {event.shared} that others share,"
    body = (
        f"{still} seen {since} after it was put to sleep: what is there is billed, and nobody "
        f"wants it. It is tried again by itself; if it goes on, delete {what} in SageMaker."
    )
    return Sentence(f"{event.endpoint} does not get to zero", body)


@told.register
def _(event: PhaseStuck) -> Sentence:
    billed = f" {counted(event.instances, 'instance')} billed meanwhile." if event.instances else ""
    why = f" Its last failure: {event.failure.rstrip('.')}." if event.failure else ""
    body = (
        f"For {spoken(event.since_seconds)}, longer than that may take.{billed}{why} It is tried "
        f"on; `autoscaler get {event.endpoint}` and its execution in Step Functions say where it "
        "stands."
    )
    return Sentence(f"{event.endpoint} is stuck in {event.phase}", body)


@told.register
def _(event: HoldSet) -> Sentence:
    copies = counted(event.min_copies, "copy")
    body = f"At least {copies} until {at_utc(event.until)}: {event.reason}"
    return Sentence(f"{event.endpoint} is held by {event.author}", body)


@told.register
def _(event: HoldEnded) -> Sentence:
    body = f"{event.author} released it." if event.author else "It expired."
    return Sentence(f"The hold on {event.endpoint} has ended", f"{body} The policy decides again.")
