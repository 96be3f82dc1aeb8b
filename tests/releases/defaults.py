"""The defaults of everything that lies in a stored status, told by the code that it runs with.

A script without imports of this repository's tests: the release before runs it too.
"""

from __future__ import annotations

import json
import sys
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, TypeAdapter

from autoscaler.endpoints.status import EndpointStatus

REQUIRED = "(required)"
Defaults = dict[str, dict[str, Any]]


def defaults_of(kind: Any, found: Defaults) -> Defaults:
    """By class and field, in words; REQUIRED where there is none."""
    for inner in get_args(kind):
        defaults_of(inner, found)
    if not isinstance(kind, type) or kind.__name__ in found:
        return found
    if issubclass(kind, BaseModel):
        found[kind.__name__] = {
            name: REQUIRED
            if field.is_required()
            else _words(field.get_default(call_default_factory=True, validated_data={}))
            for name, field in kind.model_fields.items()
        }
    elif is_dataclass(kind):
        given = {
            one.name: one.default if one.default is not MISSING else one.default_factory
            for one in fields(kind)
        }
        found[kind.__name__] = {
            name: REQUIRED if value is MISSING else _words(value() if callable(value) else value)
            for name, value in given.items()
        }
    else:
        return found
    for hint in get_type_hints(kind).values():
        defaults_of(hint, found)
    return found


def _words(value: Any) -> Any:
    return TypeAdapter(Any).dump_python(value, mode="json")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(defaults_of(EndpointStatus, {})))
