"""The policy: a pure function from spec, observation, history and now to a decision."""

from .decide import decide
from .foresight import DEFAULT_LEAD_TIME, lead_time
from .schedule import WindowBounds, bounds_at, edges_between, next_edge
from .stabilization import remember
from .types import (
    Bounds,
    Decision,
    History,
    Hold,
    Observation,
    Phase,
    Reason,
    ReasonCode,
    Recommendation,
    Transition,
)

__all__ = [
    "DEFAULT_LEAD_TIME",
    "Bounds",
    "Decision",
    "History",
    "Hold",
    "Observation",
    "Phase",
    "Reason",
    "ReasonCode",
    "Recommendation",
    "Transition",
    "WindowBounds",
    "bounds_at",
    "decide",
    "edges_between",
    "lead_time",
    "next_edge",
    "remember",
]
