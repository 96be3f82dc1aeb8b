"""Sends a request to an endpoint's queue and looks for its result, with the caller's own rights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from autoscaler.aws.clients import NO_QUEUE
from autoscaler.endpoints.names import ResourceNames
from tools.cli.aws_errors import explained, is_denied
from tools.cli.client import CliError, RefusedError, StackClient
from tools.cli.questions import Question

# SQS takes 256 KiB (or more, where it is set so); above this a body goes by way of S3.
MOST_INLINE_BYTES = 200_000
_NOT_THERE = {"404", "NoSuchKey", "NotFound"}


@dataclass(frozen=True)
class Found:
    """A result, and when it was written: two refusals of one id say the same."""

    document: dict[str, Any]
    written_at: datetime


class Mailbox:
    """The queue and the results of one endpoint."""

    def __init__(self, client: StackClient, endpoint: str) -> None:
        self._client, self.endpoint = client, endpoint

    @cached_property
    def bucket(self) -> str:
        name = self._client.outputs.get("ResultsBucketName")
        if not name:
            raise CliError(
                f"the stack {self._client.stack!r} has no output ResultsBucketName: is it an "
                "autoscaler, and up to date with this command line?"
            )
        return name

    def send(self, question: Question) -> None:
        """RefusedError for an endpoint that is not there: it names those that are."""
        url, message = self._url(question.may_lie_unread), question.message()
        if len(message.encode()) > MOST_INLINE_BYTES:
            message = question.reference(self._put(question))
        try:
            self._client.boto("sqs").send_message(QueueUrl=url, MessageBody=message)
        except ClientError as error:
            raise self._denied(error, "sqs:SendMessage on the endpoint's queue") from None

    def look(self, request_id: str) -> Found | None:
        """The result; None: there is none yet, or none any more."""
        key = f"results/{self.endpoint}/{request_id}.json"
        try:
            found = self._s3.get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _NOT_THERE:
                return None
            needs = "s3:GetObject on results/* and s3:ListBucket on the results bucket"
            raise self._denied(error, needs) from None
        return Found(dict(json.loads(found["Body"].read())), found["LastModified"])

    @cached_property
    def _s3(self) -> Any:
        return self._client.boto("s3")

    def _url(self, deferrable: bool) -> str:
        """Of the queue for what may wait, if the endpoint has one: in the other one the tick may
        see it before it is moved, and wake the endpoint for it."""
        try:
            names = ResourceNames(self._client.stack, self.endpoint)
        except ValueError as wrong:
            raise RefusedError([str(wrong)]) from None
        for queue in [names.later_queue, names.queue] if deferrable else [names.queue]:
            if url := self._url_of(queue):
                return url
        # Says which endpoints there are; one that is being created has no queue yet.
        found = self._client.command("get", endpoint=self.endpoint)["endpoints"][0]
        raise CliError(
            f"{self.endpoint} is {found['phase']} and has no queue yet: ask when it is CREATING "
            f"(autoscaler get {self.endpoint} --watch)"
        )

    def _url_of(self, queue: str) -> str | None:
        try:
            return str(self._client.boto("sqs").get_queue_url(QueueName=queue)["QueueUrl"])
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in NO_QUEUE:
                return None
            raise self._denied(error, "sqs:GetQueueUrl on the endpoint's queue") from None

    def _put(self, question: Question) -> str:
        key = f"requests/{self.endpoint}/{question.id}.json"
        try:
            self._s3.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=json.dumps(question.body).encode(),
                ContentType="application/json",
            )
        except ClientError as error:
            needs = f"s3:PutObject on requests/*, because it has above {MOST_INLINE_BYTES} bytes"
            raise self._denied(error, needs) from None
        return f"s3://{self.bucket}/{key}"

    def _denied(self, error: ClientError, needs: str) -> CliError:
        more = f"; this takes {needs} (docs/permissions.md)" if is_denied(error) else ""
        return CliError(explained(error) + more)
