"""HTTP as bytes: what no client library would send."""

from __future__ import annotations

import http.client
import json
import select
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

PATIENCE_SECONDS = 15.0


@dataclass(frozen=True)
class Reply:
    """`status` 0: the connection was closed without a word."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float  # until the answer began, or the end
    sent: int  # bytes that were sent before


class Line:
    """One connection."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.socket = socket.create_connection((parts.hostname, parts.port), PATIENCE_SECONDS)
        self._began, self._sent = time.monotonic(), 0

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, pieces: Iterable[bytes], pause: float = 0.0) -> None:
        """Until the other side answers or has heard enough; at most for PATIENCE_SECONDS."""
        for piece in pieces:
            if select.select([self.socket], [], [], pause)[0] or self.old:
                return
            try:
                self.socket.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                return
            self._sent += len(piece)

    def end(self) -> None:
        """Says that nothing more comes, and listens on."""
        self.socket.shutdown(socket.SHUT_WR)

    @property
    def old(self) -> bool:
        return time.monotonic() > self._began + PATIENCE_SECONDS

    def answer(self) -> Reply:
        found = http.client.HTTPResponse(self.socket)
        try:
            found.begin()
        except (http.client.HTTPException, ConnectionError):
            return Reply(0, {}, b"", time.monotonic() - self._began, self._sent)
        seconds = time.monotonic() - self._began
        headers = {name.lower(): value for name, value in found.getheaders()}
        return Reply(found.status, headers, found.read(), seconds, self._sent)

    def closed(self) -> bool:
        """Waits until the other side ends the connection."""
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True


def head(path: str, *headers: bytes, method: str = "POST") -> bytes:
    first = f"{method} {path} HTTP/1.1".encode()
    return b"\r\n".join([first, b"Host: gateway", *headers, b"", b""])


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def as_json(reply: Reply) -> dict[str, Any]:
    return dict(json.loads(reply.body))
