"""The custom resource that retires every endpoint before the stack goes.

The function only starts a state machine; that one answers CloudFormation when it is done, so
that nothing polls and an endpoint may take its time.
"""

from __future__ import annotations

import http.client
import json
import urllib.request
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from botocore.exceptions import ClientError
from pydantic import AfterValidator, Field

from ..aws.clients import client, error_code
from .boundary import Boundary, Foreign
from .logs import logger
from .settings import settings

_ANSWER_SECONDS = 20
_LONGEST_REASON = 1000
_LOOPBACK = ("127.0.0.1", "localhost")


def _response_url(url: str) -> str:
    """By https; plainly to this machine only. Its query is a signature: it is in no sentence."""
    try:
        place = urlsplit(url)
        host, _ = place.hostname, place.port
    except ValueError:
        raise ValueError("is not a URL") from None
    if place.scheme != "https" and not (place.scheme == "http" and host in _LOOPBACK):
        raise ValueError("is neither https nor http on loopback")
    return url


Id = Annotated[str, Field(pattern=r"^[\x20-\x7E]{1,1024}$")]


class StackRequest(Foreign):
    """What CloudFormation sends to a custom resource; the fields that an answer needs."""

    RequestType: Literal["Create", "Update", "Delete"]
    ResponseURL: Annotated[
        str, Field(pattern=r"^https?://[\x21-\x7E]{1,8000}$"), AfterValidator(_response_url)
    ]
    StackId: Id
    RequestId: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,80}$")]  # an execution's name
    LogicalResourceId: Id
    PhysicalResourceId: Id = "retirement"


class StackAnswer(Boundary):
    """What the state machine wants CloudFormation to be told."""

    request: StackRequest
    status: Literal["SUCCESS", "FAILED"]
    reason: str


class AnswerError(RuntimeError):
    """CloudFormation did not take the answer."""


def change_stack(event: Any) -> dict[str, Any]:
    """Answers Create and Update at once; starts the retirement of everything on Delete."""
    request = StackRequest.model_validate(event)
    if request.RequestType != "Delete":
        answer = StackAnswer(request=request, status="SUCCESS", reason="nothing to do yet")
        _send(answer)
        return {"answered": True}
    machine = settings().flow_arn_prefix + "retire-stack"
    try:
        client("stepfunctions").start_execution(
            stateMachineArn=machine, name=request.RequestId, input=request.model_dump_json()
        )
    except ClientError as error:
        if error_code(error) != "ExecutionAlreadyExists":  # or this is Lambda's second try
            raise
    logger.info("retirement started")
    return {"answered": False}


def answer_stack(event: Any) -> dict[str, Any]:
    """Sends the state machine's answer."""
    _send(StackAnswer.model_validate(event))
    return {"answered": True}


def _send(answer: StackAnswer) -> None:
    """A PUT, of which urllib follows no redirect."""
    request = answer.request
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
    try:
        with urllib.request.urlopen(put, timeout=_ANSWER_SECONDS):  # raises from 300 on
            return
    except (OSError, http.client.HTTPException) as error:  # URLError and HTTPError are OSErrors
        status = getattr(error, "code", "")
        raise AnswerError(
            f"CloudFormation did not take the answer: {type(error).__name__} {status}".rstrip()
        ) from None
