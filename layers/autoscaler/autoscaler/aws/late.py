"""Asks an async endpoint: the request goes to S3, and what came of it is looked for there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
)

from ..endpoints import late
from ..endpoints.completions import IncompleteAnswerError, assemble, passed_on
from ..endpoints.names import ResourceNames
from ..ports import (
    Answer,
    BusyError,
    ExpiredError,
    ModelError,
    NotAllowedError,
    UnsureError,
)
from .clients import client, error_code, error_message
from .model import LARGEST_ANSWER_BYTES, is_not_there
from .troubles import DENIED

_NOT_THERE = {"404", "NoSuchKey", "NotFound"}
_BUSY = {"InternalFailure", "ServiceUnavailable", "ThrottlingException"}
_EXPIRED = "expired"
_LONGEST_REASON = 2000


class S3LateModels:
    """LateModels over one bucket."""

    def __init__(self, prefix: str, bucket: str, s3: Any = None, runtime: Any = None) -> None:
        self._prefix, self._bucket = prefix, bucket
        self._s3 = s3 or client("s3")
        self._runtime = runtime or client("sagemaker-runtime")

    def look(self, name: str, request_id: str) -> Answer | None:
        told = self._told(name, request_id)
        # Without a receipt (it could not be stored) the answer is where it was to be put.
        answer = self._get(told.get("answer", late.answer_key(name, request_id)))
        if answer is not None:
            return _read(answer)
        failure = self._get(told["failure"]) if "failure" in told else None
        if failure is None:
            return None
        reason = failure.decode(errors="replace").strip()[:_LONGEST_REASON]
        raise (ExpiredError if _EXPIRED in reason.lower() else ModelError)(reason)

    def ask(self, name: str, request_id: str, body: Mapping[str, Any]) -> None:
        key = late.question_key(name, request_id)
        whole = {k: v for k, v in body.items() if k not in ("stream", "stream_options")}
        self._put(key, whole)
        try:
            taken = self._runtime.invoke_endpoint_async(
                EndpointName=ResourceNames(self._prefix, name).endpoint,
                ContentType="application/json",
                Accept="application/json",
                InputLocation=f"s3://{self._bucket}/{key}",
                Filename=late.answer_name(request_id),
                RequestTTLSeconds=late.WAITS_SECONDS,
                InvocationTimeoutSeconds=late.WORKS_SECONDS,
            )
        except ClientError as error:
            if error_code(error) in _BUSY or is_not_there(error):
                raise BusyError(error_message(error)) from error
            if error_code(error) in DENIED:
                raise NotAllowedError(error_message(error)) from error
            raise
        except (EndpointConnectionError, ConnectTimeoutError) as unreached:
            raise BusyError(str(unreached)) from unreached
        except BotoCoreError as silent:
            raise UnsureError(f"SageMaker did not say whether it took it: {silent}") from silent
        places = {"answer": taken["OutputLocation"], "failure": taken["FailureLocation"]}
        try:
            self._put(late.receipt_key(name, request_id), places)
        except (ClientError, BotoCoreError) as error:
            raise UnsureError(f"SageMaker took it, and S3 took no receipt: {error}") from error

    def was_asked(self, name: str, request_id: str) -> bool:
        return self._get(late.receipt_key(name, request_id)) is not None

    def forget(self, name: str, request_id: str) -> None:
        told = self._told(name, request_id)
        keys = list(told.values()) or [late.answer_key(name, request_id)]
        # The receipt goes last: until then whoever looks finds the rest.
        for key in (*keys, late.question_key(name, request_id), late.receipt_key(name, request_id)):
            self._s3.delete_object(Bucket=self._bucket, Key=key)

    def _get(self, key: str) -> bytes | None:
        try:
            found = self._s3.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error_code(error) in _NOT_THERE:
                return None
            raise
        if found["ContentLength"] > LARGEST_ANSWER_BYTES:
            raise IncompleteAnswerError(
                f"what lies at {key} is longer than {LARGEST_ANSWER_BYTES:,} bytes"
            )
        content: bytes = found["Body"].read()
        return content

    def _put(self, key: str, content: Mapping[str, Any]) -> None:
        self._s3.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=json.dumps(content, ensure_ascii=False).encode(),
            ContentType="application/json",
        )

    def _told(self, name: str, request_id: str) -> dict[str, str]:
        """The keys of answer and failure, as SageMaker has said; empty without a receipt.

        The container may write receipts too. One that leads out of its endpoint's own exchange, to
        what the dispatcher may read and the container may not, is none.
        """
        receipt = self._get(late.receipt_key(name, request_id))
        try:
            uris = json.loads(receipt) if receipt is not None else {}
        except (ValueError, RecursionError):
            uris = None
        own = late.late_uri(self._bucket, name)
        found = uris if isinstance(uris, dict) else {}
        known = {what: found.get(what) for what in ("answer", "failure")}
        if not all(isinstance(uri, str) and uri.startswith(own) for uri in known.values()):
            return {}
        return {what: str(uri).removeprefix(f"s3://{self._bucket}/") for what, uri in known.items()}


def _read(answer: bytes) -> Answer:
    """The question is not at hand: JSON that is no answer of OpenAI's is the container's own.

    Raises IncompleteAnswerError for what nobody can read.
    """
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError):
        return assemble([answer])
    openai = isinstance(said, dict) and ("choices" in said or "error" in said)
    return assemble([answer]) if openai else passed_on([answer])
