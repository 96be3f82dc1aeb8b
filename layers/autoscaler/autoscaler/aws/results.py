"""Answers in S3 under `results/<endpoint>/<request id>.json`; a lifecycle rule lets them expire.

A queue may deliver a message twice at the same time, and both dispatchers ask the model, whose
answers differ. So a result is written on a condition: nothing is there, or just the error that was
seen there. S3 answers 412 when the condition failed and 409 when another write came between.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from .clients import client, error_code

_OUTCOME = "outcome"  # so that a look needs no more than the object's head
_NOT_THERE = {"404", "NoSuchKey", "NotFound"}
_OVERTAKEN = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}
_NOTHING_THERE = {"IfNoneMatch": "*"}
_TRIES = 5  # writes of one result at the same moment


class S3Results:
    """ResultStore over one bucket."""

    def __init__(self, bucket: str, s3: Any = None) -> None:
        self._bucket = bucket
        self._s3 = s3 or client("s3")

    def find(self, endpoint: str, request_id: str) -> str | None:
        key = _key(endpoint, request_id)
        found = self._head(key)
        return None if found is None or _is_error(found) else f"s3://{self._bucket}/{key}"

    def put_once(self, endpoint: str, request_id: str, result: Mapping[str, Any]) -> str | None:
        """An error that is in the way gives its place up, unless an answer takes it first."""
        key = _key(endpoint, request_id)
        condition: Mapping[str, str] | None = _NOTHING_THERE
        tries = 0
        while condition is not None:
            try:
                return self._put(key, result, **condition)
            except ClientError as error:
                tries += 1
                if error_code(error) not in _OVERTAKEN or tries == _TRIES:
                    raise
            condition = self._condition_of(key)
        return None

    def get(self, endpoint: str, request_id: str) -> Mapping[str, Any] | None:
        try:
            found = self._s3.get_object(Bucket=self._bucket, Key=_key(endpoint, request_id))
        except ClientError as error:
            if error_code(error) in _NOT_THERE:
                return None
            raise
        result: Mapping[str, Any] = json.loads(found["Body"].read())
        return result

    def _condition_of(self, key: str) -> Mapping[str, str] | None:
        """On which a result may be written now; None: an answer is there."""
        found = self._head(key)
        if found is None:
            return _NOTHING_THERE
        return {"IfMatch": found["ETag"]} if _is_error(found) else None

    def _head(self, key: str) -> Mapping[str, Any] | None:
        try:
            head: Mapping[str, Any] = self._s3.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error_code(error) in _NOT_THERE:
                return None
            raise
        return head

    def _put(self, key: str, result: Mapping[str, Any], **condition: str) -> str:
        self._s3.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=json.dumps(result, ensure_ascii=False).encode(),
            ContentType="application/json",
            Metadata={_OUTCOME: "error" if "error" in result else "answer"},
            **condition,
        )
        return f"s3://{self._bucket}/{key}"


def _is_error(head: Mapping[str, Any]) -> bool:
    return bool(head.get("Metadata", {}).get(_OUTCOME) == "error")


def _key(endpoint: str, request_id: str) -> str:
    return f"results/{endpoint}/{request_id}.json"
