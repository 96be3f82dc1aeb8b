"""Wakes sleeping threads the moment something in the account changed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tools.embedded.types import Clock

# A clock that is moved forward tells nobody: this is how late a sleeper may notice.
LONGEST_WALL_WAIT = 0.1


class Signal:
    """A counter that sleepers watch; a raise between a look and the wait is never missed."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0

    @property
    def count(self) -> int:
        return self._count

    def raise_(self) -> None:
        with self._condition:
            self._count += 1
            self._condition.notify_all()

    def wait(self, seen: int, wall_seconds: float = LONGEST_WALL_WAIT) -> bool:
        """Waits until the count differs from `seen`; True when it does."""
        with self._condition:
            return self._condition.wait_for(lambda: self._count != seen, max(0.0, wall_seconds))


def raising(signal: Signal, original: Callable[..., Any]) -> Callable[..., Any]:
    """A change of the account that raises the signal when it is over, however it ends."""

    def change(*args: Any, **kwargs: Any) -> Any:
        try:
            return original(*args, **kwargs)
        finally:
            signal.raise_()

    return change


def wall_seconds_until(
    clock: Clock, due: float | None, longest: float = LONGEST_WALL_WAIT
) -> float:
    """Wall seconds to wait for a simulated moment; never longer than `longest`."""
    if due is None:
        return longest
    return min(longest, max(0.0, (due - clock.time()) / max(clock.speed, 1e-6)) + 0.0005)
