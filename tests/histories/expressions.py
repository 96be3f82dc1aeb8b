"""JSONata as state machines have it, compiled once a text."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonata import Jsonata
from jsonata.utils import Utils


class QueryError(RuntimeError):
    """An expression that failed or yielded nothing: States.QueryEvaluationError."""


def evaluated(template: Any, variables: Mapping[str, Any]) -> Any:
    """A field of a state with its expressions replaced; `variables` has `states` too."""
    if isinstance(template, dict):
        return {key: evaluated(value, variables) for key, value in template.items()}
    if isinstance(template, list):
        return [evaluated(value, variables) for value in template]
    if isinstance(template, str) and template.startswith("{%"):
        return _value(template[2:-2].strip(), variables)
    return template


def _value(expression: str, variables: Mapping[str, Any]) -> Any:
    try:
        found = _compiled(expression).evaluate(None, dict(variables))
    except Exception as wrong:
        raise QueryError(f"{expression}: {wrong}") from wrong
    if found is None:
        raise QueryError(f"{expression} yields nothing")
    return _plain(found)


@cache
def _compiled(expression: str) -> Any:
    compiled = Jsonata.jsonata(expression)
    for name, function in _ADDED.items():
        compiled.register_lambda(name, function)
    return compiled


def _hash(value: str, algorithm: str) -> str:
    return hashlib.new(algorithm.replace("-", "").lower(), value.encode()).hexdigest()


# What Step Functions has besides.
_ADDED = {"uuid": lambda: str(uuid.uuid4()), "hash": _hash, "parse": json.loads}


def _plain(value: Any) -> Any:
    if value is Utils.NULL_VALUE:
        return None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
