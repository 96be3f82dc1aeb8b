"""Functions that go their rounds beside the control loop."""

from __future__ import annotations

from .base import Event, Severity


class RoundFailed(Event):
    """A scheduled function failed in all of Lambda's `tries`; 0: it was not even run. `function`:
    without the stack's name; `period` and `closed`: the report that is missing."""

    grouped = False  # each is about another function
    salient = ("function", "period", "closed", "day")

    endpoint: str = ""
    generation: int = 0
    function: str
    failure: str
    tries: int = 0
    period: str = ""
    closed: bool = False

    @property
    def day(self) -> str:
        return f"{self.at:%Y-%m-%d}"

    @property
    def severity(self) -> Severity:
        return Severity.WARNING
