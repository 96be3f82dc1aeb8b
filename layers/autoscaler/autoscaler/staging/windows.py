"""A file of the Hub as windows in order, read over several connections into bounded memory.

A connection that is throttled gives a quarter of what four give; so several fetch at a time, each
its own window of a ring, and the windows come out in order. Memory: one window for each
connection and two more.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from .hub import HubClient, Location
from .ranges import ExpiredError, RangeReader
from .retry import Retrier, TransientError

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


class Windows:
    """Reads a file from `start` to its end. Iterate once; close it.

    A window is valid until the next one is asked for. Raises what the Hub's refusal means, or
    HubUnavailableError when the retry budget of a window is spent.
    """

    def __init__(
        self,
        hub: HubClient,
        file: FileAt,
        *,
        start: int = 0,
        connections: int = CONNECTIONS,
        window_bytes: int = WINDOW_BYTES,
    ) -> None:
        self._hub, self._file, self._start = hub, file, start
        self._window_bytes = max(1, min(window_bytes, file.size_bytes - start))
        self._count = -(-(file.size_bytes - start) // self._window_bytes)
        connections = max(1, min(connections, self._count))
        slots = min(connections + _SPARE_WINDOWS, self._count)
        self._free = deque(bytearray(self._window_bytes) for _ in range(slots))
        self._ready: dict[int, bytearray] = {}
        self._next = 0
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
            yield memoryview(slot)[: self._length(index)]
            with self._changed:
                self._free.append(slot)
                self._changed.notify_all()

    def close(self) -> None:
        """Ends the connections; those that are reading end with their present receive."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _length(self, index: int) -> int:
        begin = self._start + index * self._window_bytes
        return min(self._window_bytes, self._file.size_bytes - begin)

    def _wait_for(self, index: int) -> bytearray:
        with self._changed:
            self._changed.wait_for(lambda: index in self._ready or self._failure is not None)
            if index not in self._ready:
                assert self._failure is not None
                raise self._failure
            return self._ready.pop(index)

    def _fetch_all(self) -> None:
        reader = RangeReader(self._hub, self._file.path, self._file.size_bytes)
        try:
            while (taken := self._take()) is not None:
                index, slot = taken
                self._fetch(reader, index, slot)
                with self._changed:
                    self._ready[index] = slot
                    self._changed.notify_all()
        except BaseException as failure:  # noqa: BLE001 - raised where the windows are read
            with self._changed:
                self._failure = self._failure or failure
                self._closed = True
                self._changed.notify_all()
        finally:
            reader.close()

    def _take(self) -> tuple[int, bytearray] | None:
        """The next window to fetch and where to; a slot first, so that the order cannot lock."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or self._next == self._count or bool(self._free)
            )
            if self._closed or self._next == self._count:
                return None
            index, self._next = self._next, self._next + 1
            return index, self._free.popleft()

    def _fetch(self, reader: RangeReader, index: int, slot: bytearray) -> None:
        view = memoryview(slot)[: self._length(index)]
        begin = self._start + index * self._window_bytes
        retrier, position, progress = Retrier(self._hub.policy), 0, 0
        what = f"{self._file.model_id}/{self._file.path}"
        while position < len(view):
            location = None
            try:
                location = self._address.get()
                count = reader.read(location, begin + position, view[position:])
            except TransientError as trouble:
                if isinstance(trouble, ExpiredError):
                    self._address.expired(location)
                retrier.wait(trouble, what)
                continue
            position += count
            progress += count
            with self._changed:
                self.received_bytes += count
                if self._closed:
                    return
            if position < len(view):
                if progress >= _PROGRESS_BYTES:
                    retrier.progressed()
                    progress = 0
                retrier.wait(TransientError(f"cut off after {position} bytes"), what)


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
