"""What the dispatcher does with queued messages besides answering them."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from ..control.messages import FIRST_ID, SENT_AT
from ..endpoints.names import ResourceNames
from ..spec.text import printable
from .clients import NO_QUEUE, client, error_code

_LONGEST_DELAY_SECONDS = 43_200  # SQS's limit of a visibility timeout: 12 hours
_LONGEST_REASON = 500
_LARGEST_MESSAGE_BYTES = 1_048_576  # with its attributes ("Amazon SQS message quotas")
# How SQS refuses a message for what it is: too long, or with something that is no character.
_NOT_TAKEN = frozenset({"InvalidMessageContents", "InvalidParameterValue"})


class QueueRequests:
    """Requests over the endpoints' SQS queues."""

    def __init__(self, prefix: str, sqs: Any = None) -> None:
        self._prefix = prefix
        self._sqs = sqs or client("sqs")
        self._urls: dict[str, str] = {}

    def postpone(
        self, name: str, receipt_handle: str, delay: timedelta, later: bool = False
    ) -> None:
        seconds = min(max(1, math.ceil(delay.total_seconds())), _LONGEST_DELAY_SECONDS)
        names = ResourceNames(self._prefix, name)
        self._sqs.change_message_visibility(
            QueueUrl=self._url(names.later_queue if later else names.queue),
            ReceiptHandle=receipt_handle,
            VisibilityTimeout=seconds,
        )

    def move(self, name: str, body: str, sent_at: datetime) -> bool:
        sent = {"DataType": "Number", "StringValue": str(int(sent_at.timestamp() * 1000))}
        beside = len(SENT_AT) + sum(len(value) for value in sent.values())
        if len(body.encode()) + beside > _LARGEST_MESSAGE_BYTES:
            return False  # it names its id and its end now, and just fitted before
        try:
            self._sqs.send_message(
                QueueUrl=self._url(ResourceNames(self._prefix, name).later_queue),
                MessageBody=body,
                MessageAttributes={SENT_AT: sent},
            )
        except ClientError as error:
            if error_code(error) in NO_QUEUE | _NOT_TAKEN:
                return False
            raise
        return True

    def refuse(self, name: str, message_id: str, body: str, reason: str) -> None:
        self._sqs.send_message(
            QueueUrl=self._url(ResourceNames(self._prefix, name).dead_letter_queue),
            MessageBody=body,
            MessageAttributes=_fitting(body, message_id, printable(reason)[:_LONGEST_REASON]),
        )

    def _url(self, queue: str) -> str:
        if queue not in self._urls:
            self._urls[queue] = self._sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        return self._urls[queue]


def _fitting(body: str, message_id: str, reason: str) -> dict[str, Any]:
    """What is said beside a body. Attributes count towards a message's size, and of a body that
    nearly fills one the body matters more: its reason is with its result too."""
    left = _LARGEST_MESSAGE_BYTES - len(body.encode())
    said: dict[str, Any] = {}
    for attribute, value in (
        (FIRST_ID, message_id),
        ("message_id", message_id),
        ("reason", reason),
    ):
        room = left - len(attribute) - len("String")
        cut = value.encode()[: max(0, room)].decode(errors="ignore")
        if cut and (cut == value or attribute == "reason"):
            said[attribute] = {"DataType": "String", "StringValue": cut}
            left = room - len(cut.encode())
    return said
