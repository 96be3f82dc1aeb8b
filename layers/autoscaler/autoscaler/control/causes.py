"""Reads what Step Functions says about a failure: JSON in JSON, down to the last sentence."""

from __future__ import annotations

import json
import re
from typing import Any

from ..endpoints.redacted import without_credentials
from ..spec.text import printable

_DEEPEST = 6
_LONGEST = 2000  # it is kept with the status, with each try, in the history, and told
_PAIRS = (("errorType", "errorMessage"), ("Error", "Cause"), ("error", "cause"))
# Step Functions keeps 32,768 characters of a cause, and `stage_weights` fewer: the rest is cut off.
_CUT_OFF = re.compile(r'\{"(?:errorMessage|Cause)": ?"((?:[^"\\]|\\.)*)', re.DOTALL)


def sentence_of(error: str, cause: str) -> str:
    """Returns `Error: cause` of the innermost failure.

    A nested execution fails with its whole description as cause, and a Lambda function with
    `{"errorMessage", "errorType", "stackTrace"}`, the message first in both; what cannot be read
    stays as it is. Innermost are often a container's own words, which no failure may trip over:
    then it would never be recorded, and whose credentials nobody may read.
    """
    for _ in range(_DEEPEST):
        inner = _pair(cause) or _beginning(error, cause)
        if inner is None:
            break
        error, cause = inner
    sentence = without_credentials(printable(f"{error}: {cause}" if cause else error))
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


def _beginning(error: str, cause: str) -> tuple[str, str] | None:
    """What a cause that was cut off began to say; who failed is what was said of the whole."""
    found = _CUT_OFF.match(cause)
    try:
        return (error, str(json.loads(f'"{found[1]}"', strict=False))) if found else None
    except ValueError:  # cut off within an escape
        return None
