"""HTTP itself within limits: what uvicorn's own protocol leaves open to whoever can connect, before
anybody knows who calls."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from .errors import GatewayError, retry_after
from .offers import Unswitched, without_offer

# No server or proxy that is in use sends on more (nginx 32 KiB, Lambda's URL 10 KiB).
MOST_HEAD_BYTES = 64 * 1024
MOST_HEADERS = 100
MOST_URL_BYTES = 8 * 1024
HEAD_SECONDS = 20.0  # from the first byte of a request to the end of its head
TAKE_SECONDS = 60.0  # for more of an answer, once the kernel and 64 KiB more are full of it
MOST_CONNECTIONS = 2048  # held ones and those that are answered; a process may have few more files
LAST_READ_SECONDS = 2.0  # for the rest of a body whose answer is known, so that it is heard
_AGAIN_SECONDS = 10.0
_VERSIONS = ("1.0", "1.1")
_NO_HTTP = GatewayError(400, "invalid_http", "this is no HTTP/1.1 that can be understood")


@dataclass(frozen=True)
class WireLimits:
    """Seconds that a connection has, and how many there may be."""

    head_seconds: float = HEAD_SECONDS
    last_read_seconds: float = LAST_READ_SECONDS
    take_seconds: float = TAKE_SECONDS
    most_connections: int = MOST_CONNECTIONS


class _TooMuchError(Exception):
    """Stops the parser in the middle of a head; nobody else sees it."""


class Wire(HttpToolsProtocol):
    """Refuses heads that are too large or too slow, and one connection too many; lets no body go on
    when its answer has been given, and no answer when nobody takes it. Errors have OpenAI's shape,
    and quote nothing."""

    limits = WireLimits()

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.parser: Any = Unswitched(self)
        self._timer: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None
        self._unread = 0  # bytes since the last one of a body, or the last whole request
        self._head_bytes = 0
        self._inside = False  # between the end of a head and the end of its body
        self._refused = False
        self._trouble: GatewayError | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.most_connections:
            self._refuse(_too_many())
            return
        self._within(self.limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._taken()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The caller is 64 KiB behind: that is for asyncio to say."""
        super().pause_writing()
        self._taking = self.loop.call_later(self.limits.take_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        self._taken()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._timer is None and not self._inside:
            self._within(self.limits.head_seconds)
        self._unread += len(data)
        super().data_received(data)
        # A head, the trailers or a chunk's extension: the parser collects or skips it unseen.
        if self._unread > MOST_HEAD_BYTES and not self._refused:
            self._refuse(_too_large())

    def eof_received(self) -> None:
        if self._inside and not self._refused:
            self._refuse(GatewayError(400, "invalid_http", "the body ended before its end"))

    def on_message_begin(self) -> None:
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > MOST_URL_BYTES:
            why = f"the address is longer than {MOST_URL_BYTES} bytes"
            self._stop_parser(GatewayError(414, "url_too_long", why))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Also for each trailer."""
        super().on_header(name, value)
        self._head_bytes += len(name) + len(value)
        if len(self.headers) > MOST_HEADERS or self._head_bytes > MOST_HEAD_BYTES:
            self._stop_parser(_too_large())

    def on_headers_complete(self) -> None:
        """1.0 knows no chunks (RFC 9112, 6.1): who stands in front may see another end."""
        version = self.parser.get_http_version()
        chunked = any(name == b"transfer-encoding" for name, _ in self.headers)
        if version not in _VERSIONS or (chunked and version == "1.0"):
            self._stop_parser(_NO_HTTP)
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":  # there is nobody to be led to
                self._stop_parser(_NO_HTTP)
            return  # it comes once more, without its offer
        self._stop_timer()
        super().on_headers_complete()
        self._inside = True

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._unread, self._inside = 0, False
        self._stop_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._inside and self.cycle.response_complete and not self.transport.is_closing():
            self._within(self.limits.last_read_seconds)

    def offered_head(self) -> bytes:
        """For the parser, of the head that it has just read."""
        version = self.parser.get_http_version()
        return without_offer(self.parser.get_method(), self.url, version, self.headers)

    def send_400_response(self, msg: str) -> None:
        """What the parser did not take, or a limit of ours that stopped it."""
        self._refuse(self._trouble or _NO_HTTP)

    def _stop_parser(self, trouble: GatewayError) -> None:
        self._trouble = trouble
        raise _TooMuchError

    def _refuse(self, error: GatewayError) -> None:
        """Answers if no other answer is under way, and closes as soon as the caller has it."""
        self._refused = True
        cycle = self.cycle
        idle = cycle is None or cycle.response_complete
        if not self.pipeline and (idle or (self._inside and not cycle.response_started)):
            self.transport.write(_reply(error))
        if not idle:  # nobody waits for what its request does any more
            cycle.disconnected = True
            cycle.message_event.set()
        self.flow.resume_reading()  # or its end would not be seen
        self._within(self.limits.last_read_seconds)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _within(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self._over)

    def _taken(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _over(self) -> None:
        self._timer = None
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy and not self._refused:  # who sent a part of the next request waits for this answer
            self._within(self.limits.head_seconds)
        elif self._refused or self._inside or not self._unread:
            self.transport.close()
        else:
            why = f"the request's head did not come within {self.limits.head_seconds:g} s"
            self._refuse(GatewayError(408, "head_too_slow", why))


def within(limits: WireLimits) -> type[Wire]:
    """The protocol with other limits; uvicorn makes one for each connection."""
    return type("Wire", (Wire,), {"limits": limits})


def _too_large() -> GatewayError:
    most = f"{MOST_HEADERS} headers or {MOST_HEAD_BYTES} bytes"
    why = f"beside its body the request has more than {most}"
    return GatewayError(431, "head_too_large", why)


def _too_many() -> GatewayError:
    why = "more connections are open here than fit; come back later"
    return GatewayError(503, "too_many_connections", why, headers=retry_after(None, _AGAIN_SECONDS))


def _reply(error: GatewayError) -> bytes:
    body = json.dumps(error.document()).encode()
    heads = (
        b"content-type: application/json",
        b"content-length: " + str(len(body)).encode(),
        b"connection: close",
        *(f"{name}: {value}".encode() for name, value in error.headers.items()),
        f"x-request-id: req-{token_hex(12)}".encode(),
    )
    return STATUS_LINE[error.status] + b"\r\n".join(heads) + b"\r\n\r\n" + body
