"""Reports in S3."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from .clients import client, error_code


class S3Reports:
    """ReportStore over one bucket."""

    def __init__(self, bucket: str, s3: Any = None) -> None:
        self._bucket = bucket
        self._s3 = s3 or client("s3")

    def get(self, key: str) -> bytes | None:
        """What lies there; None: nothing does."""
        try:
            found: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error_code(error) == "NoSuchKey":
                return None
            raise
        return found

    def put(self, key: str, body: bytes, content_type: str) -> str:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType=content_type)
        return f"s3://{self._bucket}/{key}"
