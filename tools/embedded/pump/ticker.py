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


class Ticker:
    """Calls `every_minute(minute that ended)` and then `every_tick(now)`.

    After a jump of the clock both are called once, for the present.
    """

    def __init__(
        self, clock: Clock, every_minute: Callable[[float], None],
        every_tick: Callable[[float], None],
    ) -> None:
        self._clock = clock
        self._every_minute = every_minute
        self._every_tick = every_tick
        self._signal = Signal()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._signal.raise_()
        self._thread.join(0.5)

    def _run(self) -> None:
        minute = self._clock.time() // MINUTE
        tick = self._clock.time() // TICK
        while not self._stop.is_set():
            now = self._clock.time()
            if now // MINUTE != minute:
                minute = now // MINUTE
                self._guarded(self._every_minute, (minute - 1) * MINUTE)
            if now // TICK != tick:
                tick = now // TICK
                self._guarded(self._every_tick, now)
            due = (tick + 1) * TICK
            self._signal.wait(self._signal.count, wall_seconds_until(self._clock, due))

    @staticmethod
    def _guarded(action: Callable[[float], None], moment: float) -> None:
        try:
            action(moment)
        except Exception:  # the next tick must come whatever this one met
            log.exception("a tick failed")
