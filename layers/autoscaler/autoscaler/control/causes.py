"""Reads what Step Functions says about a failure: JSON in JSON, down to the last sentence."""

from __future__ import annotations

import json
from typing import Any

from ..spec.text import printable

_DEEPEST = 6
_LONGEST = 2000  # it is kept with the status, with each try, in the history, and told
_PAIRS = (("errorType", "errorMessage"), ("Error", "Cause"), ("error", "cause"))


def sentence_of(error: str, cause: str) -> str:
    """Returns `Error: cause` of the innermost failure.

    A nested execution fails with its whole description as cause, and a Lambda function with
    `{"errorType", "errorMessage", "stackTrace"}`; what cannot be read stays as it is. Innermost are
    often a container's own words, which no failure may trip over: then it would never be recorded.
    """
    for _ in range(_DEEPEST):
        inner = _pair(cause)
        if inner is None:
            break
        error, cause = inner
    sentence = printable(f"{error}: {cause}" if cause else error)
    return sentence if len(sentence) <= _LONGEST else f"{sentence[: _LONGEST - 1]}…"


def _pair(cause: str) -> tuple[str, str] | None:
    try:
        told: Any = json.loads(cause)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    for error, reason in _PAIRS:
        if isinstance(told.get(error), str):
            return told[error], str(told.get(reason) or "")
    return None
