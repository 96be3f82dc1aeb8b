"""What goes back to one caller, by ASGI: a document, or events as they come."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from starlette.types import Send

from . import sse
from .errors import GatewayError

_JSON = (b"content-type", b"application/json")
# Proxies that hold a stream back would spoil it.
_EVENTS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


class Out:
    """One reply. `status` is 0 until it began; `first_at`: when the model's first bytes left."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.status = 0
        self._streams = False
        self.code = ""  # of the error that it ended with
        self.first_at: float | None = None

    async def document(
        self, status: int, document: Any, headers: Mapping[str, str] | None = None
    ) -> None:
        raw = json.dumps(document, ensure_ascii=False).encode()
        length = (b"content-length", str(len(raw)).encode())
        await self._start(status, [_JSON, length], headers)
        await self._send({"type": "http.response.body", "body": raw})

    async def begin_events(self, headers: Mapping[str, str] | None = None) -> None:
        if not self.status:
            self._streams = True
            await self._start(200, _EVENTS, headers)

    async def pass_on(self, data: bytes) -> None:
        """A piece of the model's answer."""
        if self.first_at is None:
            self.first_at = time.monotonic()
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def alive(self, text: str, progress: Mapping[str, Any] | None) -> None:
        """A comment, and an event for whoever asked for them."""
        data = sse.comment(text)
        if progress is not None:
            data += sse.event("progress", dict(progress))
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})

    async def fail(self, error: GatewayError) -> None:
        """As a document, or inside of the stream that has begun; in a document it has no place."""
        self.code = error.code
        if not self.status:
            await self.document(error.status, error.document(), error.headers)
        if not self._streams:
            return
        data = error.event() + sse.DONE
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        await self.end()

    async def _start(
        self,
        status: int,
        fixed: list[tuple[bytes, bytes]],
        headers: Mapping[str, str] | None,
    ) -> None:
        self.status = status
        given = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        named = (b"x-request-id", self.request_id.encode())
        every = [*fixed, named, *given]
        await self._send({"type": "http.response.start", "status": status, "headers": every})
