"""Kept answers in S3 under `answers/<endpoint>/<digest>.json`; a lifecycle rule lets them expire.

No prompt is among them: of the request there is only its digest.
"""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError
from pydantic import AwareDatetime, BaseModel, ConfigDict

from ..ports import KeptAnswer
from .clients import client, error_code

# Some 60,000 tokens: longer than any answer that is asked for often, and read in one go.
MOST_BYTES = 256 * 1024
_NOT_THERE = {"404", "NoSuchKey", "NotFound"}


class _Stored(BaseModel):
    """What lies there; whatever else does raises a ValidationError, which is logged: without what
    it was about."""

    model_config = ConfigDict(frozen=True, defer_build=True, hide_input_in_errors=True)

    kept_at: AwareDatetime
    answer: Any


class S3KeptAnswers:
    """KeptAnswers over one bucket."""

    def __init__(self, bucket: str, s3: Any = None) -> None:
        self._bucket = bucket
        self._s3 = s3 or client("s3")

    def find(self, endpoint: str, digest: str) -> KeptAnswer | None:
        try:
            found = self._s3.get_object(Bucket=self._bucket, Key=_key(endpoint, digest))
        except ClientError as error:
            if error_code(error) in _NOT_THERE:
                return None
            raise
        stored = _Stored.model_validate_json(found["Body"].read())
        return KeptAnswer(stored.answer, stored.kept_at)

    def put(self, endpoint: str, digest: str, answer: KeptAnswer) -> bool:
        told = {"kept_at": answer.kept_at.isoformat(), "answer": answer.body}
        content = json.dumps(told, ensure_ascii=False).encode()
        if len(content) > MOST_BYTES:
            return False
        self._s3.put_object(
            Bucket=self._bucket,
            Key=_key(endpoint, digest),
            Body=content,
            ContentType="application/json",
        )
        return True


def _key(endpoint: str, digest: str) -> str:
    return f"answers/{endpoint}/{digest}.json"
