"""Faults that a test has ordered, until they fire."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from tools.embedded.types import Clock, Fault


class ArmedFaults:
    """Counts down each fault as it fires; `fired` remembers when."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []
        self.fired: list[tuple[float, Fault]] = []

    @property
    def armed(self) -> bool:
        return bool(self._waiting)

    def inject(self, fault: Fault) -> None:
        if fault.times > 0:
            with self._lock:
                self._waiting.append(fault)

    def disarm(self) -> None:
        """What has not fired never will."""
        with self._lock:
            self._waiting.clear()

    def take(self, operation: str, matches: Callable[[Fault], bool]) -> Fault | None:
        """The first that waits for this call, fired; `operation` is like sagemaker:CreateModel."""
        with self._lock:
            for index, fault in enumerate(self._waiting):
                if fault.operation == operation and matches(fault):
                    left = replace(fault, times=fault.times - 1)
                    self._waiting[index : index + 1] = [left] if left.times else []
                    self.fired.append((self._clock.time(), fault))
                    return fault
        return None
