"""Asks a model through SageMaker's response stream and assembles its answer.

The stream, because a plain InvokeEndpoint must answer within 60 seconds and R1 reasons longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError

from ..endpoints.completions import (
    IncompleteAnswerError,
    as_asked,
    assemble,
    is_own,
    passed_on,
)
from ..endpoints.names import ResourceNames
from ..endpoints.prompts import choices_asked
from ..ports import Answer, BusyError, ModelError, NoCapacityError, NotAllowedError
from ..spec import Kind
from ..spec.text import compact_json
from .clients import client, error_code, error_message
from .troubles import DENIED

_NO_CAPACITY = "no capacity to process this request"
# "Endpoint x of account y not found.", as long as there is none by its name, or it is being made.
_NOT_FOUND = "not found"
_BUSY = {
    "ModelNotReadyException",
    "ServiceUnavailable",
    "ThrottlingException",
    "TooManyRequestsException",
}
_BUSY_STATUS = {408, 429, 503}
# Ten are read at a time, by a function that has 1 GB. A token is some 250 bytes of a stream, and
# 1,200 with the log-probabilities of five others: 40,000 of those.
LARGEST_ANSWER_BYTES = 48 * 1024 * 1024


class SageMakerModels:
    """ModelInvoker over inference components and realtime variants."""

    def __init__(self, prefix: str, runtime: Any = None) -> None:
        self._prefix = prefix
        self._runtime = runtime or client("sagemaker-runtime")

    def ask(
        self, name: str, body: Mapping[str, Any], kind: Kind = Kind.COMPONENT, shared: str = ""
    ) -> Answer:
        names = ResourceNames(self._prefix, name, shared=shared)
        inside = {} if kind.is_whole_instance else {"InferenceComponentName": names.component}
        try:
            reply = self._runtime.invoke_endpoint_with_response_stream(
                EndpointName=names.endpoint,
                **inside,
                ContentType="application/json",
                Body=compact_json(as_asked(body)),
            )
        except ClientError as error:
            raise typed(error) from error
        except (EndpointConnectionError, ConnectTimeoutError) as unreached:
            raise BusyError(str(unreached)) from unreached
        said = _payload(reply["Body"])
        return passed_on(said) if is_own(body) else assemble(said, choices_asked(body))


def _payload(events: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    size = 0
    for event in events:
        if "PayloadPart" in event:
            part = event["PayloadPart"]["Bytes"]
            size += len(part)
            if size > LARGEST_ANSWER_BYTES:
                raise IncompleteAnswerError(
                    f"its answer is longer than {LARGEST_ANSWER_BYTES:,} bytes"
                )
            yield part


def is_not_there(error: ClientError) -> bool:
    """Whether the runtime knows no such endpoint or component; its words are other ones than those
    of the API that makes them (`scaler.is_absent`)."""
    return error_code(error) == "ValidationError" and _NOT_FOUND in error_message(error)


def typed(error: ClientError) -> Exception:
    """The error as the flows know it; what they do not is botocore's own."""
    message = error_message(error)
    if error_code(error) in DENIED:
        return NotAllowedError(message)
    if _NO_CAPACITY in message or is_not_there(error):
        return NoCapacityError(message)
    refused = error.response.get("OriginalStatusCode", 0)
    from_model = error_code(error) == "ModelError"
    if error_code(error) in _BUSY or (from_model and refused in _BUSY_STATUS):
        return BusyError(message)
    if from_model and 400 <= refused < 500:
        return ModelError(error.response.get("OriginalMessage") or message)
    return cast(Exception, error)
