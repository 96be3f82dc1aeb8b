"""Requests and replies of the JSON protocols, held against botocore's service models.

A call that AWS would refuse by its shape is refused here in AWS's words; a reply of the wrong
shape is a bug of ours and raises.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape
from werkzeug.wrappers import Request, Response

_CONTENT_TYPE = "application/x-amz-json-1.1"
_NUMBERS = {"integer": int, "long": int, "float": (int, float), "double": (int, float)}


class ServiceError(Exception):
    """An error as the service answers it."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def invalid(message: str) -> ServiceError:
    """SageMaker's answer to most of what is wrong."""
    return ServiceError("ValidationException", message)


class ReplyShapeError(AssertionError):
    """A reply that the service model does not allow."""


@cache
def service_model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


@cache
def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error:  # Java's dialect: what Python cannot read is not checked
        return re.compile("(?s).*")


def problems(value: Any, shape: Shape, path: str = "") -> list[str]:
    """Every way in which a value breaks its shape, in AWS's words."""
    check = _CHECKS.get(shape.type_name)
    return check(value, shape, path) if check else []


def _told(value: Any, path: str, constraint: str) -> str:
    return f"Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"


def _structure(value: Any, shape: Any, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [_told(value, path, "Member must be a structure")]
    prefix = f"{path}." if path else ""
    found = [
        f"Value null at '{prefix}{name}' failed to satisfy constraint: Member must not be null"
        for name in shape.required_members
        if value.get(name) is None
    ]
    for name, item in value.items():
        if name not in shape.members:
            found.append(f"Unknown member '{name}' at '{path}'")
        elif item is not None:
            found += problems(item, shape.members[name], prefix + name)
    return found


def _list(value: Any, shape: Any, path: str) -> list[str]:
    if not isinstance(value, list):
        return [_told(value, path, "Member must be a list")]
    found = _length(value, shape, path)
    for number, item in enumerate(value, 1):
        found += problems(item, shape.member, f"{path}.{number}.member")
    return found


def _map(value: Any, shape: Any, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [_told(value, path, "Member must be a map")]
    found = _length(list(value), shape, path)
    for key, item in value.items():
        found += problems(key, shape.key, f"{path}.key")
        found += problems(item, shape.value, f"{path}.{key}")
    return found


def _string(value: Any, shape: Any, path: str) -> list[str]:
    if not isinstance(value, str):
        return [_told(value, path, "Member must be a string")]
    if shape.enum and value not in shape.enum:
        allowed = ", ".join(shape.enum)
        return [_told(value, path, f"Member must satisfy enum value set: [{allowed}]")]
    found = _length(value, shape, path)
    pattern = shape.metadata.get("pattern")
    if pattern and not _pattern(pattern).fullmatch(value):
        text = f"Member must satisfy regular expression pattern: {pattern}"
        found.append(_told(value, path, text))
    return found


def _length(value: Any, shape: Shape, path: str) -> list[str]:
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max")
    if len(value) < low:
        return [_told(value, path, f"Member must have length greater than or equal to {low}")]
    if high is not None and len(value) > high:
        return [_told(value, path, f"Member must have length less than or equal to {high}")]
    return []


def _number(value: Any, shape: Shape, path: str) -> list[str]:
    if isinstance(value, bool) or not isinstance(value, _NUMBERS[shape.type_name]):
        return [_told(value, path, "Member must be a number")]
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and value < low:
        return [_told(value, path, f"Member must have value greater than or equal to {low}")]
    if high is not None and value > high:
        return [_told(value, path, f"Member must have value less than or equal to {high}")]
    return []


def _boolean(value: Any, _shape: Shape, path: str) -> list[str]:
    return [] if isinstance(value, bool) else [_told(value, path, "Member must be a boolean")]


_CHECKS: dict[str, Callable[[Any, Any, str], list[str]]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "boolean": _boolean,
    **dict.fromkeys(_NUMBERS, _number),
}


def serialized(value: Any, shape: Shape | None) -> Any:
    """A reply as the JSON protocol writes it; raises ReplyShapeError for a wrong one."""
    if shape is None:
        return value
    if shape.type_name == "structure":
        present = {name: item for name, item in value.items() if item is not None}
        unknown = sorted(set(present) - set(shape.members))
        missing = sorted(set(shape.required_members) - set(present))
        if unknown or missing:
            raise ReplyShapeError(f"{shape.name}: unknown {unknown}, missing {missing}")
        return {name: serialized(item, shape.members[name]) for name, item in present.items()}
    if shape.type_name == "list":
        return [serialized(item, shape.member) for item in value]
    if shape.type_name == "map":
        return {key: serialized(item, shape.value) for key, item in value.items()}
    if isinstance(value, datetime):
        return value.timestamp()
    return value


class JsonService:
    """A service of the AWS JSON 1.1 protocol; an operation is the method of its name."""

    service = ""
    signing_names: tuple[str, ...] = ()

    def handle(self, request: Request) -> Response:
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        try:
            return self.reply(self.call(operation, json.loads(request.get_data() or b"{}")))
        except ServiceError as error:
            return self.refuse(error)

    def call(self, operation: str, arguments: dict[str, Any]) -> Any:
        """Validates, performs, validates."""
        model = service_model(self.service)
        if operation not in model.operation_names:
            raise ServiceError("UnknownOperationException", f"there is no {operation}")
        described = model.operation_model(operation)
        found = problems(arguments, described.input_shape) if described.input_shape else []
        if found:
            count = f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected"
            raise invalid(f"{count}: {'; '.join(found)}")
        method = getattr(self, re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower(), None)
        if method is None:
            raise ServiceError(
                "NotImplementedException", f"the embedded account has no {operation}", 501
            )
        return serialized(method(**arguments) or {}, described.output_shape)

    def reply(self, body: Any) -> Response:
        headers = {"x-amzn-RequestId": str(uuid.uuid4())}
        return Response(json.dumps(body), content_type=_CONTENT_TYPE, headers=headers)

    def refuse(self, error: ServiceError) -> Response:
        body = json.dumps({"__type": error.code, "message": error.message})
        headers = {"x-amzn-RequestId": str(uuid.uuid4()), "x-amzn-errortype": error.code}
        return Response(body, error.status, headers, content_type=_CONTENT_TYPE)

    def close(self) -> None:
        """Nothing runs by itself."""
