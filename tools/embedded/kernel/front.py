"""One HTTP server in front of everything: the account's own services first, moto for the rest."""

from __future__ import annotations

import io
import json
import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from tools.embedded.kernel.errors import error_reply
from tools.embedded.kernel.faults import ControlError, Faults, fault_of
from tools.embedded.kernel.signatures import signature_of
from tools.embedded.kernel.states import OWN_KEY
from tools.embedded.kernel.traffic import Traffic, buffered
from tools.embedded.types import Fault, FaultTaker, Service

if TYPE_CHECKING:
    from tools.embedded.iam.guard import Guard
    from tools.embedded.kernel.account import Account

log = logging.getLogger(__name__)

_CONTROL = "/_embedded/"
_CALLERS_WAITING = 128
Wait = Callable[[float], "dict[str, Any] | None"]


class PortError(RuntimeError):
    """The account cannot answer at this port; says why."""


class _Handler(MotoRequestHandler):
    """Keeps connections open and sends small replies at once."""

    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        # Without it every reply waits for the client's delayed acknowledgement: 40 ms.
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True  # a killed handler process leaves its connections open

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        self.close_connection = True  # else the client of a lost answer waits for its own patience

    def log(self, type: str, message: str, *args: Any) -> None:
        """Requests are not logged: callers see their own errors."""


class Front:
    """Routes by the service that a request is signed for."""

    def __init__(self, account: Account, port: int) -> None:
        self._account = account
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._services: dict[str, Service] = {}
        self._answers: dict[str, tuple[threading.Event, list[dict[str, Any]]]] = {}
        self.faults = Faults(account.clock)
        # What a test wants to see, or to do, just before a request is answered.
        self.on_request: list[Callable[[str, Request], None]] = []
        self.traffic = Traffic(frozenset({account.credentials, OWN_KEY}))
        self.guard: Guard | None = None  # from then on, roles may do what their policies allow
        with _bound(port) as place:
            self._server = make_server(
                "127.0.0.1",
                port,
                self._serve,
                threaded=True,
                request_handler=_Handler,
                fd=place.fileno(),
            )
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.stopped = threading.Event()
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.2,), name="front", daemon=True
        )
        self._thread.start()
        self._request("POST", "/moto-api/reset")

    def add(self, service: Service) -> None:
        for name in service.signing_names:
            self._services[name] = service

    def inject(self, fault: Fault) -> None:
        """To be answered once asked for: by the service, if it takes orders, or in its place."""
        service = self._services.get(fault.operation.partition(":")[0])
        (service if isinstance(service, FaultTaker) else self.faults).inject(fault)

    @property
    def fired(self) -> list[tuple[float, Fault]]:
        """When which ordered failure was answered, in order of time."""
        takers = [one for one in self._services.values() if isinstance(one, FaultTaker)]
        found = [shot for taker in (self.faults, *takers) for shot in taker.fired]
        return sorted(found, key=lambda shot: shot[0])

    def expect_answer(self) -> tuple[str, Wait]:
        """A URL to which one JSON document may be PUT, and a wait for it in simulated seconds."""
        key, done, kept = uuid.uuid4().hex, threading.Event(), []
        self._answers[key] = (done, kept)

        def wait(seconds: float) -> dict[str, Any] | None:
            end = self._account.clock.time() + seconds
            while self._account.clock.time() < end and not self.stopped.is_set():
                if done.wait(0.02):
                    return kept[0]
            return None

        return f"{self.url}{_CONTROL}answer/{key}", wait

    def close(self) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=2)

    def _serve(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith(_CONTROL):
            return self._control(Request(environ))(environ, start)
        signed = signature_of(environ)
        return self.traffic.carry(signed.service if signed else "", environ, start, self._route)

    def _route(self, name: str, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if self.guard is not None:
            refused = self.guard.answer(name, environ, lambda: buffered(environ))
            if refused is not None:
                return refused(environ, start)
        if self.on_request:
            self._show(name, environ)
        if self.faults.armed:
            request = Request(environ)
            # Read once: whoever answers in the end would wait for it on the socket for ever.
            environ["wsgi.input"] = io.BytesIO(request.get_data())
            failed = self.faults.answer(name, request)
            if failed is not None:
                return failed(environ, start)
        service = self._services.get(name)
        if service is not None:
            return service.handle(Request(environ))(environ, start)
        return self._by_moto(name, environ, start)

    def _show(self, name: str, environ: dict[str, Any]) -> None:
        request = Request(environ)
        body = request.get_data()
        for listener in tuple(self.on_request):
            listener(name, request)
        environ["wsgi.input"] = io.BytesIO(body)  # it can be read but once

    def _by_moto(self, name: str, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        """moto's answer; for what moto does not have, an error as an SDK reads it."""
        try:
            return self._moto(environ, start)
        except Exception as wrong:
            code, status, why = "UnknownOperationException", 400, str(wrong)
            if self._is_unknown(environ):
                why = f"the embedded account has no service {name or 'for this request'}"
            elif not isinstance(wrong, NotImplementedError):
                log.exception("moto could not answer a request for %s", name)
                code, status, why = "InternalFailure", 500, f"{type(wrong).__name__}: {wrong}"
        return error_reply(Request(environ), code, why, status, service=name)(environ, start)

    def _is_unknown(self, environ: dict[str, Any]) -> bool:
        host = self._moto.infer_service_region_host(environ, environ["PATH_INFO"])
        return host is not None and self._moto.get_backend_for_host(host) is None

    def _control(self, request: Request) -> Response:
        what, _, key = request.path.removeprefix(_CONTROL).partition("/")
        if what == "answer" and key in self._answers:
            done, kept = self._answers[key]
            kept.append(json.loads(request.get_data()))
            done.set()
            return Response("")
        handler = {"status": self._status, "clock": self._clock, "faults": self._faults}.get(what)
        if handler is None:
            return Response(f"the embedded account has no {request.path}\n", status=404)
        try:
            answer = handler(_document(request))
        except ControlError as wrong:
            return Response(f"{request.path}: {wrong}\n", status=400)
        return Response(json.dumps(answer), content_type="application/json")

    def _status(self, _body: dict[str, Any]) -> dict[str, Any]:
        stacks = self._account.engine.stacks.values()
        return {
            "time": self._account.clock.now().isoformat(),
            "speed": self._account.clock.speed,
            "stacks": {stack.name: stack.status for stack in stacks},
        }

    def _clock(self, body: dict[str, Any]) -> dict[str, Any]:
        clock = self._account.clock
        for name, change in (("speed", clock.set_speed), ("jump_seconds", clock.jump)):
            if name not in body:
                continue
            try:
                change(float(body[name]))
            except (ValueError, TypeError) as wrong:
                raise ControlError(f"{name}: {wrong}") from None
        return self._status({})

    def _faults(self, body: dict[str, Any]) -> dict[str, Any]:
        if body:
            self.inject(fault_of(body))
        return {"fired": [[when, fault.operation] for when, fault in self.fired]}

    def _request(self, method: str, path: str) -> None:
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path)
        connection.getresponse().read()
        connection.close()


def _bound(port: int) -> socket.socket:
    """A socket at the port; werkzeug itself ends the process if it cannot have one."""
    place = socket.socket()
    try:
        if os.name == "posix":  # elsewhere it would let two listen at one port
            place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind(("127.0.0.1", port))
        place.listen(_CALLERS_WAITING)
    except OSError as wrong:
        place.close()
        raise PortError(f"port {port} cannot be used: {wrong.strerror}") from None
    return place


def _document(request: Request) -> dict[str, Any]:
    if request.method != "POST":
        return {}
    try:
        body = json.loads(request.get_data() or b"{}")
    except ValueError as wrong:
        raise ControlError(f"the body is not JSON: {wrong}") from None
    if not isinstance(body, dict):
        raise ControlError(f"the body is to be an object, not {body!r:.80}")
    return body
