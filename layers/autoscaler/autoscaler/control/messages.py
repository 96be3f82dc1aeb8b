"""What a queued message is, and what it asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")


@dataclass(frozen=True)
class Message:
    """One received SQS message."""

    message_id: str
    receipt_handle: str
    body: str
    sent_at: datetime


class BadRequestError(ValueError):
    """A message that no model could answer; says what is wrong with it.

    `request_id`: the one that it gives, if that can name a result.
    """

    def __init__(self, reason: str, request_id: str | None = None) -> None:
        self.request_id = request_id
        super().__init__(reason)


def parse(message: Message, endpoint: str) -> tuple[str, dict[str, Any]]:
    """Returns the request's id and the body for the model; raises BadRequestError.

    A body may name its endpoint; it must then be the one whose queue it came through.
    """
    try:
        body = json.loads(message.body)
    except (ValueError, RecursionError) as bad:
        raise BadRequestError(f"the message is not JSON: {bad}") from bad
    if not isinstance(body, dict):
        raise BadRequestError("the message must be a JSON object, an OpenAI-style request body")
    request_id = body.pop("id", message.message_id)
    if not isinstance(request_id, str) or not _REQUEST_ID.fullmatch(request_id):
        raise BadRequestError(
            f"id {request_id!r} cannot name a result: 1 to 128 of letters, digits and _ . : -"
        )
    named = body.pop("endpoint", endpoint)
    if named != endpoint:
        raise BadRequestError(
            f"the message names endpoint {named!r}, and this is the queue of {endpoint!r}",
            request_id,
        )
    if not (isinstance(body.get("messages"), list) or isinstance(body.get("prompt"), str)):
        raise BadRequestError(
            "the message has neither `messages` (chat) nor `prompt` (completion)", request_id
        )
    return request_id, body


def endpoint_of(queue_arn: str, prefix: str) -> str:
    """The endpoint whose queue this is; raises ValueError for a queue that is not ours."""
    queue = queue_arn.rpartition(":")[2]
    if not queue.startswith(f"{prefix}-"):
        raise ValueError(f"queue {queue!r} is not one of stack {prefix!r}")
    return queue.removeprefix(f"{prefix}-")


def messages_of(
    records: Sequence[Mapping[str, Any]], moment: Callable[[int], datetime]
) -> list[Message]:
    """The messages of a Lambda event; `moment` reads milliseconds since the epoch."""
    return [
        Message(
            message_id=record["messageId"],
            receipt_handle=record["receiptHandle"],
            body=record["body"],
            sent_at=moment(int(record["attributes"]["SentTimestamp"])),
        )
        for record in records
    ]
