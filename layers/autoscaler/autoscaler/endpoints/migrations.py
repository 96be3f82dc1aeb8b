"""The schema of what the table holds, and the way from older ones to the present.

Each body is stored with the number of the schema that it was written in (`items`); 1 is that of
release 0.1.0, which wrote none. A body is brought up when it is read, and written in the present
schema by whatever writes it next. docs/decisions/0014 says what raises the number: a field that is
added with a default does not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from ..spec import EndpointSpec
from .short_starts import lengthened, shortened
from .status import EndpointStatus

Body = dict[str, Any]
SCHEMA = 2
FIRST = 1  # of a body that has no number beside it


class Part(StrEnum):
    """What a body is of."""

    SPEC = "spec"
    STATUS = "status"
    PATTERN = "pattern"
    STACK = "stack"
    PRICES = "prices"
    USAGE = "usage"
    HISTORY = "history"


class NewerSchemaError(RuntimeError):
    """The table was written by a newer release than this one: nothing of it may be touched."""


class UnreadableError(RuntimeError):
    """What is stored cannot be understood by this release."""


def brought_up(part: Part, schema: int, body: str) -> str:
    """The JSON of a body in the present schema.

    Raises NewerSchemaError for one that this release does not know, before anything of it is used.
    """
    if schema == SCHEMA:
        return body
    if schema > SCHEMA:
        raise NewerSchemaError(
            f"a {part} in the table has schema {schema}, and this release reads up to {SCHEMA}: "
            "it was rolled back too far; deploy the newer release again, which goes on where it "
            "was. Nothing was changed"
        )
    whole: Body = json.loads(body)
    for step in range(schema, SCHEMA):
        whole = STEPS[step](part, whole)
    return json.dumps(whole)


def _number_beside(part: Part, body: Body) -> Body:
    """1 to 2: the number stood within the status alone, where nobody looked at it; now it stands
    beside every body."""
    if part is Part.STATUS:
        return {key: value for key, value in body.items() if key != "schema_version"}
    return body


# By the schema that a step begins with.
STEPS: Mapping[int, Callable[[Part, Body], Body]] = {1: _number_beside}


def spec_of(body: str) -> EndpointSpec:
    """A stored spec. Keys that this release does not know were added by a newer one of the same
    schema, before a rollback: they are left out, as that release promises to work without them.

    Parameters and tags that no container and no service of AWS takes were taken from files until
    0.1.0; they are left out and mended. A file that a person applies is judged by `parse_spec`.
    """
    try:
        return EndpointSpec.model_validate_json(body)
    except ValidationError as invalid:
        return _without(json.loads(body), invalid)


def status_body(status: EndpointStatus) -> str:
    """A status as it is stored: without what is null or as it is by default, and its measured
    starts in their short form, under a name of its own. A release that does not know that name
    reads one without starts."""
    whole = status.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    whole["starts"] = [shortened(start) for start in whole.pop("cold_starts", ())]
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))


def status_of(body: str) -> EndpointStatus:
    """A stored status; the file that an update puts in place lies within, and is read as
    `spec_of` reads the other."""
    whole: Body = json.loads(body)
    if "starts" in whole:
        whole["cold_starts"] = [lengthened(start) for start in whole.pop("starts")]
    try:
        return EndpointStatus.model_validate(whole)
    except ValidationError as invalid:
        update = whole.get("update")
        if not update:
            raise UnreadableError(_sentence("status", whole, invalid)) from invalid
        spec = spec_of(json.dumps(update["spec"])).model_dump(mode="json")
        mended = {**whole, "update": {**update, "spec": spec}}
    try:
        return EndpointStatus.model_validate(mended)
    except ValidationError as still:
        raise UnreadableError(_sentence("status", whole, still)) from still


def _without(spec: Body, invalid: ValidationError) -> EndpointSpec:
    for error in invalid.errors():
        if error["type"] == "extra_forbidden" or error["loc"][:2] == ("serving", "parameters"):
            _drop(spec, error["loc"])
        if error["loc"] == ("tags",):
            spec["tags"] = {_on_one_line(k): _on_one_line(v) for k, v in spec["tags"].items()}
    try:
        return EndpointSpec.model_validate_json(json.dumps(spec))
    except ValidationError as still:
        raise UnreadableError(_sentence("file", spec, still)) from still


def _on_one_line(text: str) -> str:
    return "".join(" " if one.isspace() else one for one in text)


def _drop(spec: Body, place: tuple[int | str, ...]) -> None:
    """Leaves what lies in one of several alternatives alone: its place names them too."""
    inner: Any = spec
    for key in place[:-1]:
        known = key in inner if isinstance(inner, dict) else isinstance(key, int)
        if not known:
            return
        inner = inner[key]
    inner.pop(place[-1], None)


def _sentence(what: str, body: Body, invalid: ValidationError) -> str:
    first = invalid.errors()[0]
    field = ".".join(map(str, first["loc"])) or "the whole"
    return (
        f"the stored {what} of {body.get('name', 'an endpoint')} cannot be read by this release "
        f"({field}: {first['msg']}): deploy the release again that wrote it. Nothing was changed"
    )
