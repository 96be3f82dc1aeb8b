"""Failures that a test orders, answered in place of a service, in the service's own protocol."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any
from urllib.parse import parse_qs

from werkzeug.wrappers import Request, Response

from tools.embedded.armed import ArmedFaults
from tools.embedded.kernel.errors import error_reply
from tools.embedded.types import Fault

_INVOCATION = re.compile(r"/endpoints/[^/]+/(invocations|invocations-response-stream)$")
_STREAM = {"invocations": "InvokeEndpoint"}
_LAMBDA = re.compile(r"/2015-03-31/(event-source-mappings|functions/[^/]+/invocations)")
_MAPPINGS, _CALLS = "event-source-mappings", "invocations"
_LAMBDAS = {
    (_MAPPINGS, "GET"): "ListEventSourceMappings",
    (_MAPPINGS, "POST"): "CreateEventSourceMapping",
    (_MAPPINGS, "DELETE"): "DeleteEventSourceMapping",
    (_CALLS, "POST"): "Invoke",
}


_KINDS: dict[str, tuple[type, str]] = {
    "operation": (str, "a text such as sqs:SendMessage"),
    "error_code": (str, "a text such as ThrottlingException"),
    "message": (str, "a text"),
    "status": (int, "a whole number from 400 to 599"),
    "times": (int, "a whole number from 1"),
    "matching": (dict, "an object"),
}


class ControlError(ValueError):
    """An order to the account that it does not understand; names the field."""


def fault_of(body: Mapping[str, Any]) -> Fault:
    """The fault that a document orders. Raises ControlError."""
    known = [field.name for field in fields(Fault)]
    for name, value in body.items():
        if name not in known:
            raise ControlError(f"{name}: unknown; a fault has {', '.join(known)}")
        kind, wanted = _KINDS[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ControlError(f"{name}: {value!r} is not {wanted}")
    for name in ("operation", "error_code"):
        if not body.get(name):
            raise ControlError(f"{name}: is needed")
    if ":" not in body["operation"]:
        raise ControlError(f"operation: {body['operation']!r} is not {_KINDS['operation'][1]}")
    if not 400 <= body.get("status", 400) < 600:
        raise ControlError(f"status: {body['status']} is not {_KINDS['status'][1]}")
    if body.get("times", 1) < 1:
        raise ControlError(f"times: {body['times']} is not {_KINDS['times'][1]}")
    return Fault(**body)


class Faults(ArmedFaults):
    """Those of the whole account, which knows a call by its request."""

    def answer(self, service: str, request: Request) -> Response | None:
        """The injected error, if one waits for this request."""
        body = request.get_data(as_text=False)
        fault = self.take(f"{service}:{operation_of(request)}", lambda one: _matches(one, body))
        if fault is None:
            return None
        return error_reply(request, fault.error_code, fault.message, fault.status, service=service)


def operation_of(request: Request) -> str:
    """The API operation of a request: JSON target, Query action, or the method of a REST path."""
    target = request.headers.get("X-Amz-Target")
    if target:
        return target.rpartition(".")[2]
    if invoked := _INVOCATION.search(request.path):
        return _STREAM.get(invoked[1], "InvokeEndpointWithResponseStream")
    if request.content_type and "x-www-form-urlencoded" in request.content_type:
        return parse_qs(request.get_data(as_text=True)).get("Action", [""])[0]
    if request.path.startswith("/service/"):
        return request.path.rpartition("/")[2]
    if lambdas := _LAMBDA.search(request.path):
        return _LAMBDAS.get((lambdas[1].rpartition("/")[2], request.method), "")
    return {"GET": "GetObject", "PUT": "PutObject", "HEAD": "HeadObject"}.get(request.method, "")


def _matches(fault: Fault, body: bytes) -> bool:
    if not fault.matching:
        return True
    try:
        members = json.loads(body or b"{}")
    except ValueError:
        return False
    return all(members.get(name) == value for name, value in fault.matching.items())
