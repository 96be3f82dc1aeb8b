"""The ASGI application: routes, who may call, limits, and one line of log a request."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers, QueryParams
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..control.desk import Code
from ..control.patience import expected_ready
from ..policy.types import Phase
from ..runtime.logs import logger
from ..spec.request import ID_PATTERN
from .access import Access, Caller, Renewed
from .answering import Answering, Question
from .asked import patience, read
from .bodies import Bodies
from .errors import GatewayError, retry_after
from .out import Out
from .renewing import Renewing
from .states import States, may_be_named
from .stopping import STOPPED, Leaving
from .tickets import endpoint_of, is_gone, look
from .traffic import Counted
from .troubles import logged, told
from .waiting import UNSURE_SECONDS, because

_GONE = {Phase.RETIRING, Phase.RETIRED}
# Megabytes of JSON take a second to read, in which every stream would stand still.
_READ_AT_ONCE_BYTES = 64 * 1024
_ID = re.compile(ID_PATTERN)


@dataclass(frozen=True)
class Waits:
    """Seconds: what is waited for without `Prefer`, and at most."""

    usual: float
    longest: float


@dataclass(frozen=True)
class Parts:
    """What the application is put together from; `close` ends what it holds open."""

    access: Access
    answering: Answering
    bodies: Bodies
    states: States
    counted: Counted
    tickets: Any
    clock: Any
    waits: Waits
    leaving: Leaving
    close: Callable[[], Awaitable[None]]


Handle = Callable[[Parts, Scope, Receive, Out, Caller], Awaitable[None]]


def application(parts: Parts) -> Starlette:
    """Everything but `/healthz` asks who calls."""
    keys = Renewing(parts.access, parts.states) if isinstance(parts.access, Renewed) else None

    def guarded(handle: Handle) -> _Guarded:
        return _Guarded(parts, handle, keys)

    routes = [
        Route("/v1/chat/completions", guarded(_asking("messages")), methods=["POST"]),
        Route("/v1/completions", guarded(_asking("prompt")), methods=["POST"]),
        Route("/v1/models", guarded(_models), methods=["GET"]),
        Route("/v1/models/{name}", guarded(_model), methods=["GET"]),
        Route("/v1/requests/{ticket}", guarded(_request), methods=["GET"]),
        Route("/healthz", _Healthy(), methods=["GET"]),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(parts.counted.keep_writing())]
        if keys is not None:
            tasks.append(asyncio.create_task(keys.keep_renewing()))
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await parts.counted.write()
        await parts.close()

    handlers: Any = {404: _no_route, 405: _no_route}
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    app.state.leaving = parts.leaving
    app.router.redirect_slashes = False  # it would lead to whatever host the caller named
    return app


class _Healthy:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await Out(send, _request_id()).document(200, {"status": "ok"})


class _Guarded:
    """Runs a handler for whoever may call; a caller who goes away ends it."""

    def __init__(self, parts: Parts, handle: Handle, keys: Renewing | None) -> None:
        self._parts, self._handle, self._keys = parts, handle, keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, out = time.monotonic(), Out(send, _request_id())
        try:
            # Told outside of its `except`: what fails then is logged by the server, with whatever
            # is being handled, and that may quote a request.
            if (trouble := await self._trouble(scope, receive, out)) is not None:
                await self._tell(trouble, out)
        except asyncio.CancelledError:  # by the server, whose time is over
            await out.fail(STOPPED)
        finally:
            _log(scope, out, began)

    async def _trouble(self, scope: Scope, receive: Receive, out: Out) -> Exception | None:
        """What came between the caller and an answer."""
        try:
            if self._keys is not None:
                await self._keys.renew_if_due()
            caller = self._parts.access.check(Headers(scope=scope).get("authorization", ""))
            await self._handle(self._parts, scope, receive, out, caller)
        except Exception as error:  # noqa: BLE001 - told to the caller, and logged
            return error
        return None

    async def _tell(self, error: Exception, out: Out) -> None:
        explained = told(error)
        if explained.status == 500:  # it is for whoever runs the gateway, whoever asked
            logger.error(
                "a request met trouble", extra={"request_id": out.request_id, **logged(error)}
            )
        await out.fail(explained)


def _log(scope: Scope, out: Out, began: float) -> None:
    """Nothing that a caller wrote is in it, but for the path's own words."""
    first = None if out.first_at is None else round(out.first_at - began, 4)
    logger.info(
        "request",
        request_id=out.request_id,
        route=scope["path"].split("/")[2:3],
        status=out.status,
        code=out.code,
        seconds=round(time.monotonic() - began, 4),
        first_seconds=first,
    )


def _asking(question: str) -> Handle:
    async def handle(
        parts: Parts, scope: Scope, receive: Receive, out: Out, caller: Caller
    ) -> None:
        began, headers = time.monotonic(), Headers(scope=scope)
        raw = await parts.bodies.read(receive, headers)
        if len(raw) > _READ_AT_ONCE_BYTES:
            asked = await asyncio.to_thread(read, raw, question, caller)
        else:
            asked = read(raw, question, caller)
        prefer = ",".join(headers.getlist("prefer"))
        wanted = Question(
            asked,
            patience(prefer, parts.waits.usual, parts.waits.longest),
            len(raw),
            headers.get("x-autoscaler-progress", "").strip().lower() == "events",
            began,
            parts.clock.now(),
        )
        await _while_there(parts.answering.answer(wanted, out), receive, out)

    return handle


async def _while_there(work: Any, receive: Receive, out: Out) -> None:
    """Ends the work, and by that the request to the model, when the caller goes away."""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            out.code = "caller_gone"
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await working
            return
        await working
    finally:
        gone.cancel()
        if not working.done():
            working.cancel()
            await asyncio.wait({working})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _models(parts: Parts, scope: Scope, receive: Receive, out: Out, caller: Caller) -> None:
    records = [r for r in await parts.states.all() if r.status.phase not in _GONE]
    data = sorted((_described(record) for record in records), key=lambda one: str(one["id"]))
    await out.document(200, {"object": "list", "data": data})


async def _model(parts: Parts, scope: Scope, receive: Receive, out: Out, caller: Caller) -> None:
    name = scope["path_params"]["name"]
    record = await parts.states.record(name)
    if record is None or record.status.phase in _GONE:
        why = f"there is no endpoint {name!r:.60}; GET /v1/models lists them"
        raise GatewayError(404, "model_not_found", why, param="model")
    await out.document(200, _described(record))


def _described(record: Any) -> dict[str, Any]:
    status, spec = record.status, record.spec
    return {
        "id": status.name,
        "object": "model",
        "created": int(status.created_at.timestamp()),
        "owned_by": spec.team,
        "phase": status.phase.value,
        "root": spec.model.id,
    }


async def _request(parts: Parts, scope: Scope, receive: Receive, out: Out, caller: Caller) -> None:
    """`?endpoint=` for an id that its sender chose, which does not carry it."""
    ticket = scope["path_params"]["ticket"]
    given = _queried(scope, "endpoint")
    endpoint = given or endpoint_of(ticket)
    if not (may_be_named(endpoint) and _ID.fullmatch(ticket)):
        hint = "that names its endpoint; give it as ?endpoint=NAME"
        which = f"of endpoint {given!r:.60}" if given else hint
        why = f"there is no request {ticket!r:.140} {which}"
        raise GatewayError(404, "request_not_found", why, param="endpoint")
    now = parts.clock.now()
    # An answer stays where it is when its endpoint goes.
    found = await parts.states.blocking(lambda: look(parts.tickets, endpoint, ticket, caller, now))
    if found.result:
        await out.document(200, {"status": found.status, **found.result})
        return
    record = await parts.states.record(endpoint)
    if record is None or is_gone(found, record):
        which = "any more" if record is None else "any more that this was sent to"
        why = f"there is no endpoint {endpoint!r} {which}, and {ticket!r} was not answered before"
        raise GatewayError(410, Code.GONE, why, more={"ticket": ticket})
    expected = expected_ready(record, now)
    seconds = None if expected is None else round(expected.total_seconds())
    document = {
        "id": ticket,
        "status": found.status,
        "endpoint": endpoint,
        "phase": record.status.phase.value,
        "expected_seconds": seconds,
        **because(record, now),
    }
    await out.document(202, document, retry_after(expected, UNSURE_SECONDS))


def _queried(scope: Scope, name: str) -> str:
    return str(QueryParams(scope["query_string"]).get(name, ""))


def _no_route(request: Any, _: Exception) -> Any:
    # Not `request.url`, which is made of the caller's Host.
    why = f"there is no {request.method} {request.scope['path']:.80} here; see /v1/models"
    error = GatewayError(404, "not_found", why)
    return JSONResponse(error.document(), 404, {"x-request-id": _request_id()})


def _request_id() -> str:
    return f"req-{token_hex(12)}"
