"""What passes the front: counted, told, slowed down and disturbed, when somebody wants that."""

from __future__ import annotations

import io
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Request

from tools.embedded.kernel.disorder import Disorder, Trouble, words_of
from tools.embedded.kernel.errors import error_reply
from tools.embedded.kernel.faults import operation_of
from tools.embedded.kernel.signatures import signature_of

# Their bodies are large, and nobody counts them.
_UNWATCHED = frozenset({"s3"})
Route = Callable[[str, dict[str, Any], Any], Iterable[bytes]]


class UnansweredError(ConnectionError):
    """The connection is closed in place of an answer."""


@dataclass(frozen=True)
class Call:
    """One request that was answered, or not; times are seconds of the wall (monotonic)."""

    operation: str  # like states:StartExecution
    by_role: bool  # else by whoever owns the account
    caller: str  # the access key
    body: bytes
    began: float
    ended: float
    trouble: Trouble | None


class Traffic:
    """Passes requests on. As long as nobody watches, it does not even look at them."""

    def __init__(self, owners: frozenset[str]) -> None:
        self._owners = owners  # access keys of the account itself
        self._lock = threading.Lock()
        self.on_call: list[Callable[[Call], None]] = []
        # Calls by roles while somebody counted, by operation, of each access key.
        self.counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.counting = False
        self.latency_seconds = 0.0  # of the wall, added to every call of a role
        self.disorder: Disorder | None = None

    @property
    def watched(self) -> bool:
        return bool(
            self.on_call or self.counting or self.latency_seconds or self.disorder is not None
        )

    def carry(
        self, service: str, environ: dict[str, Any], start: Any, route: Route
    ) -> Iterable[bytes]:
        """The answer of `route`, or what is to happen in its place. Raises UnansweredError."""
        if not self.watched or service in _UNWATCHED:
            return route(service, environ, start)
        body = buffered(environ)
        request = Request(environ)
        operation = f"{service}:{operation_of(request)}"
        _rewind(environ, body)
        signed = signature_of(environ)
        caller = signed.access_key if signed else ""
        by_role = bool(caller) and caller not in self._owners
        began, trouble = time.monotonic(), None
        try:
            if not by_role:
                return route(service, environ, start)
            time.sleep(self.latency_seconds)
            trouble = self.disorder.strike(service, operation) if self.disorder else None
            return self._answered(service, environ, start, route, trouble)
        finally:
            call = Call(operation, by_role, caller, body, began, time.monotonic(), trouble)
            self._told(call)

    def _answered(
        self,
        service: str,
        environ: dict[str, Any],
        start: Any,
        route: Route,
        trouble: Trouble | None,
    ) -> Iterable[bytes]:
        if trouble is None:
            return route(service, environ, start)
        if trouble is Trouble.LOST:
            for _ in route(service, environ, lambda *_: None):
                pass
        if trouble in (Trouble.LOST, Trouble.UNANSWERED):
            raise UnansweredError(trouble)
        code, message, status = words_of(service, trouble)
        reply = error_reply(Request(environ), code, message, status, service=service)
        return reply(environ, start)

    def _told(self, call: Call) -> None:
        if call.by_role and self.counting:
            with self._lock:
                self.counts[call.caller][call.operation] += 1
        for hear in self.on_call:
            hear(call)


def buffered(environ: dict[str, Any]) -> bytes:
    """A request's body, which whoever reads it next finds whole."""
    body = Request(environ).get_data()
    _rewind(environ, body)
    return body


def _rewind(environ: dict[str, Any], body: bytes) -> None:
    """Whoever reads the request next finds its body whole."""
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ.pop("werkzeug.request", None)
