"""Errors that a test orders, answered in place of an operation."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tools.embedded.shapes import ServiceError
from tools.embedded.types import Clock, Fault


class Faults:
    """Each fault counts down as it fires; `fired` remembers when."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []
        self.fired: list[tuple[float, Fault]] = []

    def inject(self, fault: Fault) -> None:
        if fault.times > 0:
            with self._lock:
                self._waiting.append(fault)

    def check(self, operation: str, members: Mapping[str, Any]) -> None:
        """Raises the error that waits for this call; `operation` is like sagemaker:CreateModel."""
        with self._lock:
            for index, fault in enumerate(self._waiting):
                if fault.operation == operation and _matches(fault, members):
                    left = replace(fault, times=fault.times - 1)
                    self._waiting[index : index + 1] = [left] if left.times else []
                    self.fired.append((self._clock.time(), fault))
                    raise ServiceError(fault.error_code, fault.message, fault.status)


def _matches(fault: Fault, members: Mapping[str, Any]) -> bool:
    return all(str(members.get(name)) == value for name, value in fault.matching.items())
