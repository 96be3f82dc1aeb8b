"""Where answers are sent besides their result: queues and callbacks of the stack's allow-lists."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..ports import ReplyError
from ..spec import ReplyTo
from .callbacks import Callbacks
from .clients import client, error_code

_ARN = re.compile(r"arn:[^:]+:sqs:(?P<region>[^:]+):(?P<account>[0-9]{12}):(?P<name>.+)")
_URL = re.compile(r"https?://(?P<host>[^/]+)/(?P<account>[0-9]{12})/(?P<name>.+)")


class AwsOutlets:
    """Outlets over SQS and https. `queues`: their ARNs; `hosts`: of callbacks."""

    def __init__(
        self,
        queues: Iterable[str],
        hosts: Iterable[str],
        sqs: Any = None,
        callbacks: Callbacks | None = None,
    ) -> None:
        self._queues = {arn: _ARN.fullmatch(arn) for arn in queues if arn}
        self._callbacks = callbacks or Callbacks(host for host in hosts if host)
        self._sqs = sqs or client("sqs")
        self._urls: dict[str, str] = {}

    def problem(self, to: ReplyTo) -> str | None:
        if to.url is not None:
            return self._callbacks.problem(to.url)
        if to.queue is not None and self._arn(to.queue) is None:
            return (
                f"queue {to.queue!r:.200} is not among this stack's ReplyQueues; have it added, or "
                "take the answer from its result"
            )
        return None

    def send(self, to: ReplyTo, endpoint: str, request_id: str, document: bytes) -> None:
        if problem := self.problem(to):
            raise ReplyError(problem)
        if to.url is not None:
            self._callbacks.post(to.url, document)
        elif to.queue is not None:
            self._put(self._arn(to.queue) or to.queue, endpoint, request_id, document)

    def _put(self, arn: str, endpoint: str, request_id: str, document: bytes) -> None:
        ordered: dict[str, str] = {}
        if arn.endswith(".fifo"):
            # A refusal and the answer to the mended request are two, within five minutes too.
            told = f"{endpoint}/{request_id}/".encode() + document
            same = hashlib.sha256(told).hexdigest()
            ordered = {"MessageGroupId": endpoint, "MessageDeduplicationId": same}
        try:
            self._sqs.send_message(
                QueueUrl=self._url(arn), MessageBody=document.decode(), **ordered
            )
        except ClientError as error:
            code = error_code(error)
            raise ReplyError(f"queue {arn} did not take the answer: {code}") from None
        except BotoCoreError as error:
            kind = type(error).__name__
            raise ReplyError(f"queue {arn} was not reached: {kind}") from None

    def _arn(self, queue: str) -> str | None:
        """The queue of the allow-list that is meant; a URL has no partition, and in an embedded
        account no Region either."""
        if queue in self._queues:
            return queue
        place = _URL.fullmatch(queue)
        for arn, known in self._queues.items():
            if place and known and place.group("account", "name") == known.group("account", "name"):
                other = re.fullmatch(r"sqs\.([a-z0-9-]+)\.amazonaws\..*", place["host"])
                if other is None or other[1] == known["region"]:
                    return arn
        return None

    def _url(self, arn: str) -> str:
        if arn not in self._urls:
            known = self._queues[arn]
            if known is None:
                raise ReplyError(f"{arn!r:.200} is no queue's ARN: mend the parameter ReplyQueues")
            self._urls[arn] = self._sqs.get_queue_url(
                QueueName=known["name"], QueueOwnerAWSAccountId=known["account"]
            )["QueueUrl"]
        return self._urls[arn]
