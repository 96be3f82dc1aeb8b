"""Time that passes only when somebody moves it, for the layer, moto and the simulated services."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from tools.embedded.kernel import moto_time
from tools.embedded.pump.patches import Patches

_wall = time.time


class StillClock:
    """tools.embedded.types.Clock."""

    speed = 1.0

    def __init__(self, start: datetime) -> None:
        self._now = start.timestamp()

    def time(self) -> float:
        return self._now

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._now, tz=UTC)

    def move_to(self, moment: float) -> None:
        self._now = max(self._now, moment)

    def sleep(self, seconds: float, stop: threading.Event | None = None) -> bool:
        """Who works for a while moves the clock: an answer takes its time."""
        self._now += max(0.0, seconds)
        return stop is not None and stop.is_set()


class _Wall(StillClock):
    """What moto's modules are given back to."""

    def __init__(self) -> None:
        super().__init__(datetime.now(UTC))

    def time(self) -> float:
        return _wall()

    def now(self) -> datetime:
        return datetime.now(UTC)


@contextmanager
def standing_still(clock: StillClock) -> Iterator[None]:
    """`time.time` and moto's present are the clock's."""
    moto_time.install(clock)
    patches = Patches()
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.") and module is not None:
            patches.set_time(module, clock)
    time.time = clock.time
    try:
        yield
    finally:
        time.time = _wall
        patches.restore()
        moto_time.install(_Wall())
