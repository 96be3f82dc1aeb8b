"""What happens next, in order of simulated time, however late somebody looks.

The clock may run fast or jump by hours: `run_until` carries out every entry at its own time, so
that the state at any moment is what it would have been had somebody watched all the while.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable


class Agenda:
    """Not thread-safe: the world's lock guards it."""

    def __init__(self, start: float) -> None:
        self.now = start
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def at(self, moment: float, action: Callable[[], None]) -> None:
        """Entries of one moment happen in the order in which they were made."""
        heapq.heappush(self._heap, (max(moment, self.now), next(self._numbers), action))

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        self.at(self.now + seconds, action)

    def every(self, seconds: float, action: Callable[[], None]) -> None:
        """Forever, for the first time one period from now."""

        def act() -> None:
            self.after(seconds, act)
            action()

        self.after(seconds, act)

    def run_until(self, moment: float) -> None:
        while self._heap and self._heap[0][0] <= moment:
            self.now, _, action = heapq.heappop(self._heap)
            action()
        self.now = max(self.now, moment)
