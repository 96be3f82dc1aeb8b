"""The figures of a cost report. Dollars are exact Decimals; what shows or stores them rounds.

None is "not known", never zero: a price that the catalogue lacks, a share of nothing.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, computed_field

from ..alerts.money import Money
from ..endpoints.status import UsageKind
from .controller import ControllerCost
from .periods import Period, Slot

ZERO = Decimal(0)


class Figure(BaseModel):
    """Base of every part of a report."""

    model_config = ConfigDict(frozen=True)


class KindCosts(Figure):
    """Dollars by what the instance-seconds were spent on."""

    provisioning: Money = ZERO
    serving: Money = ZERO
    kept_warm: Money = ZERO
    idle_tail: Money = ZERO

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total(self) -> Money:
        return self.provisioning + self.serving + self.kept_warm + self.idle_tail


class Unpriced(Figure):
    """Instance-hours that no dollar figure contains, because the price is unknown."""

    instance_type: str
    instance_hours: float


class BudgetUse(Figure):
    """Dollars of a UTC month against the endpoint's limit."""

    month: str
    monthly_usd: Money
    spent_usd: Money

    @computed_field  # type: ignore[prop-decorator]
    @property
    def share(self) -> float:
        return float(self.spent_usd / self.monthly_usd)


class Span(Figure):
    """A segment as the timeline shows it."""

    start: AwareDatetime
    end: AwareDatetime
    instances: int
    kind: UsageKind


class Wakes(Figure):
    """Wakes that began in the period. `causes` and lead times know the measured ones only."""

    count: int = 0
    causes: dict[str, int] = {}
    lead_seconds: tuple[float, ...] = ()  # ascending

    @computed_field  # type: ignore[prop-decorator]
    @property
    def lead_p50_seconds(self) -> float | None:
        return percentile(self.lead_seconds, 0.5)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def lead_p90_seconds(self) -> float | None:
        return percentile(self.lead_seconds, 0.9)


class Served(Figure):
    """Requests answered, from the counters of UTC hours."""

    requests: int = 0
    refused: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    waited_seconds: float = 0.0
    kept: int = 0  # of the requests, those that a kept answer has answered

    @computed_field  # type: ignore[prop-decorator]
    @property
    def kept_share(self) -> float | None:
        return self.kept / self.requests if self.requests else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def mean_wait_seconds(self) -> float | None:
        return self.waited_seconds / self.requests if self.requests else None


class Costs(Figure):
    """What one endpoint, one team or everything cost and did.

    awake_hours: an instance was there and past its provisioning. baseline_usd: one instance,
    always on. savings_usd: baseline minus cost, negative when sleeping cost more than it saved.
    """

    cost: KindCosts
    awake_hours: float
    instance_hours: float
    baseline_usd: Money | None
    unpriced: tuple[Unpriced, ...] = ()
    wakes: Wakes = Wakes()
    served: Served = Served()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def savings_usd(self) -> Money | None:
        if self.baseline_usd is None or self.unpriced:
            return None
        return self.baseline_usd - self.cost.total

    @computed_field  # type: ignore[prop-decorator]
    @property
    def usd_per_1000_requests(self) -> Money | None:
        return self._usd_per(self.served.requests, 1_000)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def usd_per_million_tokens(self) -> Money | None:
        tokens = self.served.input_tokens + self.served.output_tokens
        return self._usd_per(tokens, 1_000_000)

    def _usd_per(self, count: int, unit: int) -> Money | None:
        return self.cost.total * unit / count if count and not self.unpriced else None


class EndpointCosts(Costs):
    name: str
    team: str
    model: str | None = None  # None: retired since
    instance_type: str
    budget: BudgetUse | None = None
    timeline: tuple[Span, ...] = ()


class TeamCosts(Costs):
    team: str
    endpoints: tuple[str, ...]


class SlotCosts(Figure):
    """One bar of the chart. The baseline is of this slot alone."""

    slot: Slot
    cost: KindCosts
    baseline_usd: Money | None


class CostReport(Figure):
    """Everything that a report says, as HTML, CSV and JSON show it."""

    schema_version: int = 1
    basis: Literal["estimated"] = "estimated"
    period: Period
    until: AwareDatetime  # the figures end here: the period's end, or the moment of writing
    written_at: AwareDatetime
    total: Costs
    endpoints: tuple[EndpointCosts, ...]
    teams: tuple[TeamCosts, ...]
    slots: tuple[SlotCosts, ...]
    controller: ControllerCost | None = None  # None: not counted
    notes: tuple[str, ...] = ()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def net_savings_usd(self) -> Money | None:
        """Savings minus the controller's own cost; None while either is not known in full."""
        if self.total.savings_usd is None or self.controller is None or self.controller.unknown:
            return None
        return self.total.savings_usd - self.controller.total_usd


def percentile(ascending: tuple[float, ...], share: float) -> float | None:
    """Nearest rank: the smallest value that at least `share` of all are not above."""
    if not ascending:
        return None
    rank = max(1, math.ceil(share * len(ascending)))
    return ascending[rank - 1]
