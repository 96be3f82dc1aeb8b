"""One kept-alive connection that reads ranges of a file straight into memory of the caller's.

`readinto1` and not `read`: bytes go from the socket into the window without a copy between.
"""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Mapping

from .http import (
    LEAST_BYTES_PER_DEADLINE,
    TROUBLE,
    Origin,
    connect,
    describe,
    headers_of,
    refuse_other_than_bytes,
    target_of,
)
from .hub import HubClient, Location
from .hub_replies import refuse_reply
from .retry import TransientError

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
# What a download address answers when its signature has run out.
_EXPIRED = frozenset({401, 403, 404, 410})


class ExpiredError(TransientError):
    """The download address does not work any more: locate the file again."""


class RangeReader:
    """Reads ranges of one file over one connection; not for two threads at a time."""

    def __init__(self, hub: HubClient, path: str, size_bytes: int) -> None:
        self._hub, self._path, self._size_bytes = hub, path, size_bytes
        self._connection: http.client.HTTPConnection | None = None
        self._origin: Origin | None = None

    def read(self, location: Location, start: int, into: memoryview) -> int:
        """Fills `into` from byte `start` on and returns how many bytes came before trouble.

        All of them: no trouble. Raises TransientError when nothing came, or something that the
        Hub would not send; a HubError for its refusals.
        """
        response = self._ask(location, start, len(into))
        received = 0
        try:
            self._check(response, location, start, len(into))
            received = self._receive(response, into)
        except TransientError:
            self.close()
            if not received:
                raise
        except BaseException:
            self.close()
            raise
        return received

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, location: Location, start: int, length: int) -> http.client.HTTPResponse:
        origin = Origin.of(location.url)
        if self._connection is None or origin != self._origin:
            self.close()
            self._connection, self._origin = connect(origin, self._hub.deadline_seconds), origin
        headers = {
            **location.headers,
            "Accept-Encoding": "identity",
            "Range": f"bytes={start}-{start + length - 1}",
        }
        try:
            self._connection.request("GET", target_of(location.url), headers=headers)
            return self._connection.getresponse()
        except TROUBLE as trouble:
            self.close()
            raise TransientError(f"{origin.host}: {describe(trouble)}") from trouble

    def _check(
        self, response: http.client.HTTPResponse, location: Location, start: int, length: int
    ) -> None:
        headers = headers_of(response, location.headers)
        status = response.status
        if status not in {200, 206}:
            moved = 300 <= status < 400  # nobody follows: the Hub is asked for the address again
            refused = status in _EXPIRED and (status == 401 or not location.at_home)
            if (moved or refused) and "x-error-code" not in headers:
                raise ExpiredError(f"the download address answered HTTP {status}")
            refuse_reply(status, headers, self._path, self._hub.token, is_listed=True)
        refuse_other_than_bytes(headers)
        if "transfer-encoding" in headers:
            raise TransientError("the bytes came in chunks of unknown number")
        whole = start == 0 and length == self._size_bytes
        if status == 206:
            self._check_span(headers, start, length)
        elif not whole:
            raise TransientError("the range that was asked for was ignored")
        declared = headers.get("content-length")
        if declared is not None and declared != str(length):
            raise TransientError(f"{declared} bytes offered, but {length} are listed")

    def _check_span(self, headers: Mapping[str, str], start: int, length: int) -> None:
        span = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
        if span is None:
            raise TransientError("the answer does not say which range it is for")
        first, last, total = map(int, span.groups())
        if total != self._size_bytes:
            raise TransientError(f"of {total} bytes, but {self._size_bytes} are listed")
        if (first, last) != (start, start + length - 1):
            raise TransientError("the answer is for another range than was asked for")

    def _receive(self, response: http.client.HTTPResponse, into: memoryview) -> int:
        """Bytes received; fewer than asked for when the connection broke or dried up."""
        received, since, received_since = 0, time.monotonic(), 0
        while received < len(into):
            try:
                count = response.fp.readinto1(into[received:])
            except TROUBLE as trouble:
                return self._broken(received, f"the connection broke: {describe(trouble)}")
            if not count:
                return self._broken(received, f"cut off after {received} of {len(into)} bytes")
            received += count
            received_since += count
            now = time.monotonic()
            if received_since >= LEAST_BYTES_PER_DEADLINE:
                since, received_since = now, 0
            elif now - since > self._hub.deadline_seconds:
                slow = f"only {received_since} bytes came in {now - since:.0f} s"
                return self._broken(received, slow)
        # http.client must know that the body was read, or it does not reuse the connection.
        response.length = 0
        response.close()
        return received

    def _broken(self, received: int, why: str) -> int:
        self.close()
        if not received:
            raise TransientError(why)
        return received
