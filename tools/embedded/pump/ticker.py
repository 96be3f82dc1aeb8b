"""What happens at fixed simulated times: service metrics each minute, alarms every ten seconds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from tools.embedded.pump.signals import Signal, wall_seconds_until
from tools.embedded.types import Clock

log = logging.getLogger(__name__)

TICK = 10.0
MINUTE = 60.0
# At 120 times the wall's speed a hiccup of 0.1 s is more than a tick: what was missed is made up
# for, each tick at its own time. Of a deliberate jump only the last ten minutes are.
MOST_MISSED = 60


class Ticker:
    """Calls `every_minute(minute that ended)` and then `every_tick(now)`.

    Ticks that were missed are made up for, up to MOST_MISSED of them.
    """

    def __init__(
        self,
        clock: Clock,
        every_minute: Callable[[float], None],
        every_tick: Callable[[float], None],
    ) -> None:
        self._clock = clock
        self._every_minute = every_minute
        self._every_tick = every_tick
        self._last = int(clock.time() // TICK)
        self._signal = Signal()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._signal.raise_()
        self._thread.join(0.5)

    @property
    def done(self) -> float:
        """The moment of the last tick that was carried out."""
        return self._last * TICK

    def _run(self) -> None:
        self._last = int(self._clock.time() // TICK)
        while not self._stop.is_set():
            present = int(self._clock.time() // TICK)
            for tick in range(max(self._last + 1, present - MOST_MISSED + 1), present + 1):
                self._tick(tick * TICK)
            self._last = present
            due = (self._last + 1) * TICK
            self._signal.wait(self._signal.count, wall_seconds_until(self._clock, due))

    def _tick(self, moment: float) -> None:
        if self._stop.is_set():
            return
        if moment % MINUTE == 0:
            self._guarded(self._every_minute, moment - MINUTE)
        self._guarded(self._every_tick, moment)

    @staticmethod
    def _guarded(action: Callable[[float], None], moment: float) -> None:
        try:
            action(moment)
        except Exception:  # the next tick must come whatever this one met
            log.exception("a tick failed")
