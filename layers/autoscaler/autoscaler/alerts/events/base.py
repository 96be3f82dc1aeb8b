"""What every event has in common.

`severity` decides the colour, `told` whether people hear of it, `salient` with `repeat_seconds`
when a second one says nothing new, `grouped` whether many of them may be one message.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(ge=0)]
HOUR = 3_600  # seconds
DAY = 86_400


class Severity(StrEnum):
    """How soon a person should look."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Event(BaseModel):
    """One announcement about one endpoint; an empty endpoint means the whole stack."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="ignore")

    told: ClassVar[bool] = True
    grouped: ClassVar[bool] = True  # with others of its kind, when many come at once
    salient: ClassVar[tuple[str, ...]] = ("generation",)
    repeat_seconds: ClassVar[int] = DAY

    endpoint: str
    generation: int
    at: AwareDatetime
    team: str = ""  # whose endpoint; empty: `notify` looks it up
    stopped: str = ""  # the kill switch while it is on: since when, by whom and why
    # Holds and the other overrides of the endpoint: sentences that begin after its name. They are
    # filled in, as `stopped` is, when it is announced (control/in_context.py).
    in_force: tuple[str, ...] = ()

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
