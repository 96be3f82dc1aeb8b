"""One clock for the account and every process that it starts; may run faster than the wall.

The state lies in a small file that all processes map: wall anchor, simulated anchor, speed. A
change of speed or a jump is seen at once everywhere. A sequence number guards against torn reads.
"""

from __future__ import annotations

import mmap
import struct
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

_STATE = struct.Struct("=Qddd")  # sequence (odd while written), wall, simulated, speed
_LONGEST_NAP = 0.05  # wall seconds after which a sleeper looks for a jump or another speed
_wall = time.time


class AccountClock:
    """types.Clock over a mapped file."""

    def __init__(self, path: Path, start: datetime | None = None, speed: float = 1.0) -> None:
        fresh = start is not None
        if fresh:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_STATE.pack(0, _wall(), start.timestamp(), speed))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _STATE.size)
        self._lock = threading.Lock()
        self.path = path

    @classmethod
    def attach(cls, path: Path) -> AccountClock:
        """The clock of an account that runs in another process."""
        return cls(path)

    @property
    def speed(self) -> float:
        return self._read()[2]

    def time(self) -> float:
        wall, simulated, speed = self._read()
        return simulated + (_wall() - wall) * speed

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time(), tz=UTC)

    def set_speed(self, speed: float) -> None:
        """Simulated seconds per wall second, from now on; must be above 0."""
        if not speed > 0:
            raise ValueError(f"speed {speed!r} must be above 0")
        with self._lock:
            self._write(self.time(), speed)

    def jump(self, seconds: float) -> None:
        """Moves the clock forward at once."""
        if seconds < 0:
            raise ValueError("time does not run backwards")
        with self._lock:
            self._write(self.time() + seconds, self.speed)

    def sleep(self, seconds: float, stop: threading.Event | None = None) -> bool:
        end = self.time() + seconds
        stop = stop or threading.Event()
        while (left := end - self.time()) > 0:
            if stop.wait(min(left / self.speed, _LONGEST_NAP)):
                return True
        return stop.is_set()

    def _read(self) -> tuple[float, float, float]:
        while True:
            before, wall, simulated, speed = _STATE.unpack(self._map[: _STATE.size])
            (after,) = struct.unpack("=Q", self._map[:8])
            if before == after and before % 2 == 0:
                return wall, simulated, speed

    def _write(self, simulated: float, speed: float) -> None:
        (sequence,) = struct.unpack("=Q", self._map[:8])
        self._map[:8] = struct.pack("=Q", sequence + 1)
        self._map[8 : _STATE.size] = struct.pack("=ddd", _wall(), simulated, speed)
        self._map[:8] = struct.pack("=Q", sequence + 2)


def install(path: Path) -> AccountClock:
    """Makes time.time() of this process the account's; datetime.now() stays the machine's."""
    clock = AccountClock.attach(path)
    time.time = clock.time
    time.time_ns = lambda: int(clock.time() * 1e9)
    return clock
