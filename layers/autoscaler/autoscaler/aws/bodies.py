"""Bodies of requests in S3 under `requests/<endpoint>/<request id>.json` of the results bucket."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from ..ports import BodyError
from .clients import client, error_code

# SageMaker takes 6 MiB; some bytes are for what is added to stream it.
LARGEST_BYTES = 6 * 1024 * 1024 - 1024
_NOT_THERE = {"404", "NoSuchKey", "NotFound"}


class S3Bodies:
    """RequestBodies over one bucket."""

    def __init__(self, bucket: str, s3: Any = None) -> None:
        self._bucket = bucket
        self._s3 = s3 or client("s3")

    def get(self, endpoint: str, uri: str) -> bytes:
        place = f"s3://{self._bucket}/requests/{endpoint}/"
        if not uri.startswith(place) or "/" in uri.removeprefix(place):
            raise BodyError(f"{uri!r:.200} is not under {place}: no other place is read")
        key = uri.removeprefix(f"s3://{self._bucket}/")
        # Its request would be refused for good: S3 is asked again whether it is truly not there.
        found = self._found(key) or self._found(key)
        if found is None:
            raise BodyError(f"nothing lies at {uri}: store the body, then send")
        if found["ContentLength"] > LARGEST_BYTES:
            raise BodyError(
                f"{uri} has {found['ContentLength']} bytes; SageMaker takes {LARGEST_BYTES}"
            )
        content: bytes = found["Body"].read()
        return content

    def _found(self, key: str) -> Any:
        try:
            return self._s3.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error_code(error) in _NOT_THERE:
                return None
            raise
