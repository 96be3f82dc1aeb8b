"""What becomes of callers when the gateway is told to stop: whoever waits for a wake gets a ticket
at once, whoever is answered has some seconds more, and then hears why it ends."""

from __future__ import annotations

import socket
from typing import Any

import uvicorn

from .errors import GatewayError, retry_after

_AGAIN_SECONDS = 1.0  # another process takes it, or this one's successor
STOPPED = GatewayError(
    503,
    "gateway_stopping",
    "the gateway was stopped before the answer was whole; ask again",
    headers=retry_after(None, _AGAIN_SECONDS),
)


class Leaving:
    """Whether the gateway was told to stop; one for a process."""

    def __init__(self) -> None:
        self.begun = False


class Server(uvicorn.Server):
    """Says that it stops before it waits for its callers."""

    def __init__(self, config: Any, leaving: Leaving) -> None:
        super().__init__(config)
        self._leaving = leaving

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._leaving.begun = True
        await super().shutdown(sockets)
