"""Memory that all files of a process share: so much at a time, whoever is under way."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

# With the interpreter and its libraries some 150 MB resident.
RING_BYTES = 80 * 1024 * 1024


class Ring:
    """Lends pieces of memory, first come, first served, and never more than `limit_bytes` at once;
    a piece beyond that is lent when nothing else is.

    A piece that comes back is lent again: touching fresh memory costs as much as a copy. Who waits
    holds nothing that another waits for, as long as every holder can go on with what it has.
    """

    def __init__(self, limit_bytes: int = RING_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        self._idle: list[bytearray] = []
        self._lent_bytes = 0

    def take(self, size_bytes: int, is_wanted: Callable[[], bool]) -> bytearray | None:
        """Waits for its turn; None when it is not wanted any more (after `wake`)."""
        turn = object()
        with self._changed:
            self._queue.append(turn)
            self._changed.wait_for(
                lambda: not is_wanted() or (self._queue[0] is turn and self._fits(size_bytes))
            )
            self._queue.remove(turn)
            self._changed.notify_all()
            if not is_wanted():
                return None
            self._lent_bytes += size_bytes
            return self._piece(size_bytes)

    def give(self, piece: bytearray) -> None:
        """Takes a piece back; nobody may write to it any more."""
        with self._changed:
            self._lent_bytes -= len(piece)
            self._idle.append(piece)
            self._changed.notify_all()

    def wake(self) -> None:
        """Lets everybody who waits look whether it is still wanted."""
        with self._changed:
            self._changed.notify_all()

    def _fits(self, size_bytes: int) -> bool:
        return not self._lent_bytes or self._lent_bytes + size_bytes <= self._limit_bytes

    def _piece(self, size_bytes: int) -> bytearray:
        for number, piece in enumerate(self._idle):
            if len(piece) == size_bytes:
                return self._idle.pop(number)
        while self._idle and self._held_bytes() + size_bytes > self._limit_bytes:
            self._idle.pop()
        return bytearray(size_bytes)

    def _held_bytes(self) -> int:
        return self._lent_bytes + sum(map(len, self._idle))
