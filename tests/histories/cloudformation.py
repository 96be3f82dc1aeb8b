"""CloudFormation's side of a custom resource: the address to which its answer is put."""

from __future__ import annotations

import io
import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.response import addinfourl

from botocore.exceptions import ReadTimeoutError

from tests.histories.faults import RefusedError
from tests.histories.wire import Wire

SERVICE_TIMEOUT_SECONDS = 3600.0  # as the template has it
GAVE_UP = {"Status": "FAILED", "Reason": "no response was received in time"}
_HOST = "cloudformation-custom-resource-response.example"


class CloudFormation(urllib.request.BaseHandler):
    """Takes answers over the wire, where they can be disturbed as any call."""

    handler_order = 100  # before urllib's own

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.answers: list[dict[str, Any]] = []
        self.deletions = 0  # each has a request id of its own

    def https_open(self, request: urllib.request.Request) -> addinfourl | None:
        if request.host != _HOST:
            return None
        body = json.loads(bytes(request.data or b""))  # type: ignore[arg-type]
        call = self._wire.call("cloudformation", "PutAnswer", body)
        try:
            self._wire.carry(call, lambda: self.answers.append(body))
        except RefusedError as refused:
            url, said = request.full_url, refused.message
            raise HTTPError(url, refused.status, said, Message(), io.BytesIO()) from None
        except ReadTimeoutError:
            raise URLError(TimeoutError("timed out")) from None
        reply = addinfourl(io.BytesIO(), Message(), request.full_url, 200)
        reply.msg = "OK"  # type: ignore[attr-defined]
        return reply

    def give_up(self) -> None:
        """Nobody answered in time: the deletion of the stack fails."""
        self.answers.append(GAVE_UP)

    @contextmanager
    def listening(self) -> Iterator[None]:
        urllib.request.install_opener(urllib.request.build_opener(self))
        try:
            yield
        finally:
            urllib.request.install_opener(None)  # type: ignore[arg-type]


def answered(answers: list[dict[str, Any]], status: str) -> bool:
    """Whoever deletes the stack sees it."""
    return any(one["Status"] == status for one in answers)


def deletion(attempt: int) -> dict[str, Any]:
    """What CloudFormation sends when the stack is deleted, for the so-manieth time."""
    return {
        "RequestType": "Delete",
        "ResponseURL": f"https://{_HOST}/answer?signature=still",
        "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/autoscaler/1",
        "RequestId": f"deletion-{attempt}",
        "LogicalResourceId": "Retirement",
        "PhysicalResourceId": "retirement",
    }
