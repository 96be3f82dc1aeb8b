"""The defaults of everything that lies in a stored status, told by the code that it runs with.

A script without imports of this repository's tests: the release before runs it too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, TypeAdapter

from autoscaler.endpoints.status import EndpointStatus

REQUIRED = "(required)"


def models(kind: Any, seen: set[type]) -> Iterator[type]:
    """Every model and dataclass that lies in a field of this one, and itself."""
    for inner in get_args(kind):
        yield from models(inner, seen)
    if not isinstance(kind, type) or kind in seen:
        return
    seen.add(kind)
    if issubclass(kind, BaseModel) or is_dataclass(kind):
        yield kind
        for hint in get_type_hints(kind).values():
            yield from models(hint, seen)


def defaults(kind: Any) -> dict[str, Any]:
    """By field; REQUIRED where there is none."""
    if issubclass(kind, BaseModel):
        return {
            name: REQUIRED
            if field.is_required()
            else field.get_default(call_default_factory=True, validated_data={})
            for name, field in kind.model_fields.items()
        }
    return {one.name: _of_a_dataclass(one) for one in fields(kind)}


def _of_a_dataclass(field: Any) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return REQUIRED if field.default is MISSING else field.default


def in_words() -> dict[str, dict[str, Any]]:
    """Those of all that lies in a status, by class, as JSON."""
    words = TypeAdapter(Any)
    return {
        kind.__name__: words.dump_python(defaults(kind), mode="json")
        for kind in models(EndpointStatus, set())
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(in_words()))
