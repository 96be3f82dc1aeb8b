"""Turns the Hub's refusals into errors with a sentence, and tells which are worth a retry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from .errors import (
    GatedModelError,
    HubReplyError,
    IntegrityError,
    ModelNotFoundError,
    RevisionNotFoundError,
)
from .retry import TransientError, told_to_wait

_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


def refuse_reply(status: int, headers: Mapping[str, str], what: str, has_token: bool) -> NoReturn:
    """Raises what the reply means; `headers` has lower-case names.

    `X-Error-Code` is how the Hub tells its refusals apart.

    A signed download address that expired answers 403 from the CDN, without that header: the
    next attempt gets a new address.
    """
    code = headers.get("x-error-code", "")
    match code:
        case "GatedRepo":
            raise GatedModelError(gate_sentence(what, has_token))
        case "RevisionNotFound":
            raise RevisionNotFoundError(f"{what}: the repository has no such revision")
        case "EntryNotFound":
            raise IntegrityError(f"{what}: listed by the Hub, but not there")
        case "RepoNotFound":
            raise ModelNotFoundError(_absent(what, has_token))
    if status in _RETRIED or (status == 403 and not code):
        raise TransientError(f"HTTP {status}", told_to_wait(headers))
    if status == 401 and has_token and not code:
        raise HubReplyError(f"{what}: the Hub does not accept the token in HUB_TOKEN_SECRET")
    if status in {401, 404}:
        raise ModelNotFoundError(_absent(what, has_token))
    if status == 416:
        raise IntegrityError(f"{what}: shorter than the Hub's file list says")
    raise HubReplyError(f"{what}: the Hub answered HTTP {status} {code}".rstrip())


def gate_sentence(what: str, has_token: bool) -> str:
    """What a person has to do about a gated repository."""
    if has_token:
        return (
            f"{what} is gated, and the token in the stack's Hugging Face secret "
            "(HUB_TOKEN_SECRET) has no access: accept the model's terms on its page with the "
            "account of that token"
        )
    return (
        f"{what} is gated: accept its terms on the Hub, then put a read token into the stack's "
        "Hugging Face secret (the one named by HUB_TOKEN_SECRET)"
    )


def _absent(what: str, has_token: bool) -> str:
    known = "the token may not read it" if has_token else "it is private and no token is set"
    return f"{what}: there is no such model on the Hub, or {known}"
