"""The fields of a state, with their expressions replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.embedded.kernel import expressions


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
        return expressions.evaluated(expression, variables)
    except Exception as wrong:
        raise QueryError(f"{expression}: {wrong}") from wrong
