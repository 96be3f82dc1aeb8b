"""The life of an endpoint: one table of allowed transitions."""

from __future__ import annotations

from ..policy.types import Phase

_FAILED = {Phase.FAILED}
_RETIRING = {Phase.RETIRING}

TRANSITIONS: dict[Phase, frozenset[Phase]] = {
    Phase.STAGING: frozenset({Phase.CREATING} | _FAILED | _RETIRING),
    # STAGING: it found no capacity, and is tried again on the next rung.
    Phase.CREATING: frozenset({Phase.AWAKE, Phase.STAGING} | _FAILED | _RETIRING),
    # SLEEPING: somebody else put copies there, and they must go.
    # FAILED, of all that rest or move: somebody else deleted it.
    Phase.ASLEEP: frozenset({Phase.WAKING, Phase.SLEEPING, Phase.UPDATING} | _FAILED | _RETIRING),
    Phase.WAKING: frozenset({Phase.AWAKE, Phase.SLEEPING} | _FAILED | _RETIRING),
    Phase.AWAKE: frozenset({Phase.SLEEPING, Phase.WAKING, Phase.UPDATING} | _FAILED | _RETIRING),
    Phase.SLEEPING: frozenset({Phase.ASLEEP, Phase.WAKING} | _FAILED | _RETIRING),
    # SLEEPING: it has left no copy in service.
    Phase.UPDATING: frozenset({Phase.AWAKE, Phase.ASLEEP, Phase.SLEEPING} | _FAILED | _RETIRING),
    Phase.RETIRING: frozenset({Phase.RETIRED}),
    Phase.RETIRED: frozenset({Phase.STAGING}),
    Phase.FAILED: frozenset({Phase.STAGING} | _RETIRING),
}

# In observe mode nobody asks for a transition: the record follows what is seen.
_SEEN = frozenset({Phase.AWAKE, Phase.ASLEEP})
FOLLOWED: dict[Phase, frozenset[Phase]] = {
    Phase.AWAKE: frozenset({Phase.ASLEEP}),
    Phase.ASLEEP: frozenset({Phase.AWAKE}),
    Phase.WAKING: _SEEN,
    Phase.SLEEPING: _SEEN,
    Phase.UPDATING: _SEEN,
}

# Phases in which a state machine execution is at work; every tick makes sure that one is.
IN_TRANSITION = frozenset(
    {Phase.STAGING, Phase.CREATING, Phase.WAKING, Phase.SLEEPING, Phase.UPDATING, Phase.RETIRING}
)


class PhaseError(RuntimeError):
    """A transition that the table does not allow."""


def check_transition(current: Phase, wanted: Phase) -> None:
    """Raises PhaseError unless `current` may become `wanted` (or already is it)."""
    if wanted != current and wanted not in TRANSITIONS[current]:
        raise PhaseError(f"an endpoint that is {current} cannot become {wanted}")
