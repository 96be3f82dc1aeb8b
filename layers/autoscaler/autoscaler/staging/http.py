"""One HTTP exchange over the standard library, with a deadline for each receive.

`http.client` and not a library: the Lambda imports it anyway, and a streamed gigabyte costs half
the CPU.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import math
import re
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from ..endpoints.redacted import without
from .errors import HubReplyError
from .retry import TransientError

READ_BYTES = 256 * 1024
# A connection that gives less than this in one receive deadline is as good as dead.
LEAST_BYTES_PER_DEADLINE = 64 * 1024
# UnicodeError: what `idna` makes of a host that cannot be one.
TROUBLE = (OSError, http.client.HTTPException, UnicodeError)
# Of a target, what may stand in it as it is (RFC 3986: reserved and unreserved, and the escapes).
_IN_A_TARGET = "%/?:@!$&'()*+,;=~-._[]"
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")  # ":" of an IPv6 address


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Self:
        """Raises HubReplyError for anything but http(s) with a host and without credentials."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as wrong:
            raise HubReplyError(f"not a usable address: {wrong}") from wrong
        usable = host is not None and _HOST.fullmatch(host) and "@" not in parts.netloc
        if parts.scheme not in {"http", "https"} or not host or not usable:
            raise HubReplyError(f"not a usable address: {safe_address(url)}")
        return cls(parts.scheme, host.lower(), port or (443 if parts.scheme == "https" else 80))

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def joined(url: str, target: str) -> str:
    """Where an answer of `url` leads; raises HubReplyError where that is no address."""
    try:
        found: str = urljoin(url, target)
    except ValueError as wrong:
        raise HubReplyError(f"{safe_address(url)} leads to no address") from wrong
    return found


def safe_address(url: str) -> str:
    """The address without query and credentials: signed URLs must not reach a log."""
    try:
        parts: SplitResult = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
    except ValueError:
        return "an unreadable address"


@dataclass
class Reply:
    """A reply whose body is read by `receive`; close it."""

    url: str = field(repr=False)
    status: int
    headers: Mapping[str, str]
    _connection: http.client.HTTPConnection = field(repr=False)
    _body: http.client.HTTPResponse = field(repr=False)
    _deadline_seconds: float = field(repr=False)
    _since: float = field(default_factory=time.monotonic, init=False, repr=False)
    _received_since: int = field(default=0, init=False, repr=False)

    def receive(self, size: int = READ_BYTES) -> bytes:
        """At most `size` bytes, b"" at the end; raises TransientError on resets and stalls."""
        try:
            chunk = self._body.read1(size)
        except TROUBLE as trouble:
            raise TransientError(f"the connection broke: {describe(trouble)}") from trouble
        now = time.monotonic()
        self._received_since += len(chunk)
        if self._received_since >= LEAST_BYTES_PER_DEADLINE:
            self._since, self._received_since = now, 0
        elif now - self._since > self._deadline_seconds:
            raise TransientError(
                f"only {self._received_since} bytes came in {now - self._since:.0f} s"
            )
        return chunk

    def restart_deadline(self) -> None:
        """Call after a pause of the reader's own making."""
        self._since, self._received_since = time.monotonic(), 0

    def close(self) -> None:
        self._connection.close()


def refuse_other_than_bytes(headers: Mapping[str, str]) -> None:
    """Raises TransientError for a web page or an encoded body: a proxy's, not the file's."""
    if headers.get("content-type", "").startswith("text/html"):
        raise TransientError("a web page came instead of the file")
    if headers.get("content-encoding", "identity") != "identity":
        raise TransientError("it came encoded, although plain bytes were asked for")


def describe(trouble: BaseException) -> str:
    """What happened, for people; nothing of an address, which may be signed."""
    if isinstance(trouble, TimeoutError):
        return "nothing came before the deadline"
    if isinstance(trouble, http.client.InvalidURL | UnicodeError):
        return "its address cannot be asked"
    return f"{type(trouble).__name__}: {trouble}" if str(trouble) else type(trouble).__name__


def request(url: str, headers: Mapping[str, str], deadline_seconds: float) -> Reply:
    """Sends a GET and returns its reply, whatever the status; raises TransientError."""
    origin = Origin.of(url)
    connection = connect(origin, deadline_seconds)
    target = target_of(url)
    try:
        connection.request("GET", target, headers={"Accept-Encoding": "identity", **headers})
        body = connection.getresponse()
    except ssl.SSLCertVerificationError as wrong:
        connection.close()
        raise HubReplyError(f"{origin.host}: the certificate is not valid: {wrong}") from wrong
    except TROUBLE as trouble:
        connection.close()
        raise TransientError(f"{origin.host}: {describe(trouble)}") from trouble
    said = headers_of(body, headers)
    return Reply(url, body.status, said, connection, body, deadline_seconds)


def headers_of(reply: http.client.HTTPResponse, sent: Mapping[str, str]) -> dict[str, str]:
    """The reply's headers by lower-case names, without the secret that was sent for it: whoever
    repeats it would have it in errors, and so in logs, tables and Slack."""
    secret = sent.get("Authorization", "").rpartition(" ")[2]
    return {name.lower(): without(value, secret) for name, value in reply.getheaders()}


def target_of(url: str) -> str:
    """Path and query as they are sent: a redirect may have characters that no request line may.
    `http.client` read it as Latin-1, so that its bytes are those that came."""
    parts = urlsplit(url)
    whole = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return quote(whole, safe=_IN_A_TARGET, encoding="latin-1", errors="replace")


def connect(origin: Origin, deadline_seconds: float) -> http.client.HTTPConnection:
    """A connection whose replies' heads, too, must have come before the deadline."""
    connection: http.client.HTTPConnection
    if origin.scheme == "https":
        connection = http.client.HTTPSConnection(
            origin.host, origin.port, timeout=deadline_seconds, context=_tls()
        )
    else:
        connection = http.client.HTTPConnection(origin.host, origin.port, timeout=deadline_seconds)
    connection.response_class = _Response
    return connection


class _Response(http.client.HTTPResponse):
    """A socket's timeout is for one receive, and starts anew with every byte of a header."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self._socket = _DatedSocket(sock)
        self.fp = io.BufferedReader(self._socket)

    def begin(self) -> None:
        super().begin()
        self._socket.until = math.inf  # whoever reads the body has a deadline of their own


class _DatedSocket(socket.SocketIO):
    """What a socket gives, until a moment."""

    def __init__(self, sock: socket.socket) -> None:
        sock._io_refs += 1  # type: ignore[attr-defined]  # as makefile does; closing gives it back
        super().__init__(sock, "r")
        self.until = time.monotonic() + (sock.gettimeout() or math.inf)

    def readinto(self, b: Any) -> int | None:
        if time.monotonic() > self.until:
            raise TimeoutError
        return super().readinto(b)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
