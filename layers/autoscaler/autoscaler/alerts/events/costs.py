"""Money: budgets, reports, prices, and what is paid for without belonging to an endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ...spec import WhenSpent
from ..money import Money
from .base import DAY, Event, Severity


class BudgetReached(Event):
    """`share` of the dollars is spent, of the month's or the day's (`per`): 0.8 is 80 %. An empty
    endpoint: the stack's budget."""

    # Changed, it is a new one.
    salient = ("month", "day", "step", "monthly_usd", "when_spent", "fallen")
    repeat_seconds = 31 * DAY

    spent_usd: Money
    monthly_usd: Money  # of the day, if it is the day's
    share: Annotated[float, Field(ge=0)]
    thresholds: tuple[int, ...] = (50, 80, 100)
    per: Literal["month", "day"] = "month"
    when_spent: WhenSpent = WhenSpent.CAP
    fallen: int = 0  # times that less was spent again than was told, in this month or day

    @property
    def month(self) -> str:
        return f"{self.at:%Y-%m}"

    @property
    def day(self) -> str:
        return f"{self.at:%Y-%m-%d}" if self.per == "day" else ""

    @property
    def step(self) -> int:
        """The percentage that was passed last; 0: none."""
        # As decimals: 0.57 * 100 is 56.99... as a float, and would be told a tick late.
        reached = Decimal(str(self.share)) * 100
        return max(step for step in (0, *self.thresholds) if reached >= step)

    @property
    def severity(self) -> Severity:
        return Severity.CRITICAL if self.share >= 1 else Severity.WARNING


class ReportLine(BaseModel):
    """One endpoint's line in the announcement of a report."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="ignore")

    endpoint: str
    team: str = ""
    cost_usd: Money
    saved_usd: Money | None
    before_usd: Money | None = None  # of the period before; None: not there when that began
    wakes: int
    requests: int
    at_least: bool = False  # instance-hours of an unknown price are not in `cost_usd`

    @property
    def moved_usd(self) -> Decimal | None:
        """Against the period before; None: nothing to compare with, or not all of it is known."""
        if self.before_usd is None or self.at_least:
            return None
        return self.cost_usd - self.before_usd


class ReportTeam(BaseModel):
    """One team's line: what its endpoints cost, saved and answered while they were its own."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="ignore")

    team: str
    cost_usd: Money
    saved_usd: Money | None
    before_usd: Money | None = None
    requests: int = 0
    at_least: bool = False  # as a line's; False: of an older version too


class ReportDay(BaseModel):
    """One bar of the report's chart, in order: a day of a week or a month, an hour of a day."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="ignore")

    label: str
    cost_usd: Money
    teams: Mapping[str, Money] = {}


class ReportBudget(BaseModel):
    """A budget of a UTC month or day and what is spent of it. An empty endpoint: the stack's."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="ignore")

    endpoint: str = ""
    per: Literal["month", "day"] = "month"
    of: str = ""  # which: 2026-11 or 2026-11-24; "": of an older version
    limit_usd: Money
    spent_usd: Money
    forecast_usd: Money | None = None  # of the month; None: too little is known, or it is over
    days: int = 0  # of the report
    days_over: int = 0

    @property
    def share(self) -> float:
        return float(self.spent_usd / self.limit_usd)


class ReportWritten(Event):
    """A cost report lies at `uri`; the figures are estimates, and `basis` says whether the bill is
    beside them. None: a price is unknown, or there is nothing to compare with."""

    salient = ("uri", "at")
    grouped = False

    endpoint: str = ""
    generation: int = 0
    uri: str
    period: str
    cost_usd: Money
    baseline_usd: Money | None
    saved_usd: Money | None
    lines: tuple[ReportLine, ...] = ()  # the dearest and those that moved most
    others: int = 0  # endpoints that have no line here: an event has to fit EventBridge and SQS
    others_usd: Money = Decimal(0)
    others_at_least: bool = False  # of one of them, as a line's
    kind: str = ""  # day, week, month or all; "": of an older version, as all that follows
    first_day: date | None = None
    running: bool = False  # the period is not over
    basis: str = "estimated"
    billed_usd: Money | None = None  # of whole UTC days, which may be more than the period
    billed_first: date | None = None
    billed_last: date | None = None
    billed_against_usd: Money | None = None  # what the same days were estimated at
    before_usd: Money | None = None  # the period before; None: nobody was there when it began
    net_saved_usd: Money | None = None  # net of the controller's own cost, if all of it is known
    net_saved_at_most_usd: Money | None = None  # net of what is known of the controller's cost
    controller_usd: Money | None = (
        None  # what is known of it; None: nothing, or of an older version
    )
    teams: tuple[ReportTeam, ...] = ()
    budgets: tuple[ReportBudget, ...] = ()  # the stack's, and those of endpoints that run short
    days: tuple[ReportDay, ...] = ()
    unusual: tuple[str, ...] = ()  # sentences
    advice: tuple[str, ...] = ()  # sentences: the changes of specs that would have saved most
    gap_usd: Money = Decimal(0)  # rests on time in which nobody looked
    unpriced_hours: float = 0.0  # instance-hours that are in no dollar figure
    unpriced_types: tuple[str, ...] = ()  # whose price is unknown

    @property
    def movers(self) -> tuple[ReportLine, ...]:
        """Endpoints whose cost differs from the period before, the most first."""
        moved = [(line.moved_usd, line) for line in self.lines if line.moved_usd]
        ordered = sorted(moved, key=lambda pair: (-abs(pair[0]), pair[1].endpoint))
        return tuple(line for _, line in ordered)


class PricesStale(Event):
    """The price list cannot be read for more than a week; the prices of `read_at` (None: the
    bundled table's) are used."""

    salient = ("region", "read_at")
    repeat_seconds = 31 * DAY

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

    model_config = ConfigDict(frozen=True, defer_build=True, extra="ignore")

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
    lines: tuple[OrphanLine, ...]  # of those that bill, dearest first, then of the rest
    others: int = 0  # orphans that have no line

    @property
    def severity(self) -> Severity:
        bills = any(sum(line.instances.values()) for line in self.lines)
        return Severity.CRITICAL if bills else Severity.WARNING


class GapFound(Event):
    """An endpoint lacks something in AWS that it needs. The sweep announces it when it is new, and
    else once a day."""

    salient = ("lacks", "at")

    generation: int = 0
    lacks: str
    what_to_do: str
    command: str = ""  # that does it

    @property
    def severity(self) -> Severity:
        return Severity.CRITICAL


class OrphanRemoved(Event):
    """The sweep removed one that was marked deletable and seen twice."""

    salient = ("kind", "name", "at")

    generation: int = 0
    kind: str
    name: str
