"""What people read about each event: a title, plain sentences, and the figures beside them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

from ..endpoints.status import Cause, UpdateWay
from ..policy.types import ReasonCode
from ..policy.wording import at_utc, counted, spanned
from . import events
from .events import Event, Severity
from .wording import NOT_KNOWN, percent, share_of, spoken, usd

Fact = tuple[str, str]
_REPORT_LINES = 9

BECAUSE = {
    Cause.APPLY: "it was applied",
    Cause.MESSAGE: "a request arrived",
    Cause.BACKLOG: "requests are waiting",
    Cause.WINDOW: "its schedule asks for it",
    Cause.PATTERN: "requests usually come now",
    Cause.IDLE: "nobody used it",
    Cause.HOLD: "a hold asks for copies",
    Cause.PERSON: "a person asked for it",
    Cause.BUDGET: "its budget is spent",
    Cause.FAILED_WAKE: "its wake failed",
    Cause.RETRY: "an earlier try failed",
    Cause.DRIFT: "it was changed from outside",
    Cause.UPDATE: "its file changed",
    Cause.STACK_DELETED: "the stack is being deleted",
}


@dataclass(frozen=True)
class Sentence:
    """The text of one event, without its frame."""

    title: str
    body: str
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Message:
    """What a sink sends."""

    severity: Severity
    title: str
    body: str
    facts: tuple[Fact, ...]
    context: str

    @property
    def fallback(self) -> str:
        """One line, for notifications and for logs."""
        return f"{self.title}. {self.body}"


def message_of(event: Event) -> Message:
    """The event as people read it."""
    sentence = told(event)
    about = f" · generation {event.generation}" if event.generation else ""
    return Message(
        severity=event.severity,
        title=sentence.title,
        body=sentence.body,
        facts=sentence.facts,
        context=f"{event.severity} · {event.detail_type} · {at_utc(event.at)}{about}",
    )


@singledispatch
def told(event: Event) -> Sentence:
    """The sentence of an event; TypeError for a type that has none (a test covers them all)."""
    raise TypeError(f"{event.detail_type} has no sentence")


@told.register
def _(event: events.EndpointCreated) -> Sentence:
    after = "" if event.seconds is None else f" {spoken(event.seconds)} after it was applied"
    return Sentence(f"{event.endpoint} is ready", f"Its model gave the first answer{after}.")


@told.register
def _(event: events.WakeRequested) -> Sentence:
    copies = counted(event.copies, "copy")
    expected = spoken(event.expected_seconds)
    body = f"{copies} asked for, because {BECAUSE[event.cause]}. Expected to answer in {expected}."
    return Sentence(f"{event.endpoint} is waking", body)


@told.register
def _(event: events.EndpointAwoke) -> Sentence:
    lead = spoken(event.lead_seconds)
    waiting = NOT_KNOWN if event.backlog is None else counted(event.backlog, "request")
    body = f"It answered {lead} after it was asked to wake, because {BECAUSE[event.cause]}."
    facts: list[Fact] = [("Lead time", lead), ("Copies", str(event.copies)), ("Waiting", waiting)]
    if event.stages:
        parts = (f"{name} {spoken(seconds)}" for name, seconds in event.stages.items())
        facts.append(("Of it", ", ".join(parts)))
    return Sentence(f"{event.endpoint} is awake", body, tuple(facts))


@told.register
def _(event: events.EndpointSlept) -> Sentence:
    awake = spoken(event.awake_seconds)
    body = f"Zero instances were seen. It was awake for {awake}; now {BECAUSE[event.reason]}."
    facts: list[Fact] = [("Awake", awake)]
    if event.cost_usd is not None:
        facts.append(("Cost", usd(event.cost_usd)))
    return Sentence(f"{event.endpoint} is asleep", body, tuple(facts))


@told.register
def _(event: events.CopiesChanged) -> Sentence:
    after = counted(event.after, "copy")
    verb = "grows" if event.after > event.before else "shrinks"
    body = " ".join(event.reasons) or "No reason was given."
    return Sentence(f"{event.endpoint} {verb} from {event.before} to {after}", body)


@told.register
def _(event: events.BoundsChanged) -> Sentence:
    after = spanned(event.after.min_copies, event.after.max_copies)
    before = spanned(event.before.min_copies, event.before.max_copies)
    where = f" in window {event.window}" if event.window else ""
    return Sentence(f"{event.endpoint} may now use {after}", f"Until now {before}{where}.")


@told.register
def _(event: events.CapacityMissing) -> Sentence:
    types = ", ".join(event.instance_types)
    why = f": {event.failure.rstrip('.')}" if event.failure else ""
    rung = f" (rung {event.rung} of {event.rungs})" if event.rungs > 1 else ""
    body = f"Try {event.attempt} on {types}{rung} brought no answer{why}. {_meanwhile(event)}"
    return Sentence(f"{event.endpoint} could not be woken", f"{body} {_next_try(event)}")


def _meanwhile(event: events.CapacityMissing) -> str:
    if event.fallback:
        return f"{event.fallback} answers for it meanwhile."
    return "Its requests wait."


def _next_try(event: events.CapacityMissing) -> str:
    where = f" on {', '.join(event.next_types)}" if event.rungs > 1 and event.next_types else ""
    when = f"at {at_utc(event.retry_at)}" if event.retry_at else "now"
    if event.circuit_open:
        return (
            f"Each try is paid for and none came up: the circuit is open, and the next try is "
            f"{when}. Mend the cause and apply its file, or wake it by hand."
        )
    return f"The next try is {when}{where}."


@told.register
def _(event: events.CopiesMissing) -> Sentence:
    why = event.failure.rstrip(".")
    body = (
        f"{event.current} of {counted(event.wanted, 'copy')} came up: {why}. What does not come up "
        f"is paid for, so that no more are asked for until {at_utc(event.until)}."
    )
    return Sentence(f"{event.endpoint} serves with fewer copies than it needs", body)


@told.register
def _(event: events.WakeDelayed) -> Sentence:
    waiting = NOT_KNOWN if event.waiting is None else counted(event.waiting, "request")
    until = at_utc(event.until)
    if event.reason is ReasonCode.WAKES_SPENT:
        body = (
            f"Its {counted(event.wakes_today, 'wake')} of the day are spent. It wakes again after "
            f"{until}; a hold wakes it now, and budget.wakes_per_day in its file sets the limit."
        )
    else:
        body = f"Its last wake failed: it is tried again at {until}, and later each time."
    return Sentence(f"{event.endpoint} has to wait before it wakes", body, (("Waiting", waiting),))


@told.register
def _(event: events.EndpointUpdated) -> Sentence:
    how = "copy by copy" if event.way is UpdateWay.ROLL else "by way of zero"
    body = f"Its changed file is in place after {spoken(event.seconds)}, {how}."
    return Sentence(f"{event.endpoint} is updated", body)


@told.register
def _(event: events.UpdateFailed) -> Sentence:
    body = f"{event.failure.rstrip('.')}. It goes on as it was; mend its file and apply it again."
    return Sentence(f"{event.endpoint} could not be updated", body)


@told.register
def _(event: events.EndpointFailed) -> Sentence:
    body = f"{event.failure.rstrip('.')}. Apply its file again when the cause is gone."
    facts = (("Execution", event.execution),) if event.execution else ()
    return Sentence(f"{event.endpoint} failed while {event.failed_in}", body, facts)


@told.register
def _(event: events.EndpointRetired) -> Sentence:
    body = "Everything of it was seen gone. Its usage stays in the ledger."
    return Sentence(f"{event.endpoint} is retired", body)


@told.register
def _(event: events.SleepStuck) -> Sentence:
    still = counted(event.instances, "instance")
    since = spoken(event.since_seconds)
    body = (
        f"{still} seen {since} after it was put to sleep: what is there is billed, and nobody "
        "wants it. It is tried again; look at the endpoint in the SageMaker console."
    )
    return Sentence(f"{event.endpoint} does not get to zero", body)


@told.register
def _(event: events.PhaseStuck) -> Sentence:
    billed = f" {counted(event.instances, 'instance')} billed meanwhile." if event.instances else ""
    body = (
        f"For {spoken(event.since_seconds)}, longer than that may take.{billed} It is tried on; "
        f"`autoscaler get {event.endpoint}` and its execution in Step Functions say where it "
        "stands."
    )
    return Sentence(f"{event.endpoint} is stuck in {event.phase}", body)


@told.register
def _(event: events.RequestAnswered) -> Sentence:
    body = f"Request {event.request_id} waited {spoken(event.waited_seconds)}: {event.result_uri}"
    return Sentence(f"{event.endpoint} answered a request", body)


@told.register
def _(event: events.RequestWaited) -> Sentence:
    body = f"One waited {spoken(event.waited_seconds)} although it is awake: it is looked at now."
    return Sentence(f"{event.endpoint} has requests waiting", body)


@told.register
def _(event: events.RequestRefused) -> Sentence:
    reason = event.reason.rstrip(".")
    body = f"Request {event.request_id}: {reason}. It lies in the dead-letter queue."
    return Sentence(f"{event.endpoint} cannot answer a request", body)


@told.register
def _(event: events.SignalMissing) -> Sentence:
    body = f"{event.signal} does not arrive. It is not taken for zero: what needs it stays put."
    return Sentence(f"{event.endpoint} is missing a signal", body)


@told.register
def _(event: events.BudgetReached) -> Sentence:
    who = event.endpoint or "The stack"
    share = percent(event.share)
    body = f"{usd(event.spent_usd)} of {usd(event.monthly_usd)} are spent in {event.month}."
    return Sentence(f"{who} has spent {share} of its budget", body)


@told.register
def _(event: events.HoldSet) -> Sentence:
    copies = counted(event.min_copies, "copy")
    body = f"At least {copies} until {at_utc(event.until)}: {event.reason}"
    return Sentence(f"{event.endpoint} is held by {event.author}", body)


@told.register
def _(event: events.HoldEnded) -> Sentence:
    body = f"{event.author} released it." if event.author else "It expired."
    return Sentence(f"The hold on {event.endpoint} has ended", f"{body} The policy decides again.")


@told.register
def _(event: events.ReportWritten) -> Sentence:
    if event.saved_usd is None:
        compared = "What always-on would have cost is not known: a price is missing."
    elif event.saved_usd < 0:
        compared = f"That is {usd(-event.saved_usd)} more than always on."
    else:
        share = share_of(event.saved_usd, event.baseline_usd)
        compared = f"Always on would have cost {usd(event.baseline_usd)}: "
        compared += f"{usd(event.saved_usd)}{f' ({share})' if share else ''} saved."
    body = f"{compared} All figures are estimated. {event.uri}"
    return Sentence(
        f"Cost of {event.period}: {usd(event.cost_usd)}", body, tuple(_report_facts(event))
    )


def _report_facts(event: events.ReportWritten) -> list[Fact]:
    dearest = sorted(event.lines, key=lambda line: (-line.cost_usd, line.endpoint))
    facts = [
        (
            line.endpoint,
            f"{usd(line.cost_usd)}, saved {usd(line.saved_usd)}; "
            f"{counted(line.wakes, 'wake')}, {counted(line.requests, 'request')}",
        )
        for line in dearest[:_REPORT_LINES]
    ]
    if len(dearest) > _REPORT_LINES:
        rest = sum((line.cost_usd for line in dearest[_REPORT_LINES:]), 0 * event.cost_usd)
        facts.append((f"{len(dearest) - _REPORT_LINES} others", usd(rest)))
    return facts


@told.register
def _(event: events.PricesStale) -> Sentence:
    used = f"those read at {at_utc(event.read_at)}" if event.read_at else "the bundled table's"
    body = (
        f"Costs are reckoned with {used} until it can be read again; "
        f"`pricing:GetProducts` may be denied ({event.why})."
    )
    return Sentence(f"The prices of {event.region} could not be read", body)


@told.register
def _(event: events.OrphansFound) -> Sentence:
    many = counted(len(event.lines), "resource")
    unknown = f"; the price of {event.unpriced} is not known" if event.unpriced else ""
    body = (
        f"{many} of no endpoint, for {usd(event.usd_per_hour)} an hour and at most "
        f"{usd(event.usd_so_far)} until now{unknown}. `autoscaler sweep` shows them; what is "
        "marked deletable goes when two sweeps have seen it."
    )
    facts = tuple(_orphan(line) for line in event.lines[:_REPORT_LINES])
    rest = len(event.lines) - len(facts)
    more: tuple[Fact, ...] = ((f"{rest} others", "see `autoscaler sweep`"),) if rest else ()
    return Sentence("Something in the account belongs to no endpoint", body, facts + more)


def _orphan(line: events.OrphanLine) -> Fact:
    machines = ", ".join(f"{count} × {kind}" for kind, count in line.instances.items())
    hourly = "price not known" if line.usd_per_hour is None else f"{usd(line.usd_per_hour)} an hour"
    price = f", {hourly}" if machines else ""
    since = f", since {at_utc(line.since)}" if line.since else ""
    return (f"{line.kind} {line.name}", f"{machines or 'no instances'}{price}{since}")


@told.register
def _(event: events.OrphanRemoved) -> Sentence:
    body = "It belonged to no endpoint, was marked deletable, and two sweeps had seen it."
    return Sentence(f"The sweep removed the {event.kind} {event.name}", body)
