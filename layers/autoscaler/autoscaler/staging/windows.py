"""A file of the Hub as windows in order, read over several connections into bounded memory.

A connection that is throttled gives a quarter of what four give; so several fetch at a time, each
its own range, and the windows come out in order. Memory: of a ring that several files share, at
most two ranges more than there are connections, or two windows where these are larger.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from .hub import HubClient, Location
from .ranges import ExpiredError, RangeReader
from .retry import Retrier, TransientError
from .ring import Ring

WINDOW_BYTES = 4 * 1024 * 1024
CONNECTIONS = 4
_SPARE_WINDOWS = 2
# After this much, an earlier failure no longer counts against the attempts.
_PROGRESS_BYTES = 1024 * 1024


@dataclass(frozen=True)
class FileAt:
    """A file at a commit."""

    model_id: str
    commit: str
    path: str
    size_bytes: int


class _Slot:
    """A window while it is filled: `left` ranges of it are still under way, or to be asked for."""

    def __init__(self, index: int, memory: bytearray, size_bytes: int, range_bytes: int) -> None:
        self.index, self.memory, self.size_bytes = index, memory, size_bytes
        self.asked = 0  # bytes
        self.left = -(-size_bytes // range_bytes)
        self.readers = 0


class Windows:
    """Reads a file from `start` to its end. Iterate once; close it.

    A window is valid until the next one is asked for. Several connections fill a window, each a
    range of it, and go on to the next. Raises what the Hub's refusal means, or HubUnavailableError
    when the retry budget of a range is spent.
    """

    def __init__(
        self,
        hub: HubClient,
        file: FileAt,
        *,
        start: int = 0,
        connections: int = CONNECTIONS,
        window_bytes: int = WINDOW_BYTES,
        ring: Ring | None = None,
    ) -> None:
        self._hub, self._file, self._start = hub, file, start
        left_bytes = file.size_bytes - start
        self._window_bytes = max(1, min(window_bytes, left_bytes))
        self._range_bytes = min(self._window_bytes, WINDOW_BYTES)
        self._count = -(-left_bytes // self._window_bytes)
        connections = max(1, min(connections, -(-left_bytes // self._range_bytes)))
        ahead_bytes = (connections + _SPARE_WINDOWS) * self._range_bytes
        self._most_slots = max(2, -(-ahead_bytes // self._window_bytes))
        self._ring = ring or Ring(self._most_slots * self._window_bytes)
        self._filling: deque[_Slot] = deque()  # in order; the last one may have ranges left
        self._ready: dict[int, _Slot] = {}
        self._lent: _Slot | None = None
        self._next = 0
        self._opening = False
        self._failure: BaseException | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._address = _Address(hub, file)
        self.received_bytes = 0  # moved over the wire, repeated ones included
        self._threads = [
            threading.Thread(target=self._fetch_all, name=f"window-{n}", daemon=True)
            for n in range(connections)
        ]
        for thread in self._threads:
            thread.start()

    def __iter__(self) -> Iterator[memoryview]:
        for index in range(self._count):
            slot = self._wait_for(index)
            yield memoryview(slot.memory)[: slot.size_bytes]
            self._give_back(slot)

    def close(self) -> None:
        """Ends the connections; those that are reading end with their present receive.

        What they still write to goes back to the ring when the last of them has ended.
        """
        with self._changed:
            self._closed = True
            done = [slot for slot in self._filling if not slot.readers]
            done += [*self._ready.values(), *([self._lent] if self._lent else [])]
            self._filling = deque(slot for slot in self._filling if slot.readers)
            self._ready.clear()
            self._lent = None
            self._changed.notify_all()
        for slot in done:
            self._ring.give(slot.memory)
        self._ring.wake()

    def _length(self, index: int) -> int:
        begin = self._start + index * self._window_bytes
        return min(self._window_bytes, self._file.size_bytes - begin)

    def _wait_for(self, index: int) -> _Slot:
        with self._changed:
            self._changed.wait_for(lambda: index in self._ready or self._failure is not None)
            if index not in self._ready:
                assert self._failure is not None
                raise self._failure
            self._lent = self._ready.pop(index)
            return self._lent

    def _give_back(self, slot: _Slot) -> None:
        with self._changed:
            if self._lent is not slot:  # closed meanwhile
                return
            self._lent = None
            self._changed.notify_all()
        self._ring.give(slot.memory)

    def _fetch_all(self) -> None:
        reader = RangeReader(self._hub, self._file.path, self._file.size_bytes)
        try:
            while (taken := self._take()) is not None:
                slot, begin, end = taken
                is_whole = False
                try:
                    is_whole = self._fetch(reader, slot, begin, end)
                finally:
                    self._leave(slot, is_whole)
        except BaseException as failure:  # noqa: BLE001 - raised where the windows are read
            with self._changed:
                self._failure = self._failure or failure
                self._closed = True
                self._changed.notify_all()
            self._ring.wake()
        finally:
            reader.close()

    def _take(self) -> tuple[_Slot, int, int] | None:
        """The next range to fetch and where to; windows are begun in order, one at a time."""
        while True:
            with self._changed:
                self._changed.wait_for(self._may_go_on)
                slot = self._filling[-1] if self._filling else None
                if self._closed:
                    return None
                if slot is not None and slot.asked < slot.size_bytes:
                    begin = slot.asked
                    slot.asked = min(begin + self._range_bytes, slot.size_bytes)
                    slot.readers += 1
                    return slot, begin, slot.asked
                if self._next == self._count:
                    return None
                self._opening = True
            self._open()

    def _may_go_on(self) -> bool:
        has_range = bool(self._filling) and self._filling[-1].asked < self._filling[-1].size_bytes
        slots = len(self._filling) + len(self._ready) + (self._lent is not None)
        may_open = not self._opening and (self._next == self._count or slots < self._most_slots)
        return self._closed or has_range or may_open

    def _open(self) -> None:
        """Takes memory for the next window; without our lock, since it may take a while."""
        memory = self._ring.take(self._window_bytes, lambda: not self._closed)
        with self._changed:
            self._opening = False
            is_late = self._closed
            if memory is not None and not is_late:
                length = self._length(self._next)
                self._filling.append(_Slot(self._next, memory, length, self._range_bytes))
                self._next += 1
            self._changed.notify_all()
        if memory is not None and is_late:
            self._ring.give(memory)

    def _leave(self, slot: _Slot, is_whole: bool) -> None:
        """Counts a range that is fetched, or given up; the last one hands the window over."""
        with self._changed:
            slot.readers -= 1
            slot.left -= is_whole
            is_left_over = self._closed and not slot.readers
            if not slot.left and not self._closed:
                self._filling.remove(slot)
                self._ready[slot.index] = slot
            elif is_left_over:
                self._filling.remove(slot)
            self._changed.notify_all()
        if is_left_over:
            self._ring.give(slot.memory)

    def _fetch(self, reader: RangeReader, slot: _Slot, begin: int, end: int) -> bool:
        """Whether all of the range is there; not so when the windows were closed meanwhile."""
        view = memoryview(slot.memory)[begin:end]
        first = self._start + slot.index * self._window_bytes + begin
        retrier, position, progress = Retrier(self._hub.policy), 0, 0
        what = f"{self._file.model_id}/{self._file.path}"
        while position < len(view):
            location = None
            try:
                location = self._address.get()
                count = reader.read(location, first + position, view[position:])
            except TransientError as trouble:
                if isinstance(trouble, ExpiredError):
                    self._address.expired(location)
                retrier.wait(trouble, what)
                continue
            position += count
            progress += count
            with self._changed:
                self.received_bytes += count
                if self._closed and position < len(view):
                    return False
            if position < len(view):
                if progress >= _PROGRESS_BYTES:
                    retrier.progressed()
                    progress = 0
                retrier.wait(TransientError(f"cut off after {position} bytes"), what)
        return True


class _Address:
    """Where a file lies: resolved once for all connections, and again when it expires."""

    def __init__(self, hub: HubClient, file: FileAt) -> None:
        self._hub, self._file = hub, file
        self._lock = threading.Lock()
        self._location: Location | None = None

    def get(self) -> Location:
        """Raises TransientError, or what the Hub's refusal means."""
        with self._lock:
            if self._location is None:
                self._location = self._hub.locate(
                    self._file.model_id, self._file.commit, self._file.path
                )
            return self._location

    def expired(self, location: Location | None) -> None:
        with self._lock:
            if location == self._location:
                self._location = None
