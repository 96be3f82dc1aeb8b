"""Sentences about what a person asked for until some time."""

from __future__ import annotations

from ...policy.types import OverrideKind
from ...policy.wording import at_utc
from ..events.overrides import OverrideEnded, OverrideSet
from .base import Sentence, told

_SET = {
    OverrideKind.SLEEP_UNTIL: "is put to sleep",
    OverrideKind.KEEP_WARM: "is kept warm",
    OverrideKind.PAUSE_SCALE_IN: "loses no copy",
}
_ENDED = {
    OverrideKind.SLEEP_UNTIL: "need not sleep any more",
    OverrideKind.KEEP_WARM: "is not kept warm any more",
    OverrideKind.PAUSE_SCALE_IN: "may scale in again",
}


@told.register
def _(event: OverrideSet) -> Sentence:
    until, reason = at_utc(event.until), event.reason.rstrip(".")
    body = f"Until {until}: {reason}."
    if event.kind is OverrideKind.SLEEP_UNTIL:
        body += " Requests wait until then." if event.even_for_requests else " Requests wake it."
    return Sentence(f"{event.endpoint} {_SET[event.kind]} by {event.author}", body)


@told.register
def _(event: OverrideEnded) -> Sentence:
    body = f"{event.author} released it." if event.author else "It expired."
    return Sentence(f"{event.endpoint} {_ENDED[event.kind]}", f"{body} The policy decides again.")
