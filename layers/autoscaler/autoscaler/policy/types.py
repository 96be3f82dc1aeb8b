"""What goes into a decision and what comes out of it.

Observation and History are filled by `control`; Decision is carried out by it. Nothing here
reads a clock, the environment or AWS. None as a signal means *missing*, which is never a zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from ..spec import WhenSpent
from .pattern import Pattern


class Phase(StrEnum):
    """Where an endpoint is in its life; `endpoints.phases` has the allowed transitions."""

    STAGING = "STAGING"
    CREATING = "CREATING"
    ASLEEP = "ASLEEP"
    WAKING = "WAKING"
    AWAKE = "AWAKE"
    SLEEPING = "SLEEPING"
    UPDATING = "UPDATING"
    RETIRING = "RETIRING"
    RETIRED = "RETIRED"
    FAILED = "FAILED"


class ReasonCode(StrEnum):
    """Why a decision is what it is. Closed: every code has a rule and a test."""

    BACKLOG_WAITING = "backlog_waiting"
    CONCURRENCY_HIGH = "concurrency_high"
    WAITING_COSTS_MORE = "waiting_costs_more"
    DEMAND_FELL = "demand_fell"
    WINDOW_OPEN = "window_open"
    WINDOW_AHEAD = "window_ahead"
    WINDOW_CLOSED = "window_closed"
    PATTERN_AHEAD = "pattern_ahead"
    DEFERRED_DUE = "deferred_due"
    DEFERRED_WORTH = "deferred_worth"
    MINIMUM_KEPT = "minimum_kept"
    HELD = "held"
    PUT_TO_SLEEP = "put_to_sleep"
    CLOSED = "closed"
    KEPT_WARM = "kept_warm"
    SCALE_IN_PAUSED = "scale_in_paused"
    REQUESTS_HELD_BACK = "requests_held_back"
    IDLE = "idle"
    STILL_BUSY = "still_busy"
    KEPT_ALIVE = "kept_alive"
    STABILIZING = "stabilizing"
    SIZE_FROZEN = "size_frozen"
    SIGNAL_MISSING = "signal_missing"
    BUDGET_SPENT = "budget_spent"
    STACK_BUDGET_SPENT = "stack_budget_spent"
    FORECAST_OVER = "forecast_over"
    STOPPED = "stopped"
    WAKES_SPENT = "wakes_spent"
    BACKING_OFF = "backing_off"
    CAPPED = "capped"
    OUT_OF_REACH = "out_of_reach"
    IN_TRANSITION = "in_transition"
    NOTHING_TO_DO = "nothing_to_do"


@dataclass(frozen=True)
class Reason:
    """One step of a decision, with its sentence for people."""

    code: ReasonCode
    text: str


@dataclass(frozen=True)
class Bounds:
    """Copies between which Application Auto Scaling may move."""

    min_copies: int
    max_copies: int


@dataclass(frozen=True)
class Reach:
    """The most copies that could be had, until it is tried again."""

    copies: int
    until: datetime


@dataclass(frozen=True)
class Hold:
    """A person's wish that overrides the policy until it expires."""

    until: datetime
    min_copies: int
    reason: str
    author: str


class OverrideKind(StrEnum):
    """What a person may ask for until some time, beside a hold."""

    SLEEP_UNTIL = "sleep_until"  # asleep, whatever the schedule says
    KEEP_WARM = "keep_warm"  # at least one copy
    PAUSE_SCALE_IN = "pause_scale_in"  # no copy is taken away, no sleep


@dataclass(frozen=True)
class Override:
    """A person's wish of one kind, from `since` until it expires."""

    kind: OverrideKind
    since: datetime
    until: datetime
    reason: str
    author: str
    even_for_requests: bool = False  # of SLEEP_UNTIL: requests wait too


@dataclass(frozen=True)
class Stop:
    """The kill switch, of everything or of one endpoint: zero until it is taken back."""

    since: datetime
    author: str  # a person, or the breaker
    reason: str
    endpoint: str = ""  # the only one that is stopped; "": everything is


@dataclass(frozen=True)
class StackWakes:
    """The wakes of a UTC day that all endpoints have together, when they are spent."""

    on: date
    wakes: int
    most: int


@dataclass(frozen=True)
class StackLimit:
    """The stack's budget as far as it binds this endpoint, which yields by its priority."""

    spent_usd: Decimal  # or, by forecast, what the month will probably cost
    budget_usd: Decimal
    per: str  # "month" or "day"
    yields_at: int  # per cent of the budget
    action: WhenSpent
    by_forecast: bool = False
    with_unseen: bool = False  # only with instances that were asked for and did not come yet


@dataclass(frozen=True)
class Queued:
    """The backlog as it was counted at a look, and by how much it grew then (`arrivals`)."""

    at: datetime
    backlog: int
    growth_per_second: float = 0.0  # requests; below 0 where it was worked off


@dataclass(frozen=True)
class Observation:
    """The present state of one endpoint, as seen at `now`."""

    phase: Phase
    phase_since: datetime
    desired_copies: int
    observed_copies: int
    bounds: Bounds
    backlog: int | None  # queued and not yet answered; None: signal missing
    in_flight: float | None  # concurrent requests over all copies; None: signal missing
    last_active_at: datetime | None = None
    seconds_per_request: float | None = None  # measured; None: not known yet
    hold: Hold | None = None
    wakes_today: int = 0
    spent_this_month_usd: Decimal = Decimal(0)
    retry_at: datetime | None = None  # no wake before this time (after a failed wake)
    arrivals_per_second: float | None = None  # over the last minutes; None: not known
    queued: Queued | None = None  # None: the backlog was not counted
    usd_per_copy_hour: float | None = None  # None: the price is not known
    reach: Reach | None = None  # None: whatever is asked for comes
    deferrable: int = 0  # requests that may wait; not part of `backlog`
    deferrable_due_at: datetime | None = None  # the earliest deadline among them
    spent_today_usd: Decimal = Decimal(0)  # of the UTC day
    # Of both, what counts for instances that were asked for and did not come yet.
    unseen_this_month_usd: Decimal = Decimal(0)
    unseen_today_usd: Decimal = Decimal(0)
    forecast_over_usd: Decimal | None = None  # of the month, while that is above the budget
    stack_limit: StackLimit | None = None  # None: the stack's budget leaves it alone
    stack_wakes: StackWakes | None = None  # None: the stack has wakes left today, or no limit
    stopped: Stop | None = None
    overrides: tuple[Override, ...] = ()  # one of each kind
    tick: timedelta = timedelta(seconds=60)  # until it is looked at again, at the latest


@dataclass(frozen=True)
class Recommendation:
    """Copies that demand alone asked for at some moment."""

    at: datetime
    copies: int


@dataclass(frozen=True)
class Burst:
    """The requests that ended an idle time, for as long as a start would have taken."""

    began_at: datetime
    came: float
    last_came_at: datetime
    waited_seconds: float = 0.0  # request-seconds, had it slept
    idle_seconds: float = 0.0  # of the idle time that they ended


@dataclass(frozen=True)
class Episode:
    """What is under way since the last look: an idle time, or a wake whose requests wait."""

    looked_at: datetime | None = None
    idle_from: datetime | None = None
    upper_idle_from: tuple[datetime | None, ...] = ()  # by copy, from the second on
    asked_at: datetime | None = None  # the first request that had to wait
    at_zero: bool = False  # it found no copy; else, too few
    waiting: float = 0.0
    waited_seconds: float = 0.0  # request-seconds
    missing: int = 0  # most copies that were asked for and did not serve yet
    burst: Burst | None = None
    queued: Queued | None = None  # the last count, in whatever phase


@dataclass(frozen=True)
class History:
    """What is remembered of one endpoint: recommendations and its own cold starts; and what stands
    in for those until one was measured."""

    recommendations: tuple[Recommendation, ...] = ()
    lead_times: tuple[timedelta, ...] = ()  # trigger to ready, newest last
    pattern: Pattern = field(default_factory=Pattern)
    episode: Episode = field(default_factory=Episode)
    created_in: timedelta | None = None  # a start from zero, by its creation
    estimated_start: timedelta | None = None  # by its model's size


class Transition(StrEnum):
    """A phase change that a decision asks for."""

    WAKE = "wake"
    SLEEP = "sleep"


@dataclass(frozen=True)
class Decision:
    """What shall be. `copies` is the desired count while awake, or the size of a wake."""

    bounds: Bounds
    copies: int
    transition: Transition | None
    reasons: tuple[Reason, ...]
    recommendation: Recommendation | None = None  # to be remembered in History
    next_edge: datetime | None = field(default=None)  # when the schedule changes next

    @property
    def summary(self) -> str:
        """The sentences of all reasons, in the order in which they were applied."""
        return " ".join(reason.text for reason in self.reasons)
