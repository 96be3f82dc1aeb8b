"""Reads what callers send: so long, so much each, and so much of all at a time."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import Receive

from .errors import GatewayError, retry_after, wrong

# Lambda takes no larger request, nor does SageMaker.
MOST_BYTES = 6 * 1024 * 1024
BODY_SECONDS = 60.0  # the largest body at 1 Mbit/s takes 50 s
# Of all bodies that have not ended yet: ten of the largest, in a process of 512 MB.
MOST_UNFINISHED_BYTES = 64 * 1024 * 1024
_AGAIN_SECONDS = 5.0


class Bodies:
    """One for a process."""

    def __init__(
        self, seconds: float = BODY_SECONDS, most_unfinished: int = MOST_UNFINISHED_BYTES
    ) -> None:
        self._seconds, self._most = seconds, most_unfinished
        self.unfinished = 0  # bytes

    async def read(self, receive: Receive, headers: Headers) -> bytes:
        """Raises GatewayError: 413 too large, 408 too slow, 429 too much of all, 400 broken off."""
        said = headers.get("content-length", "")
        if said.isdecimal() and (len(said) > len(str(MOST_BYTES)) or int(said) > MOST_BYTES):
            raise too_large(MOST_BYTES)
        try:
            async with asyncio.timeout(self._seconds):
                return await self._whole(receive)
        except TimeoutError:
            why = f"the body did not come to its end within {self._seconds:g} s"
            raise GatewayError(408, "body_too_slow", why) from None

    async def _whole(self, receive: Receive) -> bytes:
        body = bytearray()
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise wrong("the body ended before its end")
                part = message.get("body", b"")
                body += part
                self.unfinished += len(part)
                if len(body) > MOST_BYTES:
                    raise too_large(MOST_BYTES)
                if not message.get("more_body", False):
                    return bytes(body)
                if self.unfinished > self._most:
                    raise _too_many()
        finally:
            self.unfinished -= len(body)


def too_large(most: int, how: str = "") -> GatewayError:
    """`how`: it is measured, if not as it came."""
    why = f"the body is larger than {most} bytes{how}, which SageMaker does not take"
    return GatewayError(413, "too_large", why)


def _too_many() -> GatewayError:
    why = "more bodies are being sent to this gateway than fit into it; send it again later"
    headers = retry_after(None, _AGAIN_SECONDS)
    return GatewayError(429, "too_many_bodies", why, headers=headers)
