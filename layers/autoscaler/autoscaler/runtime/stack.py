"""The custom resource that retires every endpoint before the stack goes.

The function only starts a state machine; that one answers CloudFormation when it is done, so
that nothing polls and an endpoint may take its time. Where to answer is a signed URL, which waits
in the table meanwhile: what an execution is given is no place for it.
"""

from __future__ import annotations

import http.client
import json
import urllib.request
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from botocore.exceptions import ClientError
from pydantic import AfterValidator, Field

from ..aws.answer_addresses import AnswerAddresses
from ..aws.clients import client, error_code
from ..aws.troubles import DeniedError, RefusedError, by_class
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


Url = Annotated[
    str, Field(pattern=r"^https?://[\x21-\x7E]{1,8000}$"), AfterValidator(_response_url)
]


class _Request(Foreign):
    """What CloudFormation sends to a custom resource; the fields that an answer needs."""

    RequestType: Literal["Create", "Update", "Delete"]
    StackId: Id
    RequestId: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,80}$")]  # an execution's name
    LogicalResourceId: Id
    PhysicalResourceId: Id = "retirement"


class StackRequest(_Request):
    """As it comes."""

    ResponseURL: Url


class KeptRequest(_Request):
    """As an execution has it: without its URL, but for one that release 0.1.0 has started."""

    ResponseURL: Url | None = None


class StackAnswer(Boundary):
    """What the state machine wants CloudFormation to be told."""

    request: KeptRequest
    status: Literal["SUCCESS", "FAILED"]
    reason: str


class AnswerError(RuntimeError):
    """CloudFormation did not take the answer."""


def _unusable(name: str) -> str | None:
    """Why nothing could be run under this name of a stack. SageMaker writes names in small letters
    in its ARNs, and roles are judged by these: what they allow by the stack's name, it would refuse
    to every one of them."""
    if name == name.lower():
        return None
    return (
        f"the stack's name {name!r} has capital letters, and SageMaker would refuse every call "
        f"for it: deploy it as {name.lower()!r}"
    )


def change_stack(event: Any) -> dict[str, Any]:
    """Answers Create and Update at once; starts the retirement of everything on Delete."""
    request = StackRequest.model_validate(event)
    kept = KeptRequest.model_validate(request.model_dump(exclude={"ResponseURL"}))
    if request.RequestType != "Delete":
        # Once made, a stack may be updated, and deleted, whatever it is called.
        problem = _unusable(settings().stack_name) if request.RequestType == "Create" else None
        answer = StackAnswer(
            request=kept,
            status="FAILED" if problem else "SUCCESS",
            reason=problem or "nothing to do yet",
        )
        _send(answer, request.ResponseURL)
        return {"answered": True}
    try:
        _keep(request.RequestId, request.ResponseURL)
        _start(kept)
    except (DeniedError, RefusedError) as refused:  # nobody could answer later: now, or in an hour
        reason = f"the retirement of the endpoints could not be started: {refused}"
        _send(StackAnswer(request=kept, status="FAILED", reason=reason), request.ResponseURL)
        return {"answered": True}
    logger.info("retirement started")
    return {"answered": False}


@by_class
def answer_stack(event: Any) -> dict[str, Any]:
    """Sends the state machine's answer."""
    answer = StackAnswer.model_validate(event)
    url = answer.request.ResponseURL or _addresses().find(answer.request.RequestId)
    if url is None:
        raise AnswerError("it is not known any more where CloudFormation waits for this answer")
    _send(answer, url)
    return {"answered": True}


def _addresses() -> AnswerAddresses:
    return AnswerAddresses(settings().table_name)


@by_class
def _keep(request_id: str, url: str) -> None:
    """First, so that whoever may answer knows where. Twice is as once."""
    _addresses().keep(request_id, url)


@by_class
def _start(request: KeptRequest) -> None:
    """Once more for one that exists already. This may be Lambda's second try, and then it does; if
    the answer was wrong, nothing would run, and CloudFormation wait for nobody."""
    if not _started(request):
        _started(request)


def _started(request: KeptRequest) -> bool:
    try:
        client("stepfunctions").start_execution(
            stateMachineArn=settings().flow_arn_prefix + "retire-stack",
            name=request.RequestId,
            input=request.model_dump_json(exclude_none=True),
        )
    except ClientError as error:
        if error_code(error) != "ExecutionAlreadyExists":
            raise
        return False
    return True


def _send(answer: StackAnswer, url: str) -> None:
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
        url,
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
