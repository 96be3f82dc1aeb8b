"""How long a dispatcher may work: what it cannot finish it hands on, rather than be cut off.

A function that is cut off reports nothing, and all ten messages of its batch come back after the
visibility timeout, those that were answered among them. A message is therefore begun only if the
longest answer still fits, and an answer that takes longer than that is not waited for.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TypeVar

from .messages import Request

# SageMaker ends a response stream after 8 minutes (`aws.clients`); then its result is stored.
LONGEST_ANSWER_SECONDS = 490.0
# For putting messages back, announcing and counting, each a call that may be tried four times.
CLOSING_SECONDS = 60.0

T = TypeVar("T")


class OutOfTimeError(RuntimeError):
    """The answer took longer than the dispatcher may work."""


@dataclass
class Shift:
    """`ends_at`: on the monotonic clock of the wall, which a limit of Lambda's goes by."""

    ends_at: float = math.inf
    _left_behind: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, seconds: float) -> Shift:
        """That ends in time to close a function which has so many seconds left."""
        return cls(time.monotonic() + seconds - CLOSING_SECONDS)

    @property
    def fits_an_answer(self) -> bool:
        return self.ends_at - time.monotonic() >= LONGEST_ANSWER_SECONDS

    def left_behind(self, request: Request) -> bool:
        """Whether its outcome is settled already: what its thread still brings comes too late."""
        return request.message.message_id in self._left_behind

    def each(
        self,
        pool: ThreadPoolExecutor,
        work: Callable[[Request], T],
        requests: Sequence[Request],
        cut: Callable[[Request], T],
    ) -> list[T]:
        """What became of each, in their order; of those that are not done in time, what `cut`
        makes of them."""
        begun: list[tuple[Request, Future[T]]] = [(one, pool.submit(work, one)) for one in requests]
        left = None if math.isinf(self.ends_at) else max(0.0, self.ends_at - time.monotonic())
        wait([future for _, future in begun], timeout=left)
        ends: list[T] = []
        for request, future in begun:
            if future.done():
                ends.append(future.result())
            else:
                self._left_behind.add(request.message.message_id)
                ends.append(cut(request))
        return ends
