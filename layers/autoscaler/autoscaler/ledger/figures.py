"""The figures of a cost report. Dollars are exact Decimals; what shows or stores them rounds.

None is "not known", never zero: a price that the catalogue lacks, a share of nothing.
"""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from pydantic import AwareDatetime, computed_field

from ..alerts.money import Money
from ..endpoints.status import WAIT_EDGES, UsageKind
from .bill import Figure, Reconciliation
from .budget_use import BudgetUse, DailyBudget
from .controller import ControllerCost
from .periods import Period, Slot

ZERO = Decimal(0)


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


class Gaps(Figure):
    """What of the instance-seconds lies between two looks between which something had changed and
    nobody looked: when it did is SageMaker's word, or the later look's."""

    instance_seconds: float = 0.0
    usd: Money = ZERO


class Unpriced(Figure):
    """Instance-hours that no dollar figure contains, because the price is unknown."""

    instance_type: str
    instance_hours: float


class Span(Figure):
    """A segment as the timeline shows it."""

    start: AwareDatetime
    end: AwareDatetime
    instances: int
    kind: UsageKind
    share: float = 1.0  # of shared instances, the part that is this endpoint's
    usd_per_hour: Money | None = None  # of an instance; None: not known
    price_origin: str | None = None  # None: closed by an older release

    @property
    def own_instances(self) -> float:
        return self.instances * self.share


class Wakes(Figure):
    """Wakes that began in the period. Lead times are of those that answered, `measured` of them;
    of what an older release wrote neither they nor `causes` may be known. `asked_by`: wakes by the
    tenants or the person that they were for, where known."""

    count: int = 0
    causes: dict[str, int] = {}
    asked_by: dict[str, int] = {}
    lead_seconds: tuple[float, ...] = ()  # ascending

    @property
    def caused(self) -> int:
        """Of how many the cause is known."""
        return sum(self.causes.values())

    @computed_field  # type: ignore[prop-decorator]
    @property
    def measured(self) -> int:
        return len(self.lead_seconds)

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
    waits: dict[int, int] = {}  # requests by the bin of their wait, as far as they were counted so

    @computed_field  # type: ignore[prop-decorator]
    @property
    def wait_p50_seconds(self) -> float | None:
        return self._wait(0.5)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def wait_p95_seconds(self) -> float | None:
        return self._wait(0.95)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def wait_most_seconds(self) -> float | None:
        return self._wait(1.0)

    def _wait(self, share: float) -> float | None:
        """The edge that at least `share` of all waits do not exceed; None: nobody knows, or a wait
        was longer than the last edge."""
        left = share * sum(self.waits.values())
        if not left:
            return None
        for number, edge in enumerate(WAIT_EDGES):
            left -= self.waits.get(number, 0)
            if left <= 0:
                return float(edge)
        return None

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

    awake_hours: an instance was there and past its provisioning; of several endpoints, the sum of
    each one's. instance_hours: of shared instances, its part; serving_hours: those of them that
    served. before_usd: the cost of the period before, None if it was not there when that began.
    baseline_usd: one instance, or of shared ones a copy's part of it, always on. savings_usd:
    baseline minus cost, negative when sleeping cost more than it saved.
    """

    cost: KindCosts
    awake_hours: float
    instance_hours: float
    serving_hours: float = 0.0
    baseline_usd: Money | None
    before_usd: Money | None = None
    gaps: Gaps = Gaps()
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
    def utilisation(self) -> float | None:
        """Of the instance-hours, the share that served; the rest started, was kept or idle."""
        return self.serving_hours / self.instance_hours if self.instance_hours else None

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


class Unusual(Figure):
    """A day of an endpoint that was unlike the same weekdays before it."""

    endpoint: str
    day: date
    what: str  # cost or requests
    value: float
    usual: float
    sentence: str


class Advice(Figure):
    """A change of a spec, and what it would have saved on the endpoint's own history."""

    endpoint: str
    change: str
    saved_usd: Money
    days: float  # of history
    waiting_usd: Money  # more of waiting, at the spec's own price of it; negative: less
    sentence: str


class EndpointCosts(Costs):
    name: str
    team: str
    model: str | None = None  # None: retired since
    instance_type: str
    usd_per_hour: Money | None = None  # of such an instance, as known when it was written
    shared: str = ""  # the machines that it shares with other endpoints; "": they are its own
    budget: BudgetUse | None = None
    daily_budget: DailyBudget | None = None
    spec: dict[str, Any] | None = None  # its file as it is now, defaults included
    timeline: tuple[Span, ...] = ()


class TeamCosts(Costs):
    """All figures are the team's of the time; `endpoints` those that it has now."""

    team: str
    endpoints: tuple[str, ...]


class SlotCosts(Figure):
    """One bar of the chart. The baseline is of this slot alone."""

    slot: Slot
    cost: KindCosts
    baseline_usd: Money | None
    teams: dict[str, Money] = {}


class CostReport(Figure):
    """Everything that a report says, as HTML, CSV and JSON show it."""

    schema_version: int = 1
    basis: Literal["estimated", "reconciled"] = "estimated"  # reconciled: the bill is beside it
    period: Period
    until: AwareDatetime  # the figures end here: the period's end, or the moment of writing
    written_at: AwareDatetime
    total: Costs
    endpoints: tuple[EndpointCosts, ...]
    teams: tuple[TeamCosts, ...]
    slots: tuple[SlotCosts, ...]
    controller: ControllerCost | None = None  # None: not counted
    stack_budget: BudgetUse | None = None
    stack_daily_budget: DailyBudget | None = None
    unusual: tuple[Unusual, ...] = ()
    advice: tuple[Advice, ...] = ()
    bill: Reconciliation | None = None  # None: not reconciled
    notes: tuple[str, ...] = ()

    @property
    def sharing(self) -> dict[str, tuple[str, ...]]:
        """The endpoints that share machines, by the machines' name."""
        names = sorted({e.shared for e in self.endpoints if e.shared})
        return {n: tuple(e.name for e in self.endpoints if e.shared == n) for n in names}

    @computed_field  # type: ignore[prop-decorator]
    @property
    def net_savings_usd(self) -> Money | None:
        """Savings minus the controller's own cost; None while either is not known in full."""
        if self.total.savings_usd is None or self.controller is None or self.controller.unknown:
            return None
        return self.total.savings_usd - self.controller.total_usd

    @computed_field  # type: ignore[prop-decorator]
    @property
    def net_savings_at_most_usd(self) -> Money | None:
        """Savings minus what is counted of the controller's own cost, which may be more."""
        if self.total.savings_usd is None or self.controller is None:
            return None
        return self.total.savings_usd - self.controller.total_usd


def percentile(ascending: tuple[float, ...], share: float) -> float | None:
    """Nearest rank: the smallest value that at least `share` of all are not above."""
    if not ascending:
        return None
    rank = max(1, math.ceil(share * len(ascending)))
    return ascending[rank - 1]
