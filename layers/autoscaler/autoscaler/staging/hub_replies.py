"""Turns the Hub's refusals into errors with a sentence, and tells which are worth a retry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from ..spec.text import printable
from .errors import (
    GatedModelError,
    HubReplyError,
    IntegrityError,
    ModelNotFoundError,
    RevisionNotFoundError,
)
from .retry import TransientError, told_to_wait

_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
# Of a file that the Hub itself listed these are odd, unless X-Error-Code says more.
_ODD_FOR_A_FILE = frozenset({401, 403, 404, 416})
_LONGEST_MESSAGE = 300
NOWHERE = (
    "a Hugging Face secret of the stack, which has none yet: deploy it again with "
    "HubTokenSecretName=make"
)


@dataclass(frozen=True)
class Token:
    """Whether there is one, and where a person puts it."""

    given: bool
    place: str = NOWHERE


def refuse_reply(
    status: int, headers: Mapping[str, str], what: str, token: Token, *, is_listed: bool = False
) -> NoReturn:
    """Raises what the reply means; `headers` has lower-case names.

    `X-Error-Code` is how the Hub tells its refusals apart. `is_listed`: it is about a file of a
    list that the Hub gave, so a bare refusal of it is trouble that may pass. So is a 403 without
    that header: a signed download address that expired; the next attempt gets a new one. One that
    says why by `X-Error-Message` alone is the Hub's own and stays so: a disabled repository, or a
    token without a right.
    """
    code = headers.get("x-error-code", "")
    match code:
        case "GatedRepo":
            raise GatedModelError(gate_sentence(what, token))
        case "RevisionNotFound":
            raise RevisionNotFoundError(f"{what}: the repository has no such revision")
        case "EntryNotFound":
            raise IntegrityError(f"{what}: listed by the Hub, but not there")
        case "RepoNotFound":
            raise ModelNotFoundError(_absent(what, token))
    said = printable(headers.get("x-error-message", "").strip())[:_LONGEST_MESSAGE]
    if status == 403 and not code and said:
        who = f" (the token in {token.place})" if token.given else ""
        raise HubReplyError(f"{what}: the Hub refuses it{who}: {said}")
    if status in _RETRIED or (status == 403 and not code):
        raise TransientError(f"HTTP {status}", told_to_wait(headers))
    if is_listed and not code and status in _ODD_FOR_A_FILE:
        raise TransientError(f"HTTP {status} for a file that the Hub lists", told_to_wait(headers))
    if status == 401 and token.given and not code:
        raise HubReplyError(f"{what}: the Hub does not accept the token in {token.place}")
    if status in {401, 404}:
        raise ModelNotFoundError(_absent(what, token))
    raise HubReplyError(f"{what}: the Hub answered HTTP {status} {code}".rstrip())


def gate_sentence(what: str, token: Token) -> str:
    """What a person has to do about a gated repository."""
    if token.given:
        return (
            f"{what} is gated, and the token in {token.place} has no access: accept the model's "
            "terms on its page with the account of that token"
        )
    return f"{what} is gated: accept its terms on the Hub, then put a read token into {token.place}"


def _absent(what: str, token: Token) -> str:
    known = "the token may not read it" if token.given else "it is private and no token is set"
    return f"{what}: there is no such model on the Hub, or {known}"
