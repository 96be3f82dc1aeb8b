"""Answers in S3 under `results/<endpoint>/<request id>.json`; a lifecycle rule lets them expire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from .clients import client, error_code

_OUTCOME = "outcome"  # so that a look needs no more than the object's head


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
            if error_code(error) in {"404", "NoSuchKey", "NotFound"}:
                return None
            raise
        refused = found.get("Metadata", {}).get(_OUTCOME) == "error"
        return None if refused else f"s3://{self._bucket}/{key}"

    def put(self, endpoint: str, request_id: str, result: Mapping[str, Any]) -> str:
        key = _key(endpoint, request_id)
        self._s3.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=json.dumps(result, ensure_ascii=False).encode(),
            ContentType="application/json",
            Metadata={_OUTCOME: "error" if "error" in result else "answer"},
        )
        return f"s3://{self._bucket}/{key}"


def _key(endpoint: str, request_id: str) -> str:
    return f"results/{endpoint}/{request_id}.json"
