"""How many connections may wait for a wake in one process, and how much they may weigh."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import GatewayError, retry_after

_AGAIN_SECONDS = 30.0


class Held:
    """Places for connections that wait."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self.count = self.weight = 0

    @contextmanager
    def place(self, weight: int) -> Iterator[None]:
        """Raises GatewayError 429 when there is none. `weight`: bytes of the body."""
        if self.count >= self._most or self.weight + weight > self._most_bytes:
            why = (
                f"{self.count} requests wait here for a model to wake, and no more fit; ask for a "
                "ticket with `Prefer: respond-async`, or come back later"
            )
            headers = retry_after(None, _AGAIN_SECONDS)
            raise GatewayError(429, "too_many_held", why, headers=headers)
        self.count += 1
        self.weight += weight
        try:
            yield
        finally:
            self.count -= 1
            self.weight -= weight
