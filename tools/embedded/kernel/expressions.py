"""JSONata as Step Functions evaluates it: compiled once a text, its variables bound as values.

moto writes every variable into the text of an expression, which is then read anew each time, data
and all. Here the declarations that it composes carry their values as JSON between two marks, which
no JSON and no expression contains, and are taken out of the text again.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonata import Jsonata
from jsonata.utils import Utils

_MARK = "\x1e"


class NothingError(RuntimeError):
    """An expression that yields nothing, which is not null."""


def declared(variables: Mapping[str, Any]) -> str:
    """Variables (`$name`) as a part of an expression's text; moto's own does not escape strings."""
    return f"{_MARK}{json.dumps(dict(variables))}{_MARK}" if variables else ""


def value_of(text: str) -> Any:
    """The value of an expression, in which variables may be declared, as JSON.

    Raises JException and what its functions raise. What yields nothing is None, as null is: moto
    asks `$exists` of the same text then.
    """
    parts = text.split(_MARK)  # of the expression and of declarations, by turns
    bound = {name: value for part in parts[1::2] for name, value in json.loads(part).items()}
    try:
        return evaluated("".join(parts[::2]), {name[1:]: v for name, v in bound.items()})
    except NothingError:
        return None


def evaluated(expression: str, variables: Mapping[str, Any]) -> Any:
    """The value of an expression as JSON; `variables` without their `$`.

    Raises NothingError, JException and what its functions raise.
    """
    compiled = _compiled(expression)
    Jsonata.CURRENT.jsonata = compiled  # of this thread; functions of higher order look there
    # A variable that is not named is not read: $eval is none of Step Functions' functions.
    named = {name: v for name, v in variables.items() if f"${name}" in expression}
    found = compiled.evaluate(None, {name: _bound(v) for name, v in named.items()})
    if found is None:
        raise NothingError(f"{expression} yields nothing")
    return _plain(found)


@cache
def _compiled(expression: str) -> Any:
    compiled = Jsonata.jsonata(expression)
    compiled.set_output_convert_nulls(False)
    for name, function in ADDED.items():
        compiled.register_lambda(name, function)
    return compiled


def _hash(value: str, algorithm: str) -> str:
    return hashlib.new(algorithm.replace("-", "").lower(), value.encode()).hexdigest()


# What Step Functions adds to JSONata.
ADDED = {"uuid": lambda: str(uuid.uuid4()), "hash": _hash, "parse": json.loads}


def _bound(value: Any) -> Any:
    """JSON as the evaluator has it: null is a value of its own, None is no value."""
    if value is None:
        return Utils.NULL_VALUE
    if isinstance(value, dict):
        return {key: _bound(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_bound(item) for item in value]
    return value


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
