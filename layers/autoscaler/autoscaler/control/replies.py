"""How a message leaves the dispatcher: answered, put back, or refused with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ..alerts.events.requests import RequestAnswered, RequestRefused
from ..endpoints.status import EndpointRecord, Traffic, utc_hour
from ..ports import Answer
from .desk import Desk, Fate, Outcome
from .messages import Message
from .patience import LONGEST_STAY, TRIES, WHEN_TROUBLED, after_failures, paced


def troubled(desk: Desk, name: str, message: Message, error: Exception) -> Outcome:
    """The message comes back soon, or when its visibility timeout ends."""
    try:
        wait = paced(WHEN_TROUBLED, message.sent_at, desk.world.clock.now())
        desk.requests.postpone(name, message.receipt_handle, wait)
    except Exception as second:  # noqa: BLE001 - told with the first
        error.add_note(f"nor could the message be put back sooner: {second}")
    return Outcome(message, Fate.TROUBLED, trouble=error)


def postpone(
    desk: Desk,
    name: str,
    record: EndpointRecord,
    message: Message,
    request_id: str,
    delay: timedelta,
    why: str,
) -> Outcome:
    stayed = desk.world.clock.now() - message.sent_at
    if stayed > LONGEST_STAY:
        why = f"waited {stayed.days} days, and a queue keeps nothing longer than 14: {why}"
        return refuse(desk, name, record, message, why, request_id)
    desk.requests.postpone(name, message.receipt_handle, delay)
    return Outcome(message, Fate.POSTPONED)


def failed(
    desk: Desk,
    name: str,
    record: EndpointRecord,
    message: Message,
    request_id: str,
    error: Exception,
) -> Outcome:
    now = desk.world.clock.now()
    failures = desk.world.store.count_failure(name, message.message_id, now)
    why = f"{type(error).__name__}: {error}"
    if failures >= TRIES:
        why = f"gave up after {failures} tries: {why}"
        return refuse(desk, name, record, message, why, request_id)
    wait = after_failures(failures)
    return postpone(desk, name, record, message, request_id, wait, why)


def refuse(
    desk: Desk,
    name: str,
    record: EndpointRecord | None,
    message: Message,
    reason: str,
    request_id: str,
) -> Outcome:
    """The reason is stored where the sender looks for the answer, or it would look for ever."""
    now = desk.world.clock.now()
    desk.results.put(name, request_id, {"id": request_id, "error": reason})
    desk.requests.refuse(name, message.message_id, message.body, reason)
    event = RequestRefused(
        endpoint=name,
        generation=record.status.generation if record else 0,
        at=now,
        request_id=request_id,
        reason=reason,
    )
    return Outcome(message, Fate.REFUSED, event)


def store(
    desk: Desk,
    name: str,
    record: EndpointRecord,
    message: Message,
    request_id: str,
    answer: Answer,
    answered_by: str = "",
    cached: bool = False,
) -> Outcome:
    now = desk.world.clock.now()
    result: dict[str, Any] = {
        "id": request_id,
        "answered_at": now.isoformat(),
        "answer": answer.body,
    }
    if answered_by:
        result["answered_by"] = answered_by
    if cached:
        result["cached"] = True
    uri = desk.results.put(name, request_id, result)
    event = answered(name, record, message, request_id, uri, now)
    waited = event.waited_seconds
    return Outcome(message, Fate.ANSWERED, event, answer, answered_by, waited, kept=cached)


def answered(
    name: str,
    record: EndpointRecord | None,
    message: Message,
    request_id: str,
    uri: str,
    now: datetime,
) -> RequestAnswered:
    return RequestAnswered(
        endpoint=name,
        generation=record.status.generation if record else 0,
        at=now,
        request_id=request_id,
        result_uri=uri,
        waited_seconds=max(0.0, (now - message.sent_at).total_seconds()),
    )


def announced(desk: Desk, name: str, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Announces all at once; if that fails, those with an answer come back to be announced then.

    A refused one does not: it would be refused, and put into the dead-letter queue, once more.
    """
    events = [outcome.event for outcome in outcomes if outcome.event]
    try:
        if events:
            desk.world.announcer.announce_all(events)
    except Exception as error:  # noqa: BLE001 - told as the trouble of each of them
        return [_unannounced(desk, name, outcome, error) for outcome in outcomes]
    return list(outcomes)


def _unannounced(desk: Desk, name: str, outcome: Outcome, error: Exception) -> Outcome:
    if outcome.event is None:
        return outcome
    if outcome.fate is Fate.REFUSED:
        return replace(outcome, trouble=error)
    back = troubled(desk, name, outcome.message, error)
    return replace(outcome, fate=back.fate, trouble=back.trouble)


def count(desk: Desk, name: str, outcomes: Sequence[Outcome]) -> None:
    """Each answer counts for the endpoint that gave it, whose instances were paid for."""
    by = {outcome.answered_by for outcome in outcomes if outcome.answer}
    for answering in sorted({"", *by}):
        mine = [one for one in outcomes if one.answered_by == answering]
        _count(desk, answering or name, mine)


def _count(desk: Desk, name: str, outcomes: Sequence[Outcome]) -> None:
    answered = [outcome for outcome in outcomes if outcome.answer]
    refused = sum(outcome.fate is Fate.REFUSED for outcome in outcomes)
    if not answered and not refused:
        return
    answers = [outcome.answer for outcome in answered if outcome.answer]
    desk.world.store.count_traffic(
        Traffic(
            endpoint=name,
            start=utc_hour(desk.world.clock.now()),
            requests=len(answered),
            refused=refused,
            input_tokens=sum(answer.input_tokens for answer in answers),
            output_tokens=sum(answer.output_tokens for answer in answers),
            waited_seconds=sum(outcome.waited_seconds for outcome in answered),
            kept=sum(outcome.kept for outcome in answered),
        )
    )
