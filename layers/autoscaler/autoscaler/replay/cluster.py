"""Copies, their slots and the one queue before them: who is served when, and what it bills.

Requests are served first come, first served. A copy has as many slots as it works on at a time;
the slots of all copies that serve lie in one heap by the time at which they are free next
(Kiefer and Wolfowitz's workload vector), so that a request costs one heap operation.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush, heapreplace
from itertools import pairwise

from .trace import Trace
from .world import World

NEVER = float("inf")


@dataclass
class Copy:
    """One copy. Times in seconds from the start of the trace."""

    number: int
    asked_at: float
    ready_at: float
    served: bool = False
    over_at: float = NEVER  # told to go
    gone_at: float = NEVER  # drained and released: billed until here


@dataclass
class Cluster:
    """The state of one run. `advance` moves the requests, `scale` the copies."""

    trace: Trace
    world: World
    release_seconds: float
    refuses_at_zero: bool = False  # a request that finds no copy fails (SageMaker) or waits (SQS)
    retry_seconds: float | None = None  # the caller of a failed request tries again so often
    now: float = 0.0
    copies: dict[int, Copy] = field(default_factory=dict)  # asked for and not told to go
    gone: list[Copy] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)  # of every request that was started
    lost: int = 0
    failures: int = 0  # answers "no capacity", retries included
    starts: int = 0
    _slots: list[tuple[float, int]] = field(default_factory=list)
    _added: int = 0
    _head: int = 0  # the next request that was not looked at
    _again: list[tuple[float, float, float]] = field(
        default_factory=list
    )  # retry, arrival, service
    _dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._dice = self.world.dice()
        for _ in range(self.world.initial_copies):
            self._add(0.0, 0.0)
        self._take_up()

    # --- what a controller can see

    @property
    def desired_copies(self) -> int:
        return len(self.copies)

    @property
    def serving_copies(self) -> int:
        return sum(copy.served for copy in self.copies.values())

    @property
    def arrived(self) -> int:
        """Requests that came until now."""
        return bisect_right(self.trace.arrivals, self.now)

    @property
    def waiting(self) -> int:
        """Requests that came and were not started; in SageMaker's case, that will be retried."""
        return max(0, self.arrived - self._head) + len(self._again)

    @property
    def longest_wait(self) -> float:
        """Seconds that the oldest request without a slot waits by now; 0 if none does."""
        return max(0.0, self.now - self.next_arrival())

    @property
    def in_flight(self) -> int:
        """Requests that a copy works on now."""
        now = self.now
        return sum(free > now for free, _ in self._slots)

    def mean_service(self) -> float | None:
        """Seconds of the last hundred requests that were started; None before the first."""
        recent = self.trace.services[max(0, self._head - 100) : self._head]
        return sum(recent) / len(recent) if recent else None

    def next_ready(self) -> float:
        return min((c.ready_at for c in self.copies.values() if not c.served), default=NEVER)

    def next_arrival(self) -> float:
        return self.trace.arrivals[self._head] if self._head < len(self.trace) else NEVER

    @property
    def exhausted(self) -> bool:
        """Every request was started, or lost."""
        return self._head >= len(self.trace) and not self._again

    def busy_until(self) -> float:
        return max((free for free, _ in self._slots), default=self.now)

    # --- time

    def advance(self, until: float) -> None:
        """Starts what can be started before `until`, then takes up the copies that are ready."""
        if not self._slots and self.refuses_at_zero:
            self._refuse(until)
        elif self._again:
            self._serve_retries(until)
        elif self._slots:
            self._serve(until)
        self.now = until
        self._take_up()

    def _serve(self, until: float) -> None:
        arrivals, services, slots, waits = (
            self.trace.arrivals, self.trace.services, self._slots, self.waits,
        )  # fmt: skip
        head, count = self._head, len(self.trace)
        while head < count:
            arrival = arrivals[head]
            free, number = slots[0]
            start = arrival if arrival > free else free
            if start >= until:
                break
            heapreplace(slots, (start + services[head], number))
            waits.append(start - arrival)
            head += 1
        self._head = head

    def _refuse(self, until: float) -> None:
        """No copy serves: requests fail, and their callers try again or do not."""
        arrivals = self.trace.arrivals
        while self._head < len(self.trace) and arrivals[self._head] < until:
            arrival, service = arrivals[self._head], self.trace.services[self._head]
            self._head += 1
            self.failures += 1
            if self.retry_seconds is None:
                self.lost += 1
            else:
                heappush(self._again, (arrival + self.retry_seconds, arrival, service))
        while self._again and self._again[0][0] < until and self.retry_seconds is not None:
            at, arrival, service = heappop(self._again)
            self.failures += 1
            heappush(self._again, (at + self.retry_seconds, arrival, service))

    def _serve_retries(self, until: float) -> None:
        """As `_serve`, with those that come again mixed in."""
        while True:
            fresh = self.next_arrival()
            retried = self._again[0][0] if self._again else NEVER
            at = min(fresh, retried)
            if at == NEVER or not self._slots:
                return
            free, number = self._slots[0]
            start = max(at, free, self.now)
            if start >= until:
                return
            if retried <= fresh:
                _, arrival, service = heappop(self._again)
            else:
                arrival, service = fresh, self.trace.services[self._head]
                self._head += 1
            heapreplace(self._slots, (start + service, number))
            self.waits.append(start - arrival)

    # --- copies

    def scale(self, copies: int) -> None:
        """Asks for so many copies from now on; those that still start go first."""
        while len(self.copies) < copies:
            self._add(self.now, self.now + self.world.draw_lead(self._dice))
            self.starts += 1
        while len(self.copies) > copies:
            self._remove(self._last_to_keep())

    def _add(self, asked_at: float, ready_at: float) -> None:
        self._added += 1
        self.copies[self._added] = Copy(self._added, asked_at, ready_at)

    def _take_up(self) -> None:
        for copy in self.copies.values():
            if not copy.served and copy.ready_at <= self.now:
                copy.served = True
                for _ in range(self.world.concurrency_per_copy):
                    heappush(self._slots, (copy.ready_at, copy.number))

    def _last_to_keep(self) -> Copy:
        """The one that is ready last, or that has least left to do."""
        drained = self._drained()
        return max(
            self.copies.values(),
            key=lambda c: (not c.served, c.ready_at if not c.served else -drained[c.number]),
        )

    def _drained(self) -> dict[int, float]:
        ends = dict.fromkeys(self.copies, self.now)
        for free, number in self._slots:
            ends[number] = max(ends.get(number, free), free)
        return ends

    def _remove(self, copy: Copy) -> None:
        busy_until = self._drained()[copy.number]
        self._slots = sorted(slot for slot in self._slots if slot[1] != copy.number)
        del self.copies[copy.number]
        copy.over_at = self.now
        copy.gone_at = max(self.now, busy_until) + self.release_seconds
        self.gone.append(copy)

    # --- money

    def all_copies(self) -> Iterator[Copy]:
        yield from self.gone
        yield from self.copies.values()

    def billed_seconds(self, end: float) -> float:
        """Copy-seconds from asking until gone, start-up by its billed share; nothing after `end`
        but what a release that has begun still takes. Room for a copy that nobody asked for, on an
        instance that is there for another one, is billed too."""
        moves: list[tuple[float, int]] = []
        for copy in self.all_copies():
            gone = copy.gone_at if copy.gone_at < NEVER else end
            started = min(copy.ready_at, gone) - copy.asked_at
            moves += [
                (copy.asked_at + (1 - self.world.startup_billed) * started, 1),
                (gone, -1),
            ]
        moves.sort()
        billed, there, fits = 0.0, 0, self.world.copies_per_instance
        for (at, change), (after, _) in pairwise(moves):
            there += change
            billed += -(-there // fits) * fits * (after - at)
        return billed
