"""What the controller announces on the stack's bus: typed events, resource and past tense.

`severity` decides the colour, `told` whether people hear of it, `salient` with `repeat_seconds`
when a second one says nothing new.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from ..endpoints.status import Cause, UpdateWay
from ..policy.ladder import TryOutcome
from ..policy.types import Bounds, Phase, ReasonCode
from .money import Money

Seconds = Annotated[float, Field(ge=0)]
_DAY = 86_400
_HOUR = 3_600
_CAPACITY_TRIES_UNTIL_CRITICAL = 3


class Severity(StrEnum):
    """How soon a person should look."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Event(BaseModel):
    """One announcement about one endpoint; an empty endpoint means the whole stack."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    told: ClassVar[bool] = True
    salient: ClassVar[tuple[str, ...]] = ("generation",)
    repeat_seconds: ClassVar[int] = _DAY

    endpoint: str
    generation: int
    at: AwareDatetime

    @property
    def detail_type(self) -> str:
        """The class name, which is the event's name on the bus."""
        return type(self).__name__

    @property
    def severity(self) -> Severity:
        return Severity.INFO

    @property
    def dedupe_key(self) -> str:
        """Two events with the same key within `repeat_seconds` are told once."""
        values = (str(getattr(self, name)) for name in self.salient)
        return "#".join((self.detail_type, self.endpoint, *values))


class EndpointCreated(Event):
    """The model gave its first answer."""

    seconds: Seconds | None = None  # from the apply to that answer


class WakeRequested(Event):
    cause: Cause
    copies: int
    expected_seconds: Seconds


class EndpointAwoke(Event):
    cause: Cause
    copies: int
    lead_seconds: Seconds
    stages: dict[str, Seconds] = {}  # of the lead time: trigger, capacity, container, ...
    backlog: int | None = None  # None: the signal is missing


class EndpointSlept(Event):
    """Zero instances were seen."""

    awake_seconds: Seconds
    reason: Cause
    cost_usd: Money | None = None  # from its wake to that zero; None: a price is unknown


class CopiesChanged(Event):
    salient = ("generation", "at")

    before: int
    after: int
    reasons: tuple[str, ...] = ()


class BoundsChanged(Event):
    salient = ("generation", "at")

    before: Bounds
    after: Bounds
    window: str | None = None


class CapacityMissing(Event):
    """A wake ended without an answer; it is tried again at `retry_at`."""

    salient = ("generation", "attempt")

    instance_types: tuple[str, ...]
    attempt: int
    retry_at: AwareDatetime | None = None  # None: at once
    failure: str | None = None
    outcome: TryOutcome = TryOutcome.CAPACITY
    rung: int = 1  # of the ladder, from 1 on, of so many
    rungs: int = 1
    next_types: tuple[str, ...] = ()
    circuit_open: bool = False  # no try is worth its price before `retry_at`
    fallback: str | None = None  # the endpoint that answers meanwhile

    @property
    def severity(self) -> Severity:
        many = self.attempt >= _CAPACITY_TRIES_UNTIL_CRITICAL or self.circuit_open
        return Severity.CRITICAL if many else Severity.WARNING


class CopiesMissing(Event):
    """It serves with fewer copies than it was asked to have, and asks for no more until `until`."""

    salient = ("until",)

    current: int
    wanted: int
    failure: str
    until: AwareDatetime

    @property
    def severity(self) -> Severity:
        return Severity.WARNING


class WakeDelayed(Event):
    """A wake is wanted and has to wait: the day's wakes are spent, or the last one failed."""

    salient = ("day", "reason")

    reason: Literal[ReasonCode.WAKES_SPENT, ReasonCode.BACKING_OFF]
    waiting: int | None  # requests; None: the signal is missing
    until: AwareDatetime
    wakes_today: int

    @property
    def day(self) -> str:
        return f"{self.at:%Y-%m-%d}"

    @property
    def severity(self) -> Severity:
        return Severity.WARNING


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
    failed_in: Phase
    failure: str
    execution: str | None = None

    @property
    def severity(self) -> Severity:
        return Severity.CRITICAL


class EndpointRetired(Event):
    """Everything of the endpoint was seen gone."""


class SleepStuck(Event):
    """Instances are billed that nobody wants. Every retry is a new generation: hourly is enough."""

    salient = ()
    repeat_seconds = _HOUR

    instances: int
    since_seconds: Seconds

    @property
    def severity(self) -> Severity:
        return Severity.CRITICAL


class PhaseStuck(Event):
    """It stays in a phase for longer than its flow may take."""

    salient = ("phase", "generation")

    phase: Phase
    since_seconds: Seconds
    instances: int

    @property
    def severity(self) -> Severity:
        return Severity.CRITICAL


class RequestAnswered(Event):
    """For the sender of one request; people do not read these."""

    told = False
    salient = ("request_id",)

    request_id: str
    result_uri: str
    waited_seconds: Seconds


class RequestWaited(Event):
    """A request waited although its endpoint is awake: the controller shall look now."""

    told = False
    salient = ("at",)

    waited_seconds: Seconds


class RequestRefused(Event):
    salient = ("request_id",)

    request_id: str
    reason: str

    @property
    def severity(self) -> Severity:
        return Severity.WARNING


class SignalMissing(Event):
    """A metric that decisions need does not arrive; it is never taken for a zero."""

    salient = ("signal",)
    repeat_seconds = _HOUR

    signal: str

    @property
    def severity(self) -> Severity:
        return Severity.WARNING


class BudgetReached(Event):
    """`share` of the month's dollars is spent: 0.8 is 80 %."""

    salient = ("month", "step")
    repeat_seconds = 31 * _DAY

    spent_usd: Money
    monthly_usd: Money
    share: Annotated[float, Field(ge=0)]

    @property
    def month(self) -> str:
        return f"{self.at:%Y-%m}"

    @property
    def step(self) -> int:
        """The percentage that was passed last: 0, 50, 80 or 100."""
        return max(step for step in (0, 50, 80, 100) if self.share * 100 >= step)

    @property
    def severity(self) -> Severity:
        return Severity.CRITICAL if self.share >= 1 else Severity.WARNING


class HoldSet(Event):
    salient = ("generation", "until", "author")

    min_copies: int
    until: AwareDatetime
    author: str
    reason: str


class HoldEnded(Event):
    """A hold expired, or `author` ended it before its time."""

    salient = ("generation", "at")

    author: str | None = None


class ReportLine(BaseModel):
    """One endpoint's line in the announcement of a report."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    endpoint: str
    cost_usd: Money
    saved_usd: Money | None
    wakes: int
    requests: int


class ReportWritten(Event):
    """A cost report lies at `uri`; the figures are estimates. None: a price is unknown."""

    salient = ("uri", "at")

    endpoint: str = ""
    generation: int = 0
    uri: str
    period: str
    cost_usd: Money
    baseline_usd: Money | None
    saved_usd: Money | None
    lines: tuple[ReportLine, ...] = ()


class PricesStale(Event):
    """The price list cannot be read for more than a week; the prices of `read_at` (None: the
    bundled table's) are used."""

    salient = ("region", "read_at")
    repeat_seconds = 31 * _DAY

    endpoint: str = ""
    generation: int = 0
    region: str
    read_at: AwareDatetime | None = None
    why: str

    @property
    def severity(self) -> Severity:
        return Severity.WARNING


class OrphanLine(BaseModel):
    """One resource that belongs to no endpoint. Dollars: None when a price is unknown."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: str
    name: str
    instances: Mapping[str, int] = {}
    since: AwareDatetime | None = None
    usd_per_hour: Money | None = None
    usd_so_far: Money | None = None
    verdict: str = ""  # what becomes of it, as words


class OrphansFound(Event):
    """The account holds what no endpoint of the table accounts for; the sums are of what is
    priced. The sweep announces it when there is a new one, and else once a day."""

    salient = ("at",)

    endpoint: str = ""
    generation: int = 0
    usd_per_hour: Money
    usd_so_far: Money
    unpriced: int  # orphans whose price is not known
    lines: tuple[OrphanLine, ...]

    @property
    def severity(self) -> Severity:
        bills = any(sum(line.instances.values()) for line in self.lines)
        return Severity.CRITICAL if bills else Severity.WARNING


class OrphanRemoved(Event):
    """The sweep removed one that was marked deletable and seen twice."""

    salient = ("kind", "name", "at")

    generation: int = 0
    kind: str
    name: str


EVENTS: Mapping[str, type[Event]] = {cls.__name__: cls for cls in Event.__subclasses__()}


class EventError(ValueError):
    """A detail that is no event of ours; names the field."""


def parse_event(detail_type: str, detail: Mapping[str, Any]) -> Event:
    """Returns the typed event; raises EventError for an unknown type or a malformed detail."""
    if detail_type not in EVENTS:
        raise EventError(f"there is no event {detail_type!r}; known: {', '.join(sorted(EVENTS))}")
    try:
        return EVENTS[detail_type].model_validate(detail)
    except ValidationError as invalid:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in invalid.errors()]
        raise EventError(f"{detail_type}: {'; '.join(problems)}") from invalid
