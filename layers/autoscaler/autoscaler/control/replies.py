"""How a message leaves the dispatcher: answered, put back, or refused with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from ..alerts.events.requests import RequestAnswered, RequestRefused
from ..endpoints.status import EndpointRecord, Traffic, utc_hour, wait_bin
from ..ports import Answer
from ..spec.text import readable
from .closing import why_requests_wait
from .desk import Desk, Fate, Outcome
from .messages import BadRequestError, Message, Request, parse
from .patience import LONGEST_WAIT, TRIES, WHEN_TROUBLED, after_failures, in_time_for, paced
from .refusals import Refusal, expired, given_up, taken, waited_too_long
from .reply_to import replied, told, with_trouble


def troubled(desk: Desk, name: str, message: Message, error: Exception) -> Outcome:
    """The message comes back soon, or when its visibility timeout ends; before its queue would drop
    it, it is refused."""
    stayed = desk.world.clock.now() - message.sent_at
    if stayed > LONGEST_WAIT:
        try:
            why = waited_too_long(stayed, f"{type(error).__name__}: {error}")
            return refuse(desk, name, None, _named(message, name), why)
        except Exception as second:  # noqa: BLE001 - told with the first
            error.add_note(f"nor could the message be refused: {second}")
    try:
        wait = paced(WHEN_TROUBLED, message.sent_at, desk.world.clock.now())
        desk.requests.postpone(name, message.receipt_handle, wait, message.later)
    except Exception as second:  # noqa: BLE001 - told with the first
        error.add_note(f"nor could the message be put back sooner: {second}")
    return Outcome(message, Fate.TROUBLED, trouble=error)


def _named(message: Message, name: str) -> Request:
    """By the id that its sender looks for, if it can be read."""
    try:
        return parse(message, name)
    except BadRequestError as bad:
        return Request(message, bad.request_id or message.own_id, {})


def postpone(
    desk: Desk, name: str, record: EndpointRecord, request: Request, delay: timedelta, why: str
) -> Outcome:
    """Back into its queue; not beyond its deadline, at which it is refused rather than later."""
    message, now = request.message, desk.world.clock.now()
    if request.due_at is not None and request.is_over(now):
        because = why_requests_wait(record, now)
        return refuse(desk, name, record, request, expired(request.due_at, now, because))
    stayed = now - message.sent_at
    if stayed > LONGEST_WAIT:
        return refuse(desk, name, record, request, waited_too_long(stayed, why))
    if request.due_at is not None:
        delay = in_time_for(request.due_at, delay, now)
    desk.requests.postpone(name, message.receipt_handle, delay, message.later)
    return Outcome(message, Fate.POSTPONED)


def failed(
    desk: Desk, name: str, record: EndpointRecord, request: Request, error: Exception
) -> Outcome:
    now = desk.world.clock.now()
    failures = desk.world.store.count_failure(name, request.message.message_id, now)
    if failures >= TRIES:
        return refuse(desk, name, record, request, given_up(failures, error))
    why = f"{type(error).__name__}: {error}"
    return postpone(desk, name, record, request, after_failures(failures), why)


def refuse(
    desk: Desk, name: str, record: EndpointRecord | None, request: Request, why: Refusal
) -> Outcome:
    """The reason is stored where the sender looks for the answer, or it would look for ever. It is
    sent once where answers go: a try that failed would refuse the message once more."""
    request_id = request.request_id
    result = {
        "id": request_id,
        "error": readable(why.reason),
        "code": why.code.value,
        **_whose(request),
    }
    uri = desk.results.put_once(name, request_id, result)
    if uri is None:  # meanwhile, by another delivery of the same message
        return repeated(desk, name, record, request)
    trouble = told(desk, name, request, result, uri)
    return _let_go(desk, name, record, request, why, trouble)


def _let_go(
    desk: Desk,
    name: str,
    record: EndpointRecord | None,
    request: Request,
    why: Refusal,
    trouble: str | None = None,
) -> Outcome:
    message, request_id, reason = request.message, request.request_id, readable(why.reason)
    desk.requests.refuse(name, message.own_id, message.body, reason)
    event = RequestRefused(
        endpoint=name,
        generation=record.status.generation if record else 0,
        at=desk.world.clock.now(),
        request_id=request_id,
        reason=readable(why.announced),
        code=why.code,
    )
    outcome = Outcome(message, Fate.REFUSED, event)
    return with_trouble(outcome, trouble) if trouble else outcome


def _whose(request: Request) -> dict[str, str]:
    """So that its tenant finds it when the stored body of the request has expired."""
    tenant = request.options.tenant
    return {"tenant": tenant} if tenant else {}


# What storing stumbles over in the answer itself: the next one may be no better, so not for ever.
UNSTORABLE = (ValueError, TypeError, RecursionError)


def store(
    desk: Desk,
    name: str,
    record: EndpointRecord,
    request: Request,
    answer: Answer,
    answered_by: str = "",
    cached: bool = False,
) -> Outcome:
    """Of two deliveries that were answered at once the first answer stays, and counts."""
    now = desk.world.clock.now()
    result: dict[str, Any] = {
        "id": request.request_id,
        "answered_at": now.isoformat(),
        "answer": answer.body,
        **_whose(request),
    }
    if request.asked:
        result["asked"] = request.asked
    if answered_by:
        result["answered_by"] = answered_by
    if cached:
        result["cached"] = True
    if request.is_over(now):
        result["late"] = True
    uri = desk.results.put_once(name, request.request_id, result)
    if uri is None:
        return repeated(desk, name, record, request)
    event = answered(desk, name, record, request, uri)
    waited = event.waited_seconds
    outcome = Outcome(request.message, Fate.ANSWERED, event, answer, answered_by, waited, cached)
    return replied(desk, name, request, result, uri, outcome)


def repeated(
    desk: Desk, name: str, record: EndpointRecord | None, request: Request, uri: str | None = None
) -> Outcome:
    """Its answer was stored before: whoever waits for it hears of it once more. Whoever asked for
    something else under the same id has no part of it."""
    uri = uri or desk.results.find(name, request.request_id) or ""
    result = desk.results.get(name, request.request_id)
    if result is not None and not _is_of(result, request):
        own, why = request.message.message_id, taken(request.request_id)
        if request.request_id == own:  # another one has even this: there is no place to say so
            return _let_go(desk, name, record, request, why)
        return refuse(desk, name, record, replace(request, request_id=own), why)
    event = answered(desk, name, record, request, uri)
    outcome = Outcome(request.message, Fate.REPEATED, event)
    if request.options.reply_to is None or request.options.reply_to.event:
        return outcome
    return outcome if result is None else replied(desk, name, request, result, uri, outcome)


def _is_of(result: Mapping[str, Any], request: Request) -> bool:
    """Of an answer of before there were digests nobody knows; a message that could not be read
    asks for nothing."""
    asked = result.get("asked")
    return not asked or not request.asked or asked == request.asked


def answered(
    desk: Desk, name: str, record: EndpointRecord | None, request: Request, uri: str
) -> RequestAnswered:
    now = desk.world.clock.now()
    return RequestAnswered(
        endpoint=name,
        generation=record.status.generation if record else 0,
        at=now,
        request_id=request.request_id,
        result_uri=uri,
        waited_seconds=max(0.0, (now - request.message.sent_at).total_seconds()),
        late=request.is_over(now),
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
            waits=Counter(wait_bin(outcome.waited_seconds) for outcome in answered),
            kept=sum(outcome.kept for outcome in answered),
        )
    )
