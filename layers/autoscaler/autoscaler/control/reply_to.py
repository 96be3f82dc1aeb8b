"""Tells a sender its answer where it asked for it: in a queue, or at a callback's URL.

After the result is stored and before the message goes. What could not be sent keeps its message:
it comes back, finds the stored result and is sent again. Only the sending is repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..ports import ReplyError
from ..spec.text import as_message
from .desk import Desk, Fate, Outcome
from .messages import Request
from .patience import after_failures

TRIES = 5
# What SQS has always taken, and what a webhook's receiver need not be asked about.
LARGEST_BYTES = 256 * 1024


def replied(
    desk: Desk, name: str, request: Request, result: Mapping[str, Any], uri: str, outcome: Outcome
) -> Outcome:
    """The same outcome once its sender is told; put back if it could not be, and after the last
    try with the reason in its event."""
    trouble = told(desk, name, request, result, uri)
    if trouble is None:
        return outcome
    message, now = request.message, desk.world.clock.now()
    failures = desk.world.store.count_failure(name, f"{message.message_id}#reply", now)
    if failures < TRIES:
        desk.requests.postpone(
            name, message.receipt_handle, after_failures(failures), message.later
        )
        return replace(outcome, fate=Fate.POSTPONED, event=None)
    return with_trouble(outcome, f"{trouble}; gave up after {failures} tries")


def told(
    desk: Desk, name: str, request: Request, result: Mapping[str, Any], uri: str
) -> str | None:
    """Sends it, if it is to be sent anywhere; why it could not be."""
    to = request.options.reply_to
    if to is None or to.event:
        return None
    try:
        desk.outlets.send(to, name, request.request_id, document(name, result, uri))
    except ReplyError as error:
        return str(error)
    return None


def with_trouble(outcome: Outcome, trouble: str) -> Outcome:
    return replace(outcome, event=outcome.event.model_copy(update={"reply_trouble": trouble}))


def document(name: str, result: Mapping[str, Any], uri: str) -> bytes:
    """The result as its sender gets it; without the answer if that is too large, which then lies
    at `result_uri`."""
    whole = {**result, "endpoint": name, "result_uri": uri}
    text = as_message(whole).encode()
    if len(text) <= LARGEST_BYTES:
        return text
    short = {key: value for key, value in whole.items() if key not in ("answer", "error")}
    return as_message(short).encode()
