"""The policy: a pure function from spec, observation, history and now to a decision."""

from .decide import decide
from .economy import DEFAULT_LEAD_TIME, lead_time
from .keep_alive import LONGEST_STAY
from .learning import learn
from .pattern import Pattern
from .schedule import WindowBounds, bounds_at, edges_between, next_edge
from .stabilization import remember
from .types import (
    Bounds,
    Decision,
    Episode,
    History,
    Hold,
    Observation,
    Override,
    OverrideKind,
    Phase,
    Reason,
    ReasonCode,
    Recommendation,
    StackLimit,
    StackWakes,
    Stop,
    Transition,
)

__all__ = [
    "DEFAULT_LEAD_TIME",
    "LONGEST_STAY",
    "Bounds",
    "Decision",
    "Episode",
    "History",
    "Hold",
    "Observation",
    "Override",
    "OverrideKind",
    "Pattern",
    "Phase",
    "Reason",
    "ReasonCode",
    "Recommendation",
    "StackLimit",
    "StackWakes",
    "Stop",
    "Transition",
    "WindowBounds",
    "bounds_at",
    "decide",
    "edges_between",
    "lead_time",
    "learn",
    "next_edge",
    "remember",
]
