"""Turns pydantic's errors into the one sentence per field that a person needs."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from .endpoint import EndpointSpec
from .sentences import sentence

_LONGEST_NAME = 40


_MOST = 100  # sentences at a time
_LONGEST = 800  # characters of one


class SpecError(ValueError):
    """A spec that cannot be accepted; `problems` holds one sentence per field."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


def parse_spec(document: Any) -> EndpointSpec:
    """Returns the spec in a parsed YAML document; raises SpecError naming each wrong field."""
    if not isinstance(document, Mapping):
        found = "it is empty" if document is None else f"not {document!r:.80}"
        raise SpecError([f"an endpoint file is a mapping with `name:` and `model:`, {found}"])
    try:
        return EndpointSpec.model_validate(document)
    except ValidationError as invalid:
        problems = [_cut(_sentence(error, document)) for error in _causes(invalid)[:_MOST]]
        raise SpecError(problems) from invalid


def _causes(invalid: ValidationError) -> list[Any]:
    """Returns the errors without those of a list that is "too short" as its items are wrong."""
    errors = invalid.errors()
    inner = {error["loc"][:-1] for error in errors}
    return [error for error in errors if error["type"] != "too_short" or error["loc"] not in inner]


def _cut(sentence: str) -> str:
    """A value may be as large as a file; who wrote it knows it by its beginning."""
    return sentence if len(sentence) <= _LONGEST else f"{sentence[:_LONGEST]}…"


def _sentence(error: Any, document: Any) -> str:
    path = _path(error["loc"], document)
    if error["type"] == "extra_forbidden":
        return f"{path}: unknown key{_suggestion(error['loc'])}"
    if error["type"] == "missing":
        return f"{path}: this key is required"
    if error["type"] == "value_error":
        return f"{path}: {error['msg'].removeprefix('Value error, ')}"
    place = tuple(part for part in error["loc"] if isinstance(part, str))
    said = sentence(error["type"], place, error["input"], error.get("ctx", {}), error["msg"])
    return f"{path}: {said}"


def _path(loc: tuple[str | int, ...], document: Any) -> str:
    """Where in the file. A window goes by its name, or by its number from 1 if it has none; any
    other part of a list by its value, which the sentence tells."""
    parts: list[str] = []
    here = document
    for part in loc:
        here = _below(here, part)
        if isinstance(part, str):
            parts.append(part)
        elif parts and parts[-1] == "windows":
            name = here.get("name") if isinstance(here, Mapping) else None
            known = isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME
            parts.append(str(name) if known else f"number {part + 1}")
    return ".".join(parts) or "endpoint"


def _below(value: Any, part: str | int) -> Any:
    try:
        return value[part]
    except (KeyError, IndexError, TypeError):
        return None


def _suggestion(loc: tuple[str | int, ...]) -> str:
    model: type[BaseModel] | None = EndpointSpec
    for part in loc[:-1]:
        if isinstance(part, str):
            model = _model_at(model, part)
    if model is None:
        return ""
    known = list(model.model_fields)
    close = get_close_matches(str(loc[-1]), known, n=1)
    return f"; did you mean `{close[0]}`?" if close else f"; known keys: {', '.join(known)}"


def _model_at(model: type[BaseModel] | None, field: str) -> type[BaseModel] | None:
    if model is None or field not in model.model_fields:
        return None
    annotation = model.model_fields[field].annotation
    candidates = [annotation, *getattr(annotation, "__args__", ())]
    for candidate in candidates:
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None
