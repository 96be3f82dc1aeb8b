"""What a queued message is, and what it asks for."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ..endpoints.names import LATER_SUFFIX
from ..endpoints.prompts import is_prompt
from ..endpoints.status import EndpointRecord
from ..spec.request import ID_PATTERN, RESERVED, RequestError, RequestOptions, parse_options
from ..spec.strict_json import is_deeper, read_json

_REQUEST_ID = re.compile(ID_PATTERN)
# Tools' JSON schemas nest, ten deep or so; what goes deeper costs every reader its stack.
DEEPEST = 64
_LONGEST_SHOWN = 80
_NO_ID = "cannot name a result: 1 to 128 of letters, digits and _ . : -"
# Digits of ASCII, and no more than a time has: whoever sends there himself may write anything.
_MILLISECONDS = re.compile(r"[0-9]{1,13}")
# Attributes: of a message that was moved, when it was sent first; of one that was refused, its id
# before it was a dead letter: put back it has another one, of which its sender never hears.
SENT_AT, FIRST_ID = "sent_at", "autoscaler_id"


@dataclass(frozen=True)
class Message:
    """One received SQS message. `later`: it came by the queue of requests that may wait.
    `first_id`: what SQS called it before it was refused and put back."""

    message_id: str
    receipt_handle: str
    body: str = field(repr=False)
    sent_at: datetime
    later: bool = False
    first_id: str = ""

    @property
    def own_id(self) -> str:
        """Under which its sender looks, unless it gives an id."""
        return self.first_id or self.message_id


@dataclass(frozen=True)
class Request:
    """A message that a model has to answer. `due_at`: after it an answer comes too late."""

    message: Message
    request_id: str
    body: Mapping[str, Any] = field(repr=False)
    options: RequestOptions = field(default_factory=RequestOptions)
    due_at: datetime | None = None
    other: EndpointRecord | None = None  # that answers for the one that was asked
    asked: str = ""  # SHA-256, in hex, of what is asked and for whom: an id names one such thing

    @property
    def late_id(self) -> str:
        """Under which a model that answers later is asked."""
        return f"{self.request_id}#{self.asked}" if self.asked else self.request_id

    def is_over(self, now: datetime) -> bool:
        return self.due_at is not None and now >= self.due_at


class BadRequestError(ValueError):
    """A message that no model could answer; says what is wrong with it.

    `request_id`: the one that it gives, if that can name a result. `told`: the same without what
    was sent, where that is quoted; for events, which are read in Slack and in logs.
    """

    def __init__(self, reason: str, request_id: str | None = None, told: str = "") -> None:
        self.request_id, self.told = request_id, told
        super().__init__(reason)


def parse(message: Message, endpoint: str) -> Request:
    """Returns what the message asks for; raises BadRequestError.

    A body may name its endpoint; it must then be the one whose queue it came through. Without a
    body of its own the message says where that lies (`options.body`).
    """
    body = _object(message.body, "the message")
    given = body.pop("id", None)
    options = _options(body.pop(RESERVED, {}), _usable(given))
    request_id = _request_id(given, options, message)
    named = body.pop("endpoint", endpoint)
    if named != endpoint:
        raise BadRequestError(
            f"the message names endpoint {_shown(named)}, and this is the queue of {endpoint!r}",
            request_id,
            told="the message names another endpoint than that of its queue",
        )
    if options.body is None:
        check_body(body, request_id)
    elif body:
        raise BadRequestError(
            f"{RESERVED}.body says where the body lies, and the message has {_shown(min(body))} "
            "beside it: give one of them",
            request_id,
            told=f"{RESERVED}.body says where the body lies, and there is more beside it",
        )
    asked = _digest(body, options)
    return Request(message, request_id, body, options, options.due_at(message.sent_at), asked=asked)


def _digest(body: Mapping[str, Any], options: RequestOptions) -> str:
    """The same for a request that is repeated, wherever its answer is to go and until when."""
    whole = {"body": body, "lies_at": options.body, "tenant": options.tenant}
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def with_body(request: Request, content: bytes) -> Request:
    """The request with the body that lay where it says; raises BadRequestError."""
    try:
        text = content.decode()
    except UnicodeDecodeError as bad:
        raise _wrong_body(request, "is not UTF-8") from bad
    body = _object(text, str(request.options.body), request.request_id)
    if RESERVED in body:
        raise _wrong_body(request, f"has `{RESERVED}`, which belongs into the message")
    check_body(body, request.request_id)
    return replace(request, body=body)


def _wrong_body(request: Request, why: str) -> BadRequestError:
    reason, told = f"{request.options.body} {why}", f"the body that it names {why}"
    return BadRequestError(reason, request.request_id, told)


def check_body(body: Mapping[str, Any], request_id: str | None = None) -> None:
    """Raises BadRequestError unless it is a chat, a completion, or the container's own."""
    asks = isinstance(body.get("messages"), list) or isinstance(body.get("inputs"), str)
    if not asks and "prompt" in body and not is_prompt(body["prompt"]):
        reason = "`prompt` is neither text nor token ids nor a list of several of either"
        raise BadRequestError(reason, request_id)
    if not asks and "prompt" not in body:
        raise BadRequestError(
            "the message has neither `messages` (chat) nor `prompt` (completion) nor `inputs` "
            "(the container's own)",
            request_id,
        )
    if is_deeper(body, DEEPEST):
        raise BadRequestError(f"the body is nested more than {DEEPEST} deep", request_id)


def _object(text: str, what: str, request_id: str | None = None) -> dict[str, Any]:
    try:
        found = read_json(text)
    except (ValueError, RecursionError) as bad:
        told = f"it is not JSON: {bad}"
        raise BadRequestError(f"{what} is not JSON: {bad}", request_id, told) from bad
    if not isinstance(found, dict):
        must = "must be a JSON object, an OpenAI-style request body"
        raise BadRequestError(f"{what} {must}", request_id, told=f"it {must}")
    return found


def _options(given: Any, request_id: str | None) -> RequestOptions:
    try:
        return parse_options(given)
    except RequestError as wrong:
        raise BadRequestError(str(wrong), request_id, wrong.told) from None


def _request_id(given: Any, options: RequestOptions, message: Message) -> str:
    if given is not None and _usable(given) is None:
        raise BadRequestError(
            f"id {_shown(given)} {_NO_ID}",
            told=f"its id {_NO_ID}",
        )
    if given is not None and options.id not in (None, given):
        raise BadRequestError(
            f"id {_shown(given)} and {RESERVED}.id {options.id!r} are two: give one of them",
            told=f"its id and {RESERVED}.id are two: give one of them",
        )
    return str(given or options.id or message.own_id)


def _usable(given: Any) -> str | None:
    return given if isinstance(given, str) and _REQUEST_ID.fullmatch(given) else None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


class ForeignQueueError(ValueError):
    """A message came from a queue that is not of this stack."""


def endpoint_of(queue_arn: str, prefix: str) -> str:
    """The endpoint whose queue this is; raises ForeignQueueError for one that is not ours."""
    queue = queue_arn.rpartition(":")[2]
    if not queue.startswith(f"{prefix}-"):
        raise ForeignQueueError(f"queue {queue!r:.100} is not one of stack {prefix!r}")
    return queue.removeprefix(f"{prefix}-").removesuffix(LATER_SUFFIX)


def is_later(queue_arn: str) -> bool:
    """Whether it is a queue of requests that may wait."""
    return queue_arn.endswith(LATER_SUFFIX)


def messages_of(
    records: Sequence[Mapping[str, Any]], moment: Callable[[int], datetime], later: bool = False
) -> list[Message]:
    """The messages of a Lambda event; `moment` reads milliseconds since the epoch."""
    return [
        Message(
            message_id=record["messageId"],
            receipt_handle=record["receiptHandle"],
            body=record["body"],
            sent_at=_sent_at(record, moment, later),
            later=later,
            first_id=_usable(_attribute(record, FIRST_ID)) or "",
        )
        for record in records
    ]


def _sent_at(record: Mapping[str, Any], moment: Callable[[int], datetime], later: bool) -> datetime:
    """Of one that was moved: when it was sent first, which only the dispatcher may say."""
    arrived = moment(int(record["attributes"]["SentTimestamp"]))
    said = _attribute(record, SENT_AT)
    if not later or not _MILLISECONDS.fullmatch(said):
        return arrived
    return min(arrived, moment(int(said)))


def _attribute(record: Mapping[str, Any], name: str) -> str:
    """Empty: it has none of this name."""
    return str(record.get("messageAttributes", {}).get(name, {}).get("stringValue") or "")
