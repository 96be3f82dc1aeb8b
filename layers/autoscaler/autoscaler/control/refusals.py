"""Why a request is refused: what its sender reads, and what everybody may.

A container's words often repeat what it was asked (a schema error has the whole input). Its sender
finds them with the result; events, which go to Slack and to logs, say only that there are some.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ..spec import format_duration
from .desk import Code


@dataclass(frozen=True)
class Refusal:
    """`reason` is stored with the result; `told`, without what the request says, is announced."""

    code: Code
    reason: str
    told: str = ""

    @property
    def announced(self) -> str:
        return self.told or self.reason


def refusal_of_model(error: Exception) -> Refusal:
    told = "the model refused it; what it said is in the result"
    return Refusal(Code.REFUSED_BY_MODEL, str(error), told)


def given_up(failures: int, error: Exception) -> Refusal:
    kind = type(error).__name__
    text = f"gave up after {failures} tries: {kind}"
    return Refusal(Code.GAVE_UP, f"{text}: {error}", text)


def waited_too_long(stayed: timedelta, why: str) -> Refusal:
    text = f"waited {stayed.days} days, and a queue keeps nothing longer than 14"
    return Refusal(Code.WAITED_TOO_LONG, f"{text}: {why}", text)


def expired(due_at: datetime, now: datetime, because: str | None = None) -> Refusal:
    """Its time is over; says by how much, and why it had to wait if that is known."""
    over = format_duration(max(now - due_at, timedelta(seconds=1)))
    text = f"it was to be answered by {due_at:%Y-%m-%dT%H:%M:%SZ}, {over} ago"
    text += f"; {because}" if because else ""
    return Refusal(Code.EXPIRED, f"expired: {text}; send it again with a later deadline")


def gone(name: str, is_retired: bool) -> Refusal:
    why = f"there is no endpoint {name!r} any more" if is_retired else f"{name!r} is being removed"
    return Refusal(Code.GONE, why)


def taken(request_id: str) -> Refusal:
    """An id names one question of one tenant: who repeats it must ask the same."""
    return Refusal(
        Code.BAD_REQUEST,
        f"id {request_id!r} is of another request, which is answered: give this one an id of its "
        "own, or none",
    )
