"""Sends an answer to a callback's URL, and to nothing else that its name might be made to mean.

Whoever may put a message into a queue chooses the URL, and the dispatcher sends from inside the
account. So: hosts of an allow-list only, by https on its port, no redirect is followed, and the
address that is connected to is the one that was looked at, not what a second lookup would say.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from ..ports import ReplyError

SECONDS = 10.0
_PORT = 443
# Networks of the second protocol in which an address of the first is wrapped up: NAT64, 6to4 and
# Teredo (RFC 6052, 8215, 3056, 4380). What is inside would be reached.
_WRAPPING = tuple(
    IPv6Network(one) for one in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
)

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Iterable[str]]


def is_public(address: Address) -> bool:
    """Whether it is somebody's on the internet: not private, loopback, link-local (the metadata
    services), shared, reserved or multicast, nor one of these in the clothes of IPv6."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in network for network in _WRAPPING) or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def addresses_of(host: str, port: int) -> list[str]:
    """What the name means now, as the system's resolver has it; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(one[4][0]) for one in found]


@dataclass(frozen=True)
class Reply:
    """What came back: the body is nobody's business."""

    status: int
    retry_after: str | None = None


class ForbiddenPlaceError(ReplyError):
    """Nothing is ever sent there; trying again helps nobody."""


class Callbacks:
    """POSTs documents to hosts of an allow-list. `is_allowed` judges addresses."""

    def __init__(
        self,
        hosts: Iterable[str],
        *,
        resolve: Resolve = addresses_of,
        is_allowed: Callable[[Address], bool] = is_public,
        tls: ssl.SSLContext | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self._hosts = frozenset(_plain(host) for host in hosts)
        self._resolve, self._is_allowed = resolve, is_allowed
        self._tls, self._seconds = tls, seconds

    def problem(self, url: str) -> str | None:
        """Why nothing is sent there; never with more of the URL than its host."""
        try:
            place = urlsplit(url)
            host, port = _plain(place.hostname or ""), place.port or _PORT
        except ValueError:
            return "a callback's URL has a host and a port from 1 to 65535"
        if not url.isascii():
            return "a callback's URL is of ASCII: encode what is not by per cent"
        named = host if port == _PORT else f"{host}:{port}"
        if place.scheme != "https":
            return "a callback goes by https only"
        if named not in self._hosts:
            return (
                f"host {named!r:.200} is not among this stack's CallbackHosts; have it added, or "
                "take the answer from its result"
            )
        return None

    def post(self, url: str, document: bytes) -> None:
        """Raises ReplyError unless it was taken (2xx) within the time."""
        status = self.exchange(url, document).status
        if not 200 <= status < 300:
            host = _plain(urlsplit(url).hostname or "")
            raise ReplyError(f"the callback at {host!r} answered {status}")

    def exchange(self, url: str, document: bytes) -> Reply:
        """What it answered; raises ForbiddenPlaceError when nothing may be sent there, ReplyError
        when nothing came."""
        if problem := self.problem(url):
            raise ForbiddenPlaceError(problem)
        place = urlsplit(url)
        host, port = _plain(place.hostname or ""), place.port or _PORT
        connection = _Pinned(host, port, self._address(host, port), self._tls, self._seconds)
        # Each read may take the whole time; a server that drips must not have it again and again.
        alarm = threading.Timer(self._seconds, connection.cut)
        alarm.daemon = True
        alarm.start()
        try:
            connection.request(
                "POST",
                _target(place),
                body=document,
                headers={"Content-Type": "application/json", "User-Agent": "autoscaler"},
            )
            reply = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            kind = type(error).__name__
            raise ReplyError(f"the callback at {host!r} was not reached: {kind}") from None
        finally:
            alarm.cancel()
            connection.close()
        return Reply(reply.status, reply.getheader("Retry-After"))

    def _address(self, host: str, port: int) -> str:
        """One that may be connected to; none if any may not: who mixes them means no good."""
        try:
            found = list(dict.fromkeys(self._resolve(host, port)))
        except (OSError, UnicodeError):  # no name: a label is empty or too long
            raise ReplyError(f"the callback's host {host!r} has no address") from None
        judged = [self._is_allowed(ip_address(one.partition("%")[0])) for one in found]
        if not found or not all(judged):
            raise ForbiddenPlaceError(
                f"the callback's host {host!r} means an address inside a network, to which "
                "nothing is sent"
            )
        return found[0]


class _Pinned(http.client.HTTPSConnection):
    """A connection to one address, with the certificate of the host that it was found under."""

    def __init__(
        self, host: str, port: int, address: str, tls: ssl.SSLContext | None, seconds: float
    ) -> None:
        self._tls = tls or ssl.create_default_context()
        super().__init__(host, port, timeout=seconds, context=self._tls)
        self._address = address

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), self.timeout)
        self.sock = plain  # so that `cut` ends a handshake too
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)

    def cut(self) -> None:
        """Ends whatever waits on it."""
        if self.sock is not None:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it was over already


def _plain(host: str) -> str:
    return host.strip().rstrip(".").lower()


def _target(place: SplitResult) -> str:
    path = place.path or "/"
    return f"{path}?{place.query}" if place.query else path
