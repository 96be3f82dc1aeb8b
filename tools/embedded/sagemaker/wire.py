"""The protocols around the shapes: AWS JSON 1.1 (by X-Amz-Target) and rest-json (by method, path).

A reply that its model does not allow raises ReplyShapeError: a bug of ours, not of the caller.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from urllib.parse import unquote

from botocore.model import OperationModel, ServiceModel, Shape, StructureShape
from werkzeug.wrappers import Request, Response

from tools.embedded.shapes import ReplyShapeError, ServiceError, check, problems, service_model

JSON_TYPE = "application/x-amz-json-1.1"
STREAM_TYPE = "application/vnd.amazon.eventstream"
_TOO_LARGE = "HTTP content length exceeded {} bytes."


@dataclass(frozen=True)
class Call:
    """A request that has the right shape."""

    service: str
    operation: OperationModel
    arguments: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.operation.name)


def parse(service: str, request: Request) -> Call:
    """Raises ServiceError for a request that the service would refuse by its shape."""
    model = service_model(service)
    rest = model.metadata["protocol"] == "rest-json"
    call = (_parse_rest if rest else _parse_json)(service, model, request)
    shape = call.operation.input_shape
    if shape is not None:
        check(call.arguments, shape, "ValidationError" if rest else "ValidationException")
    return call


def _parse_json(service: str, model: ServiceModel, request: Request) -> Call:
    prefix, _, name = request.headers.get("X-Amz-Target", "").rpartition(".")
    if prefix != model.metadata["targetPrefix"] or name not in model.operation_names:
        raise ServiceError("UnknownOperationException", f"There is no operation {name!r}.")
    try:
        body = json.loads(request.get_data() or b"{}")
    except ValueError as error:
        raise ServiceError("SerializationException", f"The body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise ServiceError("SerializationException", "The body must be an object.")
    return Call(service, model.operation_model(name), _without_nulls(body))


def _parse_rest(service: str, model: ServiceModel, request: Request) -> Call:
    for name in model.operation_names:
        operation = model.operation_model(name)
        route = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", operation.http["requestUri"])
        found = re.fullmatch(route, request.path)
        if found and operation.http["method"] == request.method:
            uri = {key: unquote(value) for key, value in found.groupdict().items()}
            return Call(service, operation, _members_of(operation, uri, request))
    raise ServiceError("UnknownOperationException", f"There is no {request.path}.", 404)


def _members_of(operation: OperationModel, uri: dict[str, str], request: Request) -> dict[str, Any]:
    shape = cast(StructureShape, operation.input_shape)
    members: dict[str, Any] = {}
    for name, member in shape.members.items():
        where, label = member.serialization.get("location"), member.serialization.get("name", name)
        if where == "uri":
            members[name] = uri[label]
        elif where == "header" and label in request.headers:
            value = request.headers[label]
            whole = member.type_name in ("integer", "long") and value.lstrip("-").isdigit()
            members[name] = int(value) if whole else value
    payload = shape.serialization.get("payload")
    if payload:
        body = request.get_data()
        most = shape.members[payload].metadata.get("max", len(body))
        if len(body) > most:
            raise ServiceError("413", _TOO_LARGE.format(most), 413)
        if body or payload in shape.required_members:
            members[payload] = body
    return members


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def reply(
    call: Call, members: Mapping[str, Any] | None = None, body: bytes | Iterable[bytes] = b""
) -> Response:
    """`members` in the protocol of the call; `body` is the payload of a rest-json operation."""
    shape, given = call.operation.output_shape, _without_nulls(dict(members or {}))
    headers = {"x-amzn-RequestId": str(uuid.uuid4())}
    payload = shape.serialization.get("payload") if shape is not None else None
    if shape is not None:
        _must_fit(call, {**given, payload: b""} if payload else given, shape)
    if service_model(call.service).metadata["protocol"] == "json":
        return Response(json.dumps(given, default=_number_of), 200, headers, content_type=JSON_TYPE)
    return _rest_reply(call, cast(StructureShape, shape), given, body, headers)


def _rest_reply(
    call: Call,
    shape: StructureShape,
    given: dict[str, Any],
    body: bytes | Iterable[bytes],
    headers: dict[str, str],
) -> Response:
    rest = {}
    for name, value in given.items():
        where = shape.members[name].serialization
        if where.get("location") == "header":
            headers[where["name"]] = str(value)
        else:
            rest[name] = value
    status = int(call.operation.http.get("responseCode", 200))
    content = json.dumps(rest).encode() if rest else body
    kind = headers.pop("Content-Type", "application/json")
    if call.operation.has_event_stream_output:
        kind = STREAM_TYPE
    return Response(content, status, headers, content_type=kind)


def _must_fit(call: Call, given: dict[str, Any], shape: Shape) -> None:
    members = {k: v for k, v in given.items() if k != "Body"}
    try:
        found = [p for p in problems(members, shape) if "null at 'body'" not in p]
    except ServiceError as error:
        raise ReplyShapeError(f"{call.name}: {error.message}") from error
    if found:
        raise ReplyShapeError(f"{call.name}: {'; '.join(found)}")


def _number_of(value: Any) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{type(value).__name__} is no JSON")


def refuse(service: str, error: ServiceError) -> Response:
    """An error reply; members and status as the model has them."""
    model = service_model(service)
    shapes = {shape.name: shape for shape in model.error_shapes}
    shape, label, status = shapes.get(error.code), "message", error.status
    if shape is not None:
        label = next((name for name in shape.members if name.lower() == "message"), label)
        status = shape.metadata.get("error", {}).get("httpStatusCode", status)
    body = {"__type": error.code, label: error.message, **error.members}
    headers = {"x-amzn-RequestId": str(uuid.uuid4()), "x-amzn-errortype": error.code}
    return Response(json.dumps(body), status, headers, content_type=JSON_TYPE)
