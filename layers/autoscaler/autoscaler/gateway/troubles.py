"""What went wrong on the way to a model, as its caller is told."""

from __future__ import annotations

import json
import traceback
from pathlib import Path

from ..aws.streaming import BrokenStreamError, ModelFailedError, RefusedByModelError
from ..endpoints.completions import IncompleteAnswerError
from ..ports import BusyError, NotAllowedError
from .errors import GatewayError, retry_after

_BUSY_SECONDS = 2.0
_FRAMES = 6
UNFORESEEN = "internal_error"


def told(error: Exception) -> GatewayError:
    """An error that nobody foresaw keeps its words to the log: they may quote a request."""
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, RefusedByModelError):
        return GatewayError(error.status, "model_refused", _said(str(error)))
    if isinstance(error, BusyError):
        why = f"the model takes nothing more now: {error}"
        return GatewayError(429, "model_busy", why, headers=retry_after(None, _BUSY_SECONDS))
    if isinstance(error, BrokenStreamError | IncompleteAnswerError):
        return GatewayError(502, "answer_broken", f"{error}; ask again")
    if isinstance(error, ModelFailedError):
        return GatewayError(502, "model_failed", f"the model failed on it: {error}")
    if isinstance(error, NotAllowedError):
        why = "the gateway may not ask this model: its role lacks the right to"
        return GatewayError(500, "not_allowed", why)
    why = "the gateway met trouble that it does not know; its log has it under this request's id"
    return GatewayError(500, UNFORESEEN, why)


def logged(error: BaseException) -> dict[str, str]:
    """What of an error may be logged: its class and its place, but not its words, which may quote
    a request."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
    return {"error": type(error).__name__, "error_at": " > ".join(places)}


def _said(message: str) -> str:
    """The sentence in what a container answers: its own words, or OpenAI's shape around them."""
    try:
        document = json.loads(message)
    except (ValueError, RecursionError):
        return message
    if isinstance(document, dict):
        inner = document.get("error", document)
        for found in (inner.get("message") if isinstance(inner, dict) else inner,):
            if isinstance(found, str) and found:
                return found
    return message
