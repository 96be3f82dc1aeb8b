"""What the controller knows of one endpoint, as it is stored in the table."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ..catalog.models import ModelFacts
from ..catalog.prices import PriceBook, bundled
from ..policy.forecast import Spending
from ..policy.ladder import Try
from ..policy.types import Bounds, Episode, Hold, Override, Phase, Reach, Recommendation
from ..spec import EndpointSpec
from .learned import StoredPattern
from .lives import FailedSpan, MachineBefore
from .signals import Signals
from .stack_state import StackState
from .untold import Untold
from .withheld import DollarsByDay, EarlierDays, Withheld


class Stored(BaseModel):
    """Base of every stored item; frozen, so that a change is a new value."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="ignore")


class Cause(StrEnum):
    """Who or what asked for a wish."""

    APPLY = "apply"
    MESSAGE = "message"
    BACKLOG = "backlog"
    WINDOW = "window"
    PATTERN = "pattern"
    IDLE = "idle"
    HOLD = "hold"
    PERSON = "person"
    BUDGET = "budget"
    FAILED_WAKE = "failed_wake"
    RETRY = "retry"
    DRIFT = "drift"
    UPDATE = "update"
    STACK_DELETED = "stack_deleted"
    STOPPED = "stopped"


class UsageKind(StrEnum):
    """What an instance-second was spent on."""

    PROVISIONING = "provisioning"
    SERVING = "serving"
    IDLE_TAIL = "idle_tail"
    KEPT_WARM = "kept_warm"  # idle, because a window, a hold or min_copies asks for it


class Meter(Stored):
    """The open usage segment of one instance type: this many instances since then."""

    instances: Annotated[int, Field(ge=0)] = 0
    instance_type: str = ""
    kind: UsageKind = UsageKind.PROVISIONING
    shared: str = ""  # the name of the machines that it shares; "": they are its own
    weight: Annotated[Decimal, Field(ge=0)] = Decimal(0)  # of shared ones: what its copies take
    share: Decimal = Decimal(1)  # of shared ones: its part, as known when it was opened
    since: AwareDatetime


class UsageSegment(Stored):
    """A closed span of instance-seconds of one kind; never spans a UTC midnight."""

    endpoint: str
    team: str
    instance_type: str
    instances: Annotated[int, Field(ge=1)]
    kind: UsageKind
    start: AwareDatetime
    end: AwareDatetime
    usd_per_hour: Decimal | None  # None: the price is unknown
    # Where that was from (`Price.origin`), when it was closed; None: of an older release, or open.
    price_origin: str | None = None
    shared: str = ""
    weight: Annotated[Decimal, Field(ge=0)] = Decimal(0)
    # As its meter had it, for costs that are told at once; `apportioned` works it out.
    share: Decimal = Decimal(1)
    over_gap: bool = False  # nobody looked meanwhile, and what was there had changed: estimated
    # Which endpoint of its name it is of: `first_applied_at` of that one's status. None: of an
    # older release.
    made_at: AwareDatetime | None = None

    @property
    def instance_seconds(self) -> float:
        return float(self.instances * self.share) * (self.end - self.start).total_seconds()


class Asked(Stored):
    """So many instances in all were asked for since then, and were not all seen yet."""

    instances: Annotated[int, Field(ge=1)]
    since: AwareDatetime


class ColdStart(Stored):
    """One wake (or a creation), measured: when it was asked for and how long each stage took."""

    requested_at: AwareDatetime
    ready_at: AwareDatetime
    cause: Cause
    copies: int
    asked_at: AwareDatetime | None = None  # AWS was asked: the trigger is over
    instance_seen_at: AwareDatetime | None = None
    container_seen_at: AwareDatetime | None = None  # its container said something
    copy_seen_at: AwareDatetime | None = None  # in service, not yet proven by a token

    @property
    def lead_time(self) -> timedelta:
        return self.ready_at - self.requested_at

    def stages(self) -> dict[str, float]:
        """Seconds of each stage that was seen, in the order in which they follow: trigger,
        capacity, container, weights, ready. A stage that was not seen is part of the next."""
        ends = (
            ("trigger", self.asked_at),
            ("capacity", self.instance_seen_at),
            ("container", self.container_seen_at),
            ("weights", self.copy_seen_at),
            ("ready", self.ready_at),
        )
        seconds, before = {}, self.requested_at
        for name, end in ends:
            if end is not None:
                seconds[name] = max(0.0, (end - before).total_seconds())
                before = max(before, end)
        return seconds


class Shape(Stored):
    """Which of its configs and models an endpoint runs: SageMaker's cannot be changed, so each
    rung of the ladder has its own, and each update in place (named by its generation) too."""

    rung: int = 0
    config_build: int = 0
    model_build: int = 0
    rungs_build: int = 0  # of the rungs above the first, when only they were changed


class UpdateWay(StrEnum):
    """How a change of the file gets into SageMaker's resources."""

    ROLL = "roll"  # copies are replaced one by one while they serve
    REPLACE = "replace"  # by way of zero; requests wait


class Update(Stored):
    """A new file that is not in place yet. `build`: the generation that brings it there."""

    spec: EndpointSpec
    way: UpdateWay
    build: int = 0
    commit: str | None = None
    weights_uri: str | None = None
    facts: ModelFacts | None = None


class EndpointStatus(Stored):
    """Observed and wished state. `version` guards every write, `generation` names the wish."""

    name: str
    version: int = 0
    generation: int = 1
    phase: Phase
    phase_since: AwareDatetime
    created_at: AwareDatetime  # its present creation began
    # Of one that was created anew: when it was applied first, and when it had failed in between.
    applied_at: AwareDatetime | None = None
    # When the instance was asked for with which it first answered; None: before that was kept.
    began_at: AwareDatetime | None = None
    failed_spans: tuple[FailedSpan, ...] = ()
    machines_before: tuple[MachineBefore, ...] = ()  # by files that others have replaced
    cause: Cause = Cause.APPLY
    asked_by: str | None = None  # the person or the tenants that the wish is for, where known
    wish_copies: int = 0
    wished_at: AwareDatetime
    attempts: int = 0  # executions of this wish that ended badly
    failed_wakes: int = 0  # wakes in a row that brought no answer
    retry_at: AwareDatetime | None = None  # nothing is tried again before this time
    tries: tuple[Try, ...] = ()  # wakes and creations by rung of the ladder, newest last
    shape: Shape = Shape()  # as it is wished
    shaped: Shape = Shape()  # as its resources were seen
    reshaping: bool = False  # it was begun to change them, and not seen that it ended
    update: Update | None = None
    failed_in: Phase | None = None
    failure: str | None = None
    commit: str | None = None
    weights_uri: str | None = None
    facts: ModelFacts | None = None  # of a model that stays on the Hub
    bounds: Bounds = Bounds(0, 1)
    desired_copies: int = 0
    observed_copies: int = 0
    observed_instances: int = 0
    instance_type: str = ""
    copies_per_instance: Annotated[int, Field(ge=1)] = 1
    # Of the present wake or creation: AWS was asked, the first instance, the first container that
    # said something, the first copy in service.
    asked_at: AwareDatetime | None = None
    instance_seen_at: AwareDatetime | None = None
    container_seen_at: AwareDatetime | None = None
    copy_seen_at: AwareDatetime | None = None
    observed_at: AwareDatetime | None = None
    # Requests that waited or ran at the last look; None: nobody could say.
    busy: float | None = None
    signals: Signals | None = None  # its metrics, while it is awake; None: they were not there
    readers: int | None = None  # dispatchers at a time that its queue was last given
    reads_later: bool = True  # its queue of requests that may wait is read
    last_active_at: AwareDatetime | None = None
    last_wake_at: AwareDatetime | None = None  # when a wake from zero was wished last
    last_awake_at: AwareDatetime | None = None
    hold: Hold | None = None
    overrides: tuple[Override, ...] = ()  # beside the hold, one of each kind
    discard_requests: bool = False  # its retirement need not wait for the last of its requests
    discard_weights: bool = False  # its staged weights go with it, unless another one has them
    cold_starts: tuple[ColdStart, ...] = ()
    creation: ColdStart | None = None  # measured as a wake is, and not one of them
    # Of its last sleeps, oldest first: from the wish until zero instances were seen.
    release_seconds: tuple[float, ...] = ()
    recommendations: tuple[Recommendation, ...] = ()
    episode: Episode = Episode()  # the idle time or the wait that is under way
    wakes_on: date | None = None
    wakes_today: int = 0
    reasons: tuple[str, ...] = ()  # codes of the last decision; free, so that an old one is read
    last_reason: str = ""  # their sentences, as they were when the reasons became these
    last_reason_at: AwareDatetime | None = None
    delay_told: str = ""  # the day and the reason why a wake waits that were announced last
    short_since: AwareDatetime | None = None  # it has fewer copies than it was asked to have
    shortages: int = 0  # times in a row that copies did not come
    reach: Reach | None = None
    missing_since: AwareDatetime | None = None  # a signal does not come since then
    missing_told: bool = False
    stuck_told: str = ""  # the stay in a phase that was announced as too long
    budget_told: str = ""  # the month and the percentage that were announced last
    day_told: str = ""  # as `budget_told`, of a budget for the day
    forecast_told: str = ""  # the month that was announced to cost more than its budget
    # What an earlier file allowed it to cost an hour, until what is too much of it should be gone.
    outgrown_usd: Decimal = Decimal(0)
    outgrown_until: AwareDatetime | None = None
    # In observe mode: what is decided and not done, until when that is counted, and what it would
    # have saved by UTC day, and before these.
    withheld: Withheld | None = None
    withheld_at: AwareDatetime | None = None
    would_save: DollarsByDay = {}
    would_save_earlier: EarlierDays | None = None
    parked: bool = False  # FAILED by the kill switch or a budget: it is created anew afterwards
    untold: tuple[Untold, ...] = ()  # events of changes that are stored, oldest first
    spent_in: str = ""  # the UTC month (yyyy-mm) that spent_usd belongs to
    spent_usd: Decimal = Decimal(0)  # closed segments of that month
    spending: Spending = Spending()  # closed segments of its day, and what such days cost lately
    came: dict[str, int] = {}  # most instances by type that ran at the wish or were seen since
    seen: dict[str, int] | None = None  # of these, what looks saw since; None: nobody looked
    meters: tuple[Meter, ...] = ()  # one for each instance type that runs or was asked for
    asked: tuple[Asked, ...] = ()  # awake: more than its meters count, fewest first
    # Of machines that it shares, as the tick last looked: its part of the instances, and how many
    # instances' worth the copies of the others take.
    share: Decimal = Decimal(1)
    beside: Decimal = Decimal(0)

    @property
    def first_applied_at(self) -> datetime:
        """Since when its file is in the fleet, however often it was created."""
        return self.applied_at or self.created_at

    def lead_times(self) -> tuple[timedelta, ...]:
        """Measured cold starts, newest last."""
        return tuple(start.lead_time for start in self.cold_starts)


HISTORY_DAYS = 90


class HistoryEntry(Stored):
    """One line of an endpoint's history: a transition or a decision that changed something. It is
    kept for HISTORY_DAYS.

    `cause` of a wake's lines, free, so that another release's is read, and `asked_by`: the person
    or the tenants that it was for, where known; `lead_seconds` of the line that says that it
    answered. Release 0.1.0 wrote none of them.
    """

    endpoint: str
    at: AwareDatetime
    generation: int
    phase: Phase
    text: str
    cause: str | None = None
    asked_by: str | None = None
    lead_seconds: float | None = None


# Upper edges in seconds of the bins that waits are counted in; what is longer is in one more.
WAIT_EDGES = (1, 2, 5, 10, 20, 30, 60, 120, 180, 300, 450, 600, 900, 1800, 3600, 7200, 28800, 86400)


def wait_bin(seconds: float) -> int:
    """The bin of a wait: the first whose edge it does not exceed."""
    return bisect_left(WAIT_EDGES, seconds)


class Traffic(Stored):
    """Requests answered for one endpoint in one UTC hour; what is older was counted by UTC day."""

    endpoint: str
    start: AwareDatetime
    hours: Literal[1, 24] = 1
    requests: int = 0
    refused: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    waited_seconds: float = 0.0
    kept: int = 0  # of the requests, those that a kept answer has answered
    waits: Counter[int] = Counter()  # answered requests by the bin of their wait (`wait_bin`)

    @property
    def end(self) -> datetime:
        return self.start + timedelta(hours=self.hours)


class EndpointRecord(Stored):
    """Spec, status, learned pattern and first due time of one endpoint, as read together; with its
    Region's prices and what holds for the whole stack, which a store that reads it adds."""

    spec: EndpointSpec
    status: EndpointStatus
    pattern: StoredPattern = StoredPattern()
    deferrable_due_at: AwareDatetime | None = None  # the first of those that may wait
    prices: PriceBook = Field(default_factory=bundled, exclude=True, repr=False)
    stack: StackState = Field(default_factory=StackState, exclude=True, repr=False)

    @property
    def usd_per_hour(self) -> Decimal | None:
        """Of an instance that it has, else of the first that it would get; None: not known."""
        return self.prices.usd_per_hour(self.status.instance_type or self.first_type)

    @property
    def usd_per_copy_hour(self) -> Decimal | None:
        """A copy's part of that."""
        price = self.usd_per_hour
        return None if price is None else price / self.status.copies_per_instance

    @property
    def first_type(self) -> str:
        """The first that it would get."""
        return self.spec.on_rung(self.status.shape.rung).instances.types[0]

    def having(self, status: EndpointStatus) -> EndpointRecord:
        """The same endpoint with another status."""
        return self.model_copy(update={"status": status})


def utc_hour(moment: datetime) -> datetime:
    """The start of the UTC hour of a moment."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
