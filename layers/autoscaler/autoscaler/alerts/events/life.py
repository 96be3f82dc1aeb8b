"""The life of an endpoint: created, awake, asleep, updated, held, stuck, failed, retired."""

from __future__ import annotations

from pydantic import AwareDatetime

from ...endpoints.status import Cause, UpdateWay
from ...policy.types import Phase
from ..money import Money
from .base import HOUR, Event, Seconds, Severity


class EndpointCreated(Event):
    """The model gave its first answer."""

    seconds: Seconds | None = None  # from the apply to that answer


class WakeRequested(Event):
    """A wake has begun. `asked_by`, here as everywhere: the person, or the tenants whose requests
    wait; None: nobody is known."""

    cause: Cause
    asked_by: str | None = None
    copies: int
    expected_seconds: Seconds


class EndpointAwoke(Event):
    """A copy gave an answer. `stages`: of the lead time; `backlog`: requests that waited."""

    cause: Cause
    asked_by: str | None = None
    copies: int
    lead_seconds: Seconds
    stages: dict[str, Seconds] = {}  # of the lead time: trigger, capacity, container, ...
    backlog: int | None = None  # None: the signal is missing


class EndpointSlept(Event):
    """Zero instances were seen."""

    awake_seconds: Seconds
    reason: Cause
    asked_by: str | None = None
    cost_usd: Money | None = None  # from its wake to that zero; None: a price is unknown
    # Of the UTC month so far, against always on; None: a price is unknown, or an older sender.
    saved_usd: Money | None = None


class EndpointUpdated(Event):
    """A changed file is in place."""

    seconds: Seconds
    way: UpdateWay


class UpdateFailed(Event):
    """A changed file could not be put in place; the endpoint goes on as it was."""

    failure: str

    @property
    def severity(self) -> Severity:
        return Severity.WARNING


class EndpointFailed(Event):
    """What it began goes no further without a person; what may be left of it is removed."""

    failed_in: Phase
    failure: str
    execution: str | None = None

    @property
    def severity(self) -> Severity:
        return Severity.CRITICAL


class EndpointRetired(Event):
    """Everything of the endpoint was seen gone."""

    grouped = False  # told at once: the stack may be on its way out, and what is held with it


class SleepStuck(Event):
    """Instances are billed that nobody wants. Every retry is a new generation: hourly is enough of
    one sleep (`since`)."""

    salient = ("since",)
    repeat_seconds = HOUR

    instances: int
    since_seconds: Seconds
    since: AwareDatetime | None = None  # it was put to sleep then; None: of an older sender
    shared: str = ""  # the machines that it shares with others; "": they are its own

    @property
    def severity(self) -> Severity:
        return Severity.CRITICAL


class PhaseStuck(Event):
    """It stays in a phase for longer than its flow may take."""

    salient = ("phase", "generation")

    phase: Phase
    since_seconds: Seconds
    instances: int
    failure: str = ""  # the last that is stored of the endpoint

    @property
    def severity(self) -> Severity:
        return Severity.CRITICAL


class HoldSet(Event):
    """A person keeps it at `min_copies` or more until then."""

    salient = ("generation", "until", "author")

    min_copies: int
    until: AwareDatetime
    author: str
    reason: str


class HoldEnded(Event):
    """A hold expired, or `author` ended it before its time."""

    salient = ("generation", "at")

    author: str | None = None
