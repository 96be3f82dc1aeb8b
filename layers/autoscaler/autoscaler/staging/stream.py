"""A file of the Hub as a stream that survives trouble: every byte once, in order, from memory."""

from __future__ import annotations

import re
import time

from .errors import HubError, IntegrityError
from .http import READ_BYTES, Reply
from .hub import HubClient
from .hub_files import HubFile, verify_small
from .retry import Retrier, TransientError

# After this much, an earlier failure no longer counts against the attempts.
_PROGRESS_BYTES = 1024 * 1024
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class HubStream:
    """Reads `size_bytes` of one file; after a failure goes on from the byte it had reached."""

    def __init__(
        self, hub: HubClient, model_id: str, commit: str, path: str, size_bytes: int
    ) -> None:
        self._hub, self._model_id, self._commit, self._path = hub, model_id, commit, path
        self._size_bytes = size_bytes
        self._retrier = Retrier(hub.policy)
        self._reply: Reply | None = None
        self._position = 0
        self._progress_from = 0
        self._left_at = time.monotonic()
        self.received_bytes = 0  # moved over the wire, repeated ones included

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, b"" only at the end; -1 for all that is left.

        Raises HubUnavailableError when the budget is spent.
        """
        if size < 0:
            return b"".join(iter(lambda: self.read(READ_BYTES), b""))
        while True:
            try:
                return self._read_once(size)
            except TransientError as trouble:
                self.close()
                self._retrier.wait(trouble, f"{self._model_id}/{self._path}")

    def close(self) -> None:
        if self._reply is not None:
            self._reply.close()
            self._reply = None

    def _read_once(self, size: int) -> bytes:
        if self._reply is None:
            if self._position == self._size_bytes and self._position:
                return b""
            self._reply = self._open()
        self._reply_waited()
        chunk = self._reply.receive(max(1, size))
        self._left_at = time.monotonic()
        if not chunk:
            return self._end()
        if self._position + len(chunk) > self._size_bytes:
            raise TransientError(f"longer than the {self._size_bytes} bytes listed")
        self._position += len(chunk)
        self.received_bytes += len(chunk)
        if self._position - self._progress_from >= _PROGRESS_BYTES:
            self._progress_from = self._position
            self._retrier.progressed()
        return chunk

    def _reply_waited(self) -> None:
        # A slow S3 must not look like a slow Hub.
        if self._reply is not None and time.monotonic() - self._left_at > 1.0:
            self._reply.restart_deadline()

    def _end(self) -> bytes:
        if self._position < self._size_bytes:
            raise TransientError(f"cut off after {self._position} of {self._size_bytes} bytes")
        return b""

    def _open(self) -> Reply:
        reply = self._hub.open(self._model_id, self._commit, self._path, self._position)
        try:
            self._check_span(reply)
        except (HubError, IntegrityError, TransientError):
            reply.close()
            raise
        self._left_at = time.monotonic()
        return reply

    def _check_span(self, reply: Reply) -> None:
        left_bytes = self._size_bytes - self._position
        if reply.status == 206:
            span = _CONTENT_RANGE.fullmatch(reply.headers.get("content-range", ""))
            if span is None or int(span[1]) != self._position:
                raise TransientError("the answer is for another range than was asked for")
        elif self._position:
            raise TransientError("the range that was asked for was ignored")
        declared = reply.headers.get("content-length")
        if declared is not None and declared != str(left_bytes):
            raise TransientError(f"{declared} bytes offered, but {left_bytes} are listed")


def read_small(
    hub: HubClient, model_id: str, commit: str, file: HubFile, limit_bytes: int
) -> bytes:
    """A whole file in memory, verified against the tree; raises IntegrityError."""
    if file.size_bytes > limit_bytes:
        raise IntegrityError(
            f"{file.path}: {file.size_bytes} bytes are more than the {limit_bytes} expected"
        )
    stream = HubStream(hub, model_id, commit, file.path, file.size_bytes)
    try:
        content = stream.read(-1)
    finally:
        stream.close()
    verify_small(file, content)
    return content
