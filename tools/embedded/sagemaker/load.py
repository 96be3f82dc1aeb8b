"""The work of one copy: requests in its slots and those that wait for one.

How long a request takes is known when it comes, so that its start and end are too: no thread hands
a slot over, and what was busy when can be computed exactly, whatever the speed of the clock.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field


@dataclass(eq=False)
class Request:
    """Times in simulated epoch seconds; `cut` is when its copy went away under it."""

    arrived: float
    start: float
    finish: float
    cut: float | None = None


@dataclass
class Load:
    """`slots` requests at once, `longest_queue` more that wait."""

    slots: int
    longest_queue: int
    requests: list[Request] = field(default_factory=list)
    _free: list[float] = field(default_factory=list)

    def admit(self, now: float, seconds: float) -> Request | None:
        """None when the queue is full."""
        if sum(request.start > now for request in self.requests) >= self.longest_queue:
            return None
        if len(self._free) < self.slots:
            start = now
            heapq.heappush(self._free, start + seconds)
        else:
            start = max(now, self._free[0])
            heapq.heapreplace(self._free, start + seconds)
        request = Request(now, start, start + seconds)
        self.requests.append(request)
        return request

    def outstanding(self, now: float) -> int:
        return sum(request.finish > now for request in self.requests)

    def last_finish(self, now: float) -> float:
        return max((request.finish for request in self.requests), default=now)

    def busy_seconds(self, start: float, end: float) -> float:
        """Request-seconds between two moments, waiting included."""
        return sum(
            max(0.0, min(request.finish, end) - max(request.arrived, start))
            for request in self.requests
        )

    def forget_before(self, moment: float) -> None:
        self.requests = [request for request in self.requests if request.finish > moment]

    def cut(self, now: float) -> None:
        """The copy is gone: whatever was not answered ends here."""
        for request in self.requests:
            if request.finish > now:
                request.cut = request.finish = now
