"""Requests and replies against botocore's service models."""

from __future__ import annotations

import json
import re
import uuid
from datetime import datetime
from functools import lru_cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel
from werkzeug.wrappers import Request, Response


class ServiceError(Exception):
    def __init__(self, code, message, status=400, **members):
        super().__init__(message)
        self.code, self.message, self.status, self.members = code, message, status, members


@lru_cache
def model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


@lru_cache(4096)
def _pattern(p):
    try:
        return re.compile(p)
    except re.error:
        return re.compile("(?s).*")


def problems(v: Any, shape, path: str) -> list[str]:
    t, m = shape.type_name, shape.metadata

    def bad(c):
        return [f"Value '{v}' at '{path}' failed to satisfy constraint: {c}"]

    if t == "structure":
        if not isinstance(v, dict):
            return bad("Member must be a structure")
        out = []
        for r in shape.required_members:
            if v.get(r) is None:
                out.append(
                    f"Value null at '{path + '.' if path else ''}{r}' failed to satisfy constraint: Member must not be null"
                )
        for k, x in v.items():
            if k not in shape.members:
                out.append(f"Unknown member '{k}' at '{path}'")
            elif x is not None:
                out += problems(x, shape.members[k], f"{path}.{k}" if path else k)
        if m.get("union") and len(v) != 1:
            out += bad("exactly one member must be set")
        return out
    if t == "list":
        if not isinstance(v, list):
            return bad("Member must be a list")
        out = []
        if len(v) < m.get("min", 0):
            out += bad(f"Member must have length greater than or equal to {m['min']}")
        if "max" in m and len(v) > m["max"]:
            out += bad(f"Member must have length less than or equal to {m['max']}")
        for i, x in enumerate(v):
            out += problems(x, shape.member, f"{path}.{i + 1}.member")
        return out
    if t == "map":
        if not isinstance(v, dict):
            return bad("Member must be a map")
        return [
            p
            for k, x in v.items()
            for p in problems(k, shape.key, f"{path}.key") + problems(x, shape.value, f"{path}.{k}")
        ]
    if t == "string":
        if not isinstance(v, str):
            return bad("Member must be a string")
        if shape.enum and v not in shape.enum:
            return bad(f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
        if len(v) < m.get("min", 0):
            return bad(f"Member must have length greater than or equal to {m['min']}")
        if "max" in m and len(v) > m["max"]:
            return bad(f"Member must have length less than or equal to {m['max']}")
        if "pattern" in m and not _pattern(m["pattern"]).fullmatch(v):
            return bad(f"Member must satisfy regular expression pattern: {m['pattern']}")
        return []
    if t in ("integer", "long"):
        if not isinstance(v, int) or isinstance(v, bool):
            return bad("Member must be an integer")
    if t in ("float", "double") and not isinstance(v, (int, float)):
        return bad("Member must be a number")
    if t == "boolean" and not isinstance(v, bool):
        return bad("Member must be a boolean")
    if t in ("integer", "long", "float", "double"):
        if "min" in m and v < m["min"]:
            return bad(f"Member must have value greater than or equal to {m['min']}")
        if "max" in m and v > m["max"]:
            return bad(f"Member must have value less than or equal to {m['max']}")
    return []


def check(v, shape):
    found = problems(v, shape, "") if shape is not None else []
    if found:
        raise ServiceError(
            "ValidationException",
            f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected: "
            + "; ".join(found),
        )


def plain(v, shape):
    """A reply as the JSON protocol writes it; raises AssertionError when it has another shape."""
    if shape is None:
        return v
    t = shape.type_name
    if t == "structure":
        unknown = set(v) - set(shape.members)
        assert not unknown, f"{shape.name}: {unknown}"
        missing = [r for r in shape.required_members if v.get(r) is None]
        assert not missing, f"{shape.name} lacks {missing}"
        return {k: plain(x, shape.members[k]) for k, x in v.items() if x is not None}
    if t == "list":
        return [plain(x, shape.member) for x in v]
    if t == "map":
        return {k: plain(x, shape.value) for k, x in v.items()}
    if t == "timestamp":
        return v.timestamp() if isinstance(v, datetime) else v
    return v


class JsonService:
    service = ""
    signing_names: tuple[str, ...] = ()

    def handle(self, request: Request) -> Response:
        op = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        try:
            return self.reply(self.call(op, json.loads(request.get_data() or b"{}")))
        except ServiceError as e:
            return self.error(e)

    def call(self, op, args):
        m = model(self.service)
        if op not in m.operation_names:
            raise ServiceError("UnknownOperationException", f"no operation {op}")
        o = m.operation_model(op)
        check(args, o.input_shape)
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", op).lower()
        if not hasattr(self, name):
            raise ServiceError(
                "NotImplementedException", f"the embedded account has no {self.service} {op}", 501
            )
        return plain(getattr(self, name)(**args) or {}, o.output_shape)

    def reply(self, body):
        return Response(
            json.dumps(body),
            content_type="application/x-amz-json-1.1",
            headers={"x-amzn-RequestId": str(uuid.uuid4())},
        )

    def error(self, e):
        return Response(
            json.dumps({"__type": e.code, "message": e.message, **e.members}),
            status=e.status,
            content_type="application/x-amz-json-1.1",
            headers={"x-amzn-RequestId": str(uuid.uuid4()), "x-amzn-errortype": e.code},
        )

    def close(self):
        pass
