"""Which commands a stack carries out that only observes."""

from __future__ import annotations

from ..control.world import ObserveError
from ..endpoints.mode import Mode

# They change nothing in SageMaker: what they store is read by decisions alone. `apply` looks itself
# at what a file would change.
_CARRIED_OUT = frozenset({"plan", "apply", "get", "budget", "budget_set", "release", "start"})


def refuse_while_observing(mode: Mode, command: str, endpoint: str, stack_deleted: bool) -> None:
    """Raises ObserveError for a command that would change what exists."""
    if mode is Mode.ACT or command in _CARRIED_OUT or stack_deleted:
        return
    raise ObserveError(f"{command.replace('_', '-')} {endpoint}".rstrip())
