"""Messages that come twice: a standard queue delivers at least once, not exactly once.

SQS keeps a message on several servers. One that does not hear of a receive or of the deletion has
a copy left, which is delivered again under a receipt handle of its own and must be deleted by it.
"""

from __future__ import annotations

import random
import threading
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Leftovers:
    """`rate`: the share of receives after which a copy is left, from 0 to below 1; it shows itself
    up to `longest_seconds` (simulated) later, half of them at once. By a seed. FIFO queues are
    spared, and queues whose name does not begin with `prefix`."""

    rate: float
    seed: int
    prefix: str = ""
    longest_seconds: float = 120.0
    receives: int = 0
    fired: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ValueError(f"rate: {self.rate} is not a share from 0 to below 1")

    def of(self, queue: Any, message: Any, now: float) -> Any | None:
        """The copy that is left of a message just before it is received; `now` in milliseconds."""
        if queue.fifo_queue or not queue.name.startswith(self.prefix):
            return None
        with self._lock:
            number, self.receives = self.receives, self.receives + 1
            dice = random.Random(f"{self.seed}/{number}")
            if dice.random() >= self.rate:
                return None
            self.fired += 1
        copy = deepcopy(message)
        copy.receipt_handle, copy._old_receipt_handles = None, []
        later = dice.random() < 0.5
        copy.visible_at = now + later * dice.random() * self.longest_seconds * 1000
        return copy
