"""Functions that go their rounds beside the control loop."""

from __future__ import annotations

from .base import Event, Severity


class RoundFailed(Event):
    """A scheduled function failed, and so did Lambda's two other tries. `function`: without the
    stack's name."""

    salient = ("function",)

    endpoint: str = ""
    generation: int = 0
    function: str
    failure: str

    @property
    def severity(self) -> Severity:
        return Severity.WARNING
