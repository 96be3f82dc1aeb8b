"""Answers in S3 under `results/<endpoint>/<request id>.json`; a lifecycle rule lets them expire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from .clients import client, error_code

_OUTCOME = "outcome"  # so that a look needs no more than the object's head
_NOT_THERE = {"404", "NoSuchKey", "NotFound"}
# 409: another conditional write of the same key is under way; one of the two has it.
_TAKEN = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}


class S3Results:
    """ResultStore over one bucket."""

    def __init__(self, bucket: str, s3: Any = None) -> None:
        self._bucket = bucket
        self._s3 = s3 or client("s3")

    def find(self, endpoint: str, request_id: str) -> str | None:
        key = _key(endpoint, request_id)
        try:
            found = self._s3.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error_code(error) in _NOT_THERE:
                return None
            raise
        return None if _is_error(found) else f"s3://{self._bucket}/{key}"

    def put(self, endpoint: str, request_id: str, result: Mapping[str, Any]) -> str:
        return self._put(_key(endpoint, request_id), result)

    def put_once(self, endpoint: str, request_id: str, result: Mapping[str, Any]) -> str | None:
        """An error that is in the way gives its place up, unless an answer takes it first."""
        key = _key(endpoint, request_id)
        try:
            return self._put(key, result, IfNoneMatch="*")
        except ClientError as error:
            if error_code(error) not in _TAKEN:
                raise
        head = self._s3.head_object(Bucket=self._bucket, Key=key)
        if not _is_error(head):
            return None
        try:
            return self._put(key, result, IfMatch=head["ETag"])
        except ClientError as error:
            if error_code(error) not in _TAKEN:
                raise
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
