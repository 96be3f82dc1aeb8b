"""Handler processes that are killed in the middle of their work, by rate.

Which invocations are struck follows from the seed and their number; at which moment of its work
a process dies is drawn over the time that its function took lately, so that no point is safe.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from dataclasses import dataclass, field

from tools.embedded.kernel.environment import Environment, Job

_REMEMBERED = 20  # invocations whose time says how long the next may take
_FIRST_SECONDS = 0.2  # of the wall, while none was seen


@dataclass
class Crashes:
    """`rate`: the share of the invocations of `function` that is struck, from 0 to 1.

    A struck invocation that ends before its moment is not killed: `fired` counts those that were.
    """

    function: str
    rate: float
    seed: int
    invocations: int = 0
    struck: int = 0
    fired: int = 0
    _took: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise ValueError(f"rate: {self.rate} is not a share from 0 to 1")

    def invoke(self, environment: Environment, payload: bytes) -> Job:
        """The invocation, which its process may not survive."""
        if environment.launch.name != self.function:
            return environment.invoke(payload)
        moment = self._moment()
        began = time.monotonic()
        if moment is None:
            job = environment.invoke(payload)
            with self._lock:
                self._took.append(time.monotonic() - began)
            return job
        killer = threading.Timer(moment, environment.close)
        killer.start()
        job = environment.invoke(payload)
        killer.cancel()
        killer.join()  # what it began it ends before anybody else is given this process
        if job.error is not None and not environment.alive:
            with self._lock:
                self.fired += 1
        return job

    def _moment(self) -> float | None:
        """Seconds of the wall from its begin; None: it is left alone."""
        with self._lock:
            number, self.invocations = self.invocations, self.invocations + 1
            dice = random.Random(f"{self.seed}/{self.function}/{number}")
            if dice.random() >= self.rate:
                return None
            self.struck += 1
            return dice.random() * max(self._took, default=_FIRST_SECONDS)
