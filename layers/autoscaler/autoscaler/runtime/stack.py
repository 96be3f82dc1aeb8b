"""The custom resource that retires every endpoint before the stack goes.

The function only starts a state machine; that one answers CloudFormation when it is done, so
that nothing polls and an endpoint may take its time.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from ..aws.clients import client
from .logs import logger
from .settings import settings

_ANSWER_SECONDS = 20
_LONGEST_REASON = 1000


class StackRequest(BaseModel):
    """What CloudFormation sends to a custom resource; the fields that an answer needs."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="ignore")

    RequestType: Literal["Create", "Update", "Delete"]
    ResponseURL: str
    StackId: str
    RequestId: str
    LogicalResourceId: str
    PhysicalResourceId: str = "retirement"


class StackAnswer(BaseModel):
    """What the state machine wants CloudFormation to be told."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid")

    request: StackRequest
    status: Literal["SUCCESS", "FAILED"]
    reason: str


class AnswerError(RuntimeError):
    """CloudFormation did not take the answer."""


def change_stack(event: Mapping[str, Any]) -> dict[str, Any]:
    """Answers Create and Update at once; starts the retirement of everything on Delete."""
    request = StackRequest.model_validate(event)
    if request.RequestType != "Delete":
        answer = StackAnswer(request=request, status="SUCCESS", reason="nothing to do yet")
        _send(answer)
        return {"answered": True}
    machine = settings().flow_arn_prefix + "retire-stack"
    client("stepfunctions").start_execution(
        stateMachineArn=machine, name=request.RequestId, input=request.model_dump_json()
    )
    logger.info("retirement started")
    return {"answered": False}


def answer_stack(event: Mapping[str, Any]) -> dict[str, Any]:
    """Sends the state machine's answer."""
    _send(StackAnswer.model_validate(event))
    return {"answered": True}


def _send(answer: StackAnswer) -> None:
    request = answer.request
    url = urlsplit(request.ResponseURL)
    if url.scheme != "https" and url.hostname not in ("127.0.0.1", "localhost"):
        raise AnswerError("CloudFormation's response URL is neither https nor on loopback")
    body = {
        "Status": answer.status,
        "Reason": answer.reason[:_LONGEST_REASON],
        "PhysicalResourceId": request.PhysicalResourceId,
        "StackId": request.StackId,
        "RequestId": request.RequestId,
        "LogicalResourceId": request.LogicalResourceId,
    }
    put = urllib.request.Request(
        request.ResponseURL,
        data=json.dumps(body).encode(),
        method="PUT",
        headers={"Content-Type": ""},  # the URL is signed without one
    )
    with urllib.request.urlopen(put, timeout=_ANSWER_SECONDS) as reply:
        if reply.status >= 300:
            raise AnswerError(f"CloudFormation answered {reply.status}")
