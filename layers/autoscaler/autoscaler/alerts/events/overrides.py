"""What a person asked for until some time, beside a hold (`life.HoldSet`)."""

from __future__ import annotations

from pydantic import AwareDatetime

from ...policy.types import OverrideKind
from .base import Event


class OverrideSet(Event):
    """A person put it to sleep, keeps it warm, or keeps it from scaling in."""

    salient = ("generation", "kind", "until", "author")

    kind: OverrideKind
    until: AwareDatetime
    author: str
    reason: str
    even_for_requests: bool = False


class OverrideEnded(Event):
    """It expired, or `author` ended it before its time."""

    salient = ("generation", "kind", "at")

    kind: OverrideKind
    author: str | None = None
