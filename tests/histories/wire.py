"""Every call to AWS in this process: no socket, one place to look at it, disturb it and order it.

A hook of botocore's answers a call in place of its endpoint, after the request was built and before
it would be signed and sent. So a fault stands for what is left after the client's own retries.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse, create_request_object
from botocore.endpoint import convert_to_response_dict
from botocore.exceptions import ReadTimeoutError
from botocore.parsers import create_parser
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from tests.histories.faults import CARRIED_OUT, KILLS, Call, Fault, Killed, RefusedError, words
from tests.histories.rights import Rights
from tools.embedded.types import Service

T = TypeVar("T")
Strike = Callable[[Call], Fault | None]
OWNER = "owner"


@dataclass
class Actor:
    """Who calls: an invocation of a function, an execution, or the test itself."""

    name: str = OWNER
    dead: bool = False


class _Here(threading.local):
    actor = Actor()


@dataclass
class Wire:
    """Calls of the owner are neither disturbed nor recorded."""

    services: dict[str, Service] = field(default_factory=dict)
    json_services: dict[str, Callable[[str, dict[str, Any]], dict[str, Any]]] = field(
        default_factory=dict
    )
    strike: Strike | None = None  # what becomes of the next call
    gate: Callable[[Call], None] | None = None  # returns when it is this call's turn
    seen: list[Callable[[Call], None]] = field(default_factory=list)
    answered: list[Callable[[Call], None]] = field(default_factory=list)
    fired: list[tuple[Call, Fault]] = field(default_factory=list)
    rights: Rights | None = None  # of whoever is not the owner; None: everybody may do everything

    def __post_init__(self) -> None:
        self._here = _Here()
        self._moto = BotocoreStubber()
        self._parsers: dict[str, Any] = {}

    @contextmanager
    def acting(self, name: str) -> Iterator[Actor]:
        """Whoever calls in this block, in this thread."""
        before, self._here.actor = self._here.actor, Actor(name)
        try:
            yield self._here.actor
        finally:
            self._here.actor = before

    def attach(self, session: Any) -> None:
        session.get_component("event_emitter").register("before-call", self._before_call)

    def carry(self, call: Call, answer: Callable[[], T]) -> T:
        """The answer, or what is to happen in its place. Raises RefusedError, a botocore error, or
        Killed."""
        actor = self._here.actor
        if actor.dead:
            raise Killed(call.name)
        if actor.name == OWNER:
            return answer()
        if self.gate is not None:
            self.gate(call)
        for look in self.seen:
            look(call)
        fault = self.strike(call) if self.strike else None
        if fault is None:
            return answer()
        self.fired.append((call, fault))
        if fault in CARRIED_OUT:
            self._carried_out(answer, fault)
        if fault in KILLS:
            actor.dead = True
            raise Killed(call.name)
        if fault is Fault.TWICE:
            return answer()
        if fault in (Fault.LOST, Fault.UNANSWERED):
            raise ReadTimeoutError(endpoint_url=f"https://{call.service}")
        said = words(fault, call)
        assert said is not None, f"{call.name} cannot be answered with {fault}"
        raise said

    def call(self, service: str, operation: str, request: dict[str, Any]) -> Call:
        return Call(service, operation, self._here.actor.name, request)

    def put_presigned(self, url: str, headers: dict[str, str], body: bytes) -> AWSResponse:
        """What S3 answers to a PUT that bypasses botocore (presigned.py)."""
        parts = urlsplit(url)
        where = {"url": url, "url_path": parts.path, "query_string": parts.query}
        self._check_rights("s3", {**where, "method": "PUT", "headers": headers, "body": body})
        return self._by_moto("s3", AWSPreparedRequest("PUT", url, headers, body, False))

    @staticmethod
    def _carried_out(answer: Callable[[], Any], fault: Fault) -> None:
        try:
            answer()
        except RefusedError:
            return  # a refusal that nobody hears

    def _before_call(
        self, model: Any, params: dict[str, Any], **_: Any
    ) -> tuple[AWSResponse, dict[str, Any]]:
        service = model.service_model.signing_name
        call = self.call(service, model.name, params)
        try:
            return self.carry(call, lambda: self._answer(call, model))
        except RefusedError as refused:
            return self._refused(params, refused)

    def _answer(self, call: Call, model: Any) -> tuple[AWSResponse, dict[str, Any]]:
        service, params = call.service, call.request
        if hasattr(params["body"], "seek"):  # a client that repeats a call sends all of it again
            params["body"].seek(0)
        self._check_rights(service, params)
        if service in self.json_services:
            return self._by_json(service, model, params)
        if service in self.services:
            response = self._by_service(self.services[service], params)
        else:
            response = self._by_moto(service, create_request_object(params).prepare())
        for look in self.answered:
            look(call)
        return response, self._parsed(model, response)

    def _check_rights(self, service: str, params: dict[str, Any]) -> None:
        actor = self._here.actor.name
        if self.rights is not None and actor != OWNER:
            environ, body = _environ(params), body_of(params)
            self.rights.check(actor, service, environ, lambda: body)

    def _by_json(
        self, service: str, model: Any, params: dict[str, Any]
    ) -> tuple[AWSResponse, dict[str, Any]]:
        reply = self.json_services[service](model.name, json.loads(params["body"] or b"{}"))
        return AWSResponse(params["url"], 200, {}, MockRawResponse(b"")), {**reply, **_meta(200)}

    def _by_service(self, service: Service, params: dict[str, Any]) -> AWSResponse:
        reply = service.handle(Request(_environ(params)))
        headers = dict(reply.headers)
        return AWSResponse(params["url"], reply.status_code, headers, MockRawResponse(reply.data))

    def _by_moto(self, service: str, request: AWSPreparedRequest) -> AWSResponse:
        if "Authorization" not in request.headers:  # moto reads Region and service from it
            request.headers["Authorization"] = (
                f"AWS4-HMAC-SHA256 Credential=still/20260101/us-east-1/{service}/aws4_request"
            )
        answered = self._moto.process_request(request)
        assert answered is not None, f"nobody answers {request.url}"
        status, headers, body = answered
        return AWSResponse(request.url, status, headers, MockRawResponse(body or b""))

    def _parsed(self, model: Any, response: AWSResponse) -> dict[str, Any]:
        protocol = model.service_model.resolved_protocol
        parser = self._parsers.setdefault(protocol, create_parser(protocol))
        told = convert_to_response_dict(response, model)
        parsed = dict(parser.parse(told, model.output_shape))
        if response.status_code >= 300:  # the members that an error has of its own
            shape = model.service_model.shape_for_error_code(parsed["Error"].get("Code", ""))
            more = parser.parse(told, shape) if shape is not None else {}
            parsed = {**more, **parsed}
        return parsed

    @staticmethod
    def _refused(
        params: dict[str, Any], refused: RefusedError
    ) -> tuple[AWSResponse, dict[str, Any]]:
        response = AWSResponse(params["url"], refused.status, {}, MockRawResponse(b""))
        return response, {"Error": refused.error, **_meta(refused.status)}


def _environ(params: dict[str, Any]) -> dict[str, Any]:
    """The request as a server would see it."""
    bucket, _, host = urlsplit(params["url"]).netloc.partition(".")
    before = f"/{bucket}" if host.startswith("s3.") else ""  # as by the address of its path
    return EnvironBuilder(
        path=before + params["url_path"].partition("?")[0],
        query_string=params["query_string"] or None,
        method=params["method"],
        headers=dict(params["headers"]),
        data=body_of(params),
    ).get_environ()


def body_of(params: dict[str, Any]) -> bytes:
    """What a request sends."""
    body = params["body"]
    if isinstance(body, dict):  # a form, as the query protocol has it
        return urlencode(body).encode()
    return body if isinstance(body, bytes) else str(body or "").encode()


def _meta(status: int) -> dict[str, Any]:
    told = {"HTTPStatusCode": status, "RequestId": "still", "HTTPHeaders": {}, "RetryAttempts": 0}
    return {"ResponseMetadata": told}
