"""What CloudWatch would tell of the requests that a simulated endpoint has answered."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

_MINUTE_SECONDS = 60.0
# As `aws.load` reads them: minutes of the last three, the last of which is not told yet.
_LOOK_BACK_SECONDS = 180.0


class Served:
    """Counts answers by the minute, from their number at the full minutes."""

    def __init__(self) -> None:
        self._minutes: deque[tuple[float, int]] = deque([(0.0, 0)], maxlen=5)  # (its end, until it)

    def note(self, answered: int, now: float) -> None:
        """So many were answered until now, since the beginning; kept at full minutes only."""
        if now % _MINUTE_SECONDS == 0 and now > self._minutes[-1][0]:
            self._minutes.append((now, answered))

    def busiest(self, now: float) -> float:
        """Requests a second in the busiest of the minutes that are told."""
        known = [
            (after - before) / _MINUTE_SECONDS
            for (began, before), (ended, after) in pairwise(self._minutes)
            if began >= now - _LOOK_BACK_SECONDS and ended <= now - _MINUTE_SECONDS
        ]
        return max(known, default=0.0)
