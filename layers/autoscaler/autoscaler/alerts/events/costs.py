"""Money: budgets, reports, prices, and what is paid for without belonging to an endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ..money import Money
from .base import DAY, Event, Severity


class BudgetReached(Event):
    """`share` of the month's dollars is spent: 0.8 is 80 %."""

    salient = ("month", "step")
    repeat_seconds = 31 * DAY

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


class ReportLine(BaseModel):
    """One endpoint's line in the announcement of a report."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    endpoint: str
    cost_usd: Money
    saved_usd: Money | None
    wakes: int
    requests: int


class ReportDay(BaseModel):
    """One bar of the report's chart, in order: a day of a week or a month, an hour of a day."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    label: str
    cost_usd: Money
    teams: Mapping[str, Money] = {}


class ReportWritten(Event):
    """A cost report lies at `uri`; the figures are estimates. None: a price is unknown."""

    salient = ("uri", "at")
    grouped = False

    endpoint: str = ""
    generation: int = 0
    uri: str
    period: str
    cost_usd: Money
    baseline_usd: Money | None
    saved_usd: Money | None
    lines: tuple[ReportLine, ...] = ()
    days: tuple[ReportDay, ...] = ()  # older senders have none: the picture is by endpoint then


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
