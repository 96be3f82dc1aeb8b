"""What happened to a component or variant since its last publication."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field


@dataclass
class Count:
    """Of one period."""

    invocations: int = 0
    no_capacity: int = 0
    client_errors: int = 0
    model_errors: int = 0
    latencies: list[float] = field(default_factory=list)  # microseconds


class Counts:
    """Guarded by the world's lock. Keys are component names (hidden ones have a slash)."""

    def __init__(self) -> None:
        self.total = 0  # requests that ever reached a copy
        self._counts: dict[str, Count] = defaultdict(Count)

    def of(self, component: str) -> Count:
        return self._counts[component]

    def take(self) -> dict[str, Count]:
        """What was counted, which is then forgotten."""
        taken, self._counts = self._counts, defaultdict(Count)
        return taken
