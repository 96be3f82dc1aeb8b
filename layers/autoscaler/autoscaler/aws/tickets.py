"""Requests that wait: their bodies in S3 under `requests/<endpoint>/<id>.json`, their messages in
the endpoint's queue, and what came of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from ..endpoints.names import ResourceNames
from ..spec.request import may_lie_unread
from .clients import NO_QUEUE, client, error_code

_ABSENT = {"404", "NoSuchKey", "NotFound"}
_TENANT, _LIFE = "tenant", "life"  # in the object's head, so that a look needs no body


@dataclass(frozen=True)
class Waiting:
    """A request that was stored: when, whose it is, and in which life of its endpoint."""

    since: datetime
    tenant: str
    life: str = ""


class NoQueueError(RuntimeError):
    """An endpoint has no queue: it is not created yet, or it is removed."""


class Tickets:
    """Over one results bucket and the queues of one stack."""

    def __init__(self, prefix: str, bucket: str, s3: Any = None, sqs: Any = None) -> None:
        self._prefix, self._bucket = prefix, bucket
        self._s3 = s3 or client("s3")
        self._sqs = sqs or client("sqs")
        self._urls: dict[str, str] = {}

    def keep(
        self,
        endpoint: str,
        ticket: str,
        body: bytes,
        tenant: str,
        options: Mapping[str, Any],
        life: str = "",
    ) -> None:
        """Stores the body, then queues its message: a message without a body could never be
        answered, a body without a message only expires. `options`: of the reserved key.

        Raises NoQueueError, mostly before anything is stored.
        """
        try:
            self._keep(endpoint, ticket, body, {_TENANT: tenant, _LIFE: life}, options)
        except ClientError as error:
            if error_code(error) in NO_QUEUE:
                raise NoQueueError(f"{endpoint} has no queue") from error
            raise

    def _keep(
        self,
        endpoint: str,
        ticket: str,
        body: bytes,
        told: Mapping[str, str],
        options: Mapping[str, Any],
    ) -> None:
        url = self._url(endpoint, may_lie_unread(options, datetime.now(UTC)))
        key = _key(endpoint, ticket)
        self._s3.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=body,
            ContentType="application/json",
            Metadata=dict(told),
        )
        place = f"s3://{self._bucket}/{key}"
        message = {"autoscaler": {**options, "id": ticket, "body": place}}
        self._sqs.send_message(QueueUrl=url, MessageBody=json.dumps(message))

    def waiting(self, endpoint: str, ticket: str) -> Waiting | None:
        try:
            head = self._s3.head_object(Bucket=self._bucket, Key=_key(endpoint, ticket))
        except ClientError as error:
            if error_code(error) in _ABSENT:
                return None
            raise
        told = head.get("Metadata", {})
        return Waiting(head["LastModified"], told.get(_TENANT, ""), told.get(_LIFE, ""))

    def result(self, endpoint: str, ticket: str) -> dict[str, Any] | None:
        """What was stored of it: an answer or an error."""
        try:
            key = f"results/{endpoint}/{ticket}.json"  # as `aws.results` stores it
            found = self._s3.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error_code(error) in _ABSENT:
                return None
            raise
        return dict(json.loads(found["Body"].read()))

    def _url(self, endpoint: str, deferrable: bool) -> str:
        """Of the queue for what may wait, if the endpoint has one: in the other one the tick may
        see it before it is moved, and wake the endpoint for it."""
        names = ResourceNames(self._prefix, endpoint)
        if deferrable:
            try:
                return self._known(names.later_queue)
            except ClientError as error:
                if error_code(error) not in NO_QUEUE:
                    raise
        return self._known(names.queue)

    def _known(self, queue: str) -> str:
        if queue not in self._urls:
            self._urls[queue] = self._sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        return self._urls[queue]


def _key(endpoint: str, ticket: str) -> str:
    return f"requests/{endpoint}/{ticket}.json"
