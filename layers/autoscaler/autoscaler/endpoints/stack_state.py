"""What holds for all endpoints: the kill switch and the stack's budget. One item of the table.

It lies beside the fleet and is read with it, so that a tick needs no read more. `version` guards
every write.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ..policy.budget import hardest
from ..policy.types import StackLimit, StackWakes, Stop
from ..spec import StackBudget
from .untold import Untold


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True, extra="ignore")


class Yielding(_Part):
    """Endpoints whose priority is below `below` yield to the stack's budget until then."""

    below: int
    yields_at: dict[int, int]  # per cent of the budget, by priority
    limit: StackLimit  # as it was when the first of them began to yield
    until: AwareDatetime


class Gone(_Part):
    """What a removed endpoint spent in its last month and day: the stack has spent it too."""

    day: date
    month_usd: Decimal
    day_usd: Decimal
    day_wakes: int = 0


class StackState(_Part):
    """Settings of the stack that a person changes without a deployment, and what was told of it."""

    version: int = 0
    stopped: Stop | None = None
    stopped_endpoints: dict[str, Stop] = Field(default_factory=dict)
    # Since an endpoint was started again: what the breaker counted before says nothing any more.
    calm_from: dict[str, AwareDatetime] = Field(default_factory=dict)
    observing_since: AwareDatetime | None = None  # the tick found the stack in observe mode
    budget: StackBudget = StackBudget()
    budget_by: str = ""  # who set it last
    budget_at: AwareDatetime | None = None
    yielding: tuple[Yielding, ...] = ()
    gone: dict[str, Gone] = Field(default_factory=dict)  # by endpoint and when it was created
    month_told: str = ""  # the month and the percentage that were announced last
    day_told: str = ""
    forecast_told: str = ""  # the month that was announced to cost too much
    wakes_per_day: int | None = None  # of all endpoints together; set with the budget
    wakes: StackWakes | None = None  # since the tick found those of a day spent
    untold: tuple[Untold, ...] = ()

    def stop_of(self, name: str) -> Stop | None:
        """What stops an endpoint; that of everything first."""
        return self.stopped or self.stopped_endpoints.get(name)

    def limit_of(self, priority: int, now: datetime) -> StackLimit | None:
        """The stack's budget as it binds an endpoint of this priority; None: it does not."""
        bound = [
            replace(one.limit, yields_at=one.yields_at.get(priority, one.limit.yields_at))
            for one in self.yielding
            if now < one.until and priority < one.below
        ]
        return hardest(bound)

    def wakes_spent(self, now: datetime) -> StackWakes | None:
        """The wakes of this UTC day that all endpoints have together; None: some are left."""
        return self.wakes if self.wakes and self.wakes.on == now.date() else None

    def gone_wakes(self, now: datetime, but: Collection[str]) -> int:
        """How often removed endpoints woke on this day; those of the keys `but` are still there."""
        gone = (one for key, one in self.gone.items() if key not in but)
        return sum(one.day_wakes for one in gone if one.day == now.date())

    def gone_usd(self, now: datetime, but: Collection[str]) -> tuple[Decimal, Decimal]:
        """What removed endpoints spent of this month and of this day; those of the keys `but` are
        still there, and count by themselves."""
        month, day = Decimal(0), Decimal(0)
        for key, one in self.gone.items():
            if key not in but and f"{one.day:%Y-%m}" == f"{now:%Y-%m}":
                month += one.month_usd
                day += one.day_usd if one.day == now.date() else 0
        return month, day

    def spent_before(
        self, name: str, created_at: datetime, now: datetime
    ) -> tuple[Decimal, Decimal]:
        """What removed endpoints of a name spent of this month and of this day, before the one
        that was created then: their budget is the name's."""
        own = life_of(name, created_at)
        others = {key for key in self.gone if key == own or name_of_life(key) != name}
        return self.gone_usd(now, others)


def name_of_life(key: str) -> str:
    return key.rpartition("#")[0]


def life_of(name: str, created_at: datetime) -> str:
    """The key of one life of an endpoint; its name may be used again."""
    return f"{name}#{created_at.isoformat()}"
