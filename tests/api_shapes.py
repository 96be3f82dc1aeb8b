"""Holds requests against botocore's models of AWS's APIs, more strictly than botocore does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ServiceModel, Shape
from botocore.validate import ParamValidator

# AWS's patterns are Java's and JavaScript's; what Python spells otherwise.
_SPELLINGS = (
    (r"\p{L}", r"\w"),
    (r"\p{Z}", r"\s"),
    (r"\p{N}", r"\d"),
    (r"\p{Print}", r"[\x20-\x7e]"),
    (r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF"),
)


def check(service: str, operation: str, request: dict[str, Any]) -> None:
    """Shape by botocore's validator; enums, patterns and maxima, which it lets through.

    Raises AssertionError with every problem.
    """
    shape = _service(service).operation_model(operation).input_shape
    assert shape is not None
    report = ParamValidator().validate(request, shape).generate_report()
    problems = [*filter(None, [report]), *_problems(shape, request, operation)]
    assert not problems, "\n".join(problems)


@cache
def _service(name: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(name)


def _problems(shape: Any, value: Any, path: str) -> Iterator[str]:
    for inner_shape, inner, inner_path in _parts(shape, value, path):
        yield from _problems(inner_shape, inner, inner_path)
    most = shape.metadata.get("max")
    if most is not None and _size(value) > most:
        yield f"{path}: {value!r:.80} is more than {most}"
    if isinstance(value, str):
        yield from _text_problems(shape, value, path)


def _parts(shape: Any, value: Any, path: str) -> Iterator[tuple[Shape, Any, str]]:
    """What is inside; unknown keys are reported by botocore."""
    if shape.type_name == "structure":
        known = {key: inner for key, inner in value.items() if key in shape.members}
        for key, inner in known.items():
            yield shape.members[key], inner, f"{path}.{key}"
    elif shape.type_name == "list":
        for index, inner in enumerate(value):
            yield shape.member, inner, f"{path}[{index}]"
    elif shape.type_name == "map":
        for key, inner in value.items():
            yield shape.key, key, f"{path} key"
            yield shape.value, inner, f"{path}[{key}]"


def _size(value: Any) -> float:
    return value if isinstance(value, int | float) else len(value)


def _text_problems(shape: Any, value: str, path: str) -> Iterator[str]:
    if shape.enum and value not in shape.enum:
        yield f"{path}: {value!r} is not one of its values"
    pattern = shape.metadata.get("pattern", r"(?s).*")
    for theirs, ours in _SPELLINGS:
        pattern = pattern.replace(theirs, ours)
    if not re.fullmatch(pattern, value):
        yield f"{path}: {value!r} does not match {pattern}"
