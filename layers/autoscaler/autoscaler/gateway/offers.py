"""Offers to switch the protocol, which are passed over (RFC 9110, 7.8).

Java's own HTTP client makes one with its first request to whatever is not TLS (`Upgrade: h2c`). The
parser takes it for accepted and reads no body after it: its head is read once more without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import httptools

_OFFER = (b"upgrade", b"http2-settings")
_HOP = b"connection"


class Unswitched:
    """A parser of requests for `protocol`, whose `offered_head` is a head without its offer."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._parser = self._new()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    def feed_data(self, data: bytes) -> None:
        """Raises what httptools' own parser does, but for HttpParserUpgrade."""
        rest: bytes | None = data
        while rest is not None:
            rest = self._fed(rest)

    def _fed(self, data: bytes) -> bytes | None:
        """What is left after an offer."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            head = self._protocol.offered_head()
            self._parser = self._new()
            self._parser.feed_data(head)
            return data[offer.args[0] :]
        return None

    def _new(self) -> Any:
        parser = httptools.HttpRequestParser(self._protocol)
        parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        return parser


def without_offer(
    method: bytes, url: bytes, version: str, headers: Iterable[tuple[bytes, bytes]]
) -> bytes:
    """The head that says the same and offers nothing."""
    lines = [b"%b %b HTTP/%b" % (method, url, version.encode())]
    for name, value in headers:
        said = _other_hops(value) if name == _HOP else value
        if name not in _OFFER and (said or not value):
            lines.append(name + b": " + said)
    return b"\r\n".join((*lines, b"", b""))


def _other_hops(value: bytes) -> bytes:
    tokens = (token.strip() for token in value.split(b","))
    return b", ".join(token for token in tokens if token.lower() not in _OFFER)
