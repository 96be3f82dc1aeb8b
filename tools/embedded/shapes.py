"""Values held against botocore's service models, in AWS's words.

`check` refuses what AWS would refuse by its shape: required members, unknown members, types, enums,
patterns, lengths and ranges, at any depth. `tools.embedded.sagemaker.wire` has the protocols.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

# Java's regular expressions, as the models have them, in Python's dialect.
_JAVA = {
    r"\uD800\uDC00-\uDBFF\uDFFF": "\U00010000-\U0010ffff",
    r"\p{ASCII}": r"\x00-\x7f",
    r"\p{Print}": r"\x20-\x7e",
    r"\p{L}": r"\w",
    r"\p{N}": r"0-9",
    r"\p{Z}": " \u00a0\u2000-\u200a\u2028\u2029\u3000",
    r"\z": r"\Z",
}


class ServiceError(Exception):
    """An error as the service answers it; `members` are those that its shape has besides."""

    def __init__(
        self, code: str, message: str, status: int = 400, members: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status
        self.members = dict(members or {})


class ReplyShapeError(AssertionError):
    """A reply that the service model does not allow."""


def invalid(message: str) -> ServiceError:
    """The answer to most of what is wrong in a control plane."""
    return ServiceError("ValidationException", message)


@cache
def service_model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


@cache
def pattern(text: str) -> re.Pattern[str]:
    """A model's regular expression; a lone property class stands for itself in brackets."""
    for java, python in _JAVA.items():
        text = text.replace(java, python)
    if re.match(r"\\x\d\d-", text):  # such as \p{ASCII}* outside of brackets
        text = re.sub(r"^(\\x\d\d-\\x\w\w)", r"[\1]", text)
    try:
        return re.compile(text, re.DOTALL)
    except re.error:  # only of operations that nobody here calls (a contract test looks)
        return re.compile(".*", re.DOTALL)


def check(value: Any, shape: Shape, code: str = "ValidationException") -> None:
    """Raises ServiceError with every constraint that the value breaks."""
    found = problems(value, shape)
    if found:
        count = f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected"
        raise ServiceError(code, f"{count}: {'; '.join(found)}")


def problems(value: Any, shape: Shape, path: str = "") -> list[str]:
    """Every constraint that a value breaks; raises ServiceError for a value of another type."""
    kind = str(shape.type_name)
    expected = _TYPES[kind]
    if not isinstance(value, expected) or (isinstance(value, bool) and kind != "boolean"):
        told = "Start of structure or map" if isinstance(value, dict | list) else _token(value)
        where = f" (at '{path}')" if path else ""
        raise ServiceError(
            "SerializationException", f"{told} can not be converted to {kind.title()}{where}"
        )
    check = _CHECKS.get(kind)
    return check(value, shape, path) if check else []


def _token(value: Any) -> str:
    if isinstance(value, bool):
        return f"{value}_VALUE".upper()
    return "STRING_VALUE" if isinstance(value, str) else "NUMBER_VALUE"


def _told(value: Any, path: str, constraint: str) -> str:
    return f"Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"


def _structure(value: Any, shape: Any, path: str) -> list[str]:
    prefix = f"{path}." if path else ""
    found = [
        f"Value null at '{prefix}{_camel(name)}' failed to satisfy constraint: "
        "Member must not be null"
        for name in shape.required_members
        if name not in value
    ]
    for name, item in value.items():
        at = prefix + _camel(name)
        if name in shape.members:
            found += problems(item, shape.members[name], at)
        else:
            found.append(_told(item, at, f"Member must be one of those of {shape.name}"))
    return found


def _list(value: Any, shape: Any, path: str) -> list[str]:
    found = _size(value, shape, path, "length")
    for number, item in enumerate(value, 1):
        found += problems(item, shape.member, f"{path}.{number}.member")
    return found


def _map(value: Any, shape: Any, path: str) -> list[str]:
    found = _size(value, shape, path, "length")
    for key, item in value.items():
        found += problems(key, shape.key, f"{path}.{key}.key")
        found += problems(item, shape.value, f"{path}.{key}.value")
    return found


def _string(value: Any, shape: Any, path: str) -> list[str]:
    shown = "***" if shape.metadata.get("sensitive") else value
    if shape.enum and value not in shape.enum:
        allowed = ", ".join(shape.enum)
        return [_told(shown, path, f"Member must satisfy enum value set: [{allowed}]")]
    found = _size(value, shape, path, "length")
    text = shape.metadata.get("pattern")
    if text and not pattern(text).fullmatch(value):
        found.append(_told(shown, path, f"Member must satisfy regular expression pattern: {text}"))
    return found


def _number(value: Any, shape: Shape, path: str) -> list[str]:
    return _size(value, shape, path, "value")


def _size(value: Any, shape: Shape, path: str, what: str) -> list[str]:
    size = value if what == "value" else len(value)
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        return [_told(value, path, f"Member must have {what} greater than or equal to {low}")]
    if high is not None and size > high:
        return [_told(value, path, f"Member must have {what} less than or equal to {high}")]
    return []


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]


_TYPES: dict[str, Any] = {
    "structure": dict, "map": dict, "list": list, "string": str, "boolean": bool,
    "integer": int, "long": int, "float": (int, float), "double": (int, float),
    "timestamp": (int, float, datetime), "blob": (bytes, str),
}  # fmt: skip
_CHECKS: dict[str, Callable[[Any, Any, str], list[str]]] = {
    "structure": _structure, "list": _list, "map": _map, "string": _string,
    **dict.fromkeys(("integer", "long", "float", "double"), _number),
}  # fmt: skip
