"""Staged weights in S3, with S3's own SHA-256 of every object up to 5 GiB."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from ..staging.errors import IntegrityError, ObjectMissingError, StoreUnavailableError
from ..staging.store import (
    SINGLE_PUT_BYTES,
    SMALL_BYTES,
    PartUploads,
    StoredObject,
    WeightStore,
)
from .clients import error_code, error_message
from .multipart import SHA256_METADATA, S3PartUploads
from .uploads import put_windows

# AWS verifies x-amz-checksum-sha256 of what it is sent before it stores it:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
_AWS = (".amazonaws.com", ".amazonaws.com.cn")
# Among the checkpoints of large files, where whoever stages may write and remove.
_PROBES = "checkpoints/probes/"
_ABSENT = {"404", "NoSuchKey", "NotFound"}
_READ_BYTES = 1024 * 1024


class S3WeightStore:
    """WeightStore over one bucket, or over what lies under `base` in it; encryption is the
    bucket's default."""

    def __init__(self, s3: Any, bucket: str, base: str = "") -> None:
        self._s3, self._bucket, self._base = s3, bucket, base
        self._uploads = S3PartUploads(s3, bucket, base)

    @property
    def base(self) -> str:
        return self._base

    @property
    def whole(self) -> WeightStore:
        return S3WeightStore(self._s3, self._bucket)

    @property
    def uploads(self) -> PartUploads:
        return self._uploads

    @cached_property
    def checks_content(self) -> bool:
        host = urlsplit(self._s3.meta.endpoint_url).hostname or ""
        return host.endswith(_AWS) or self._refuses_other_bytes()

    def _refuses_other_bytes(self) -> bool:
        """Offers one byte under the checksum of none."""
        key = f"{_PROBES}{uuid4().hex}"
        try:
            self.put_windows(key, [memoryview(b"x")], 1, hashlib.sha256().hexdigest())
        except IntegrityError:
            return True
        self.delete(key)
        return False

    def head(self, key: str) -> StoredObject | None:
        try:
            found = self._s3.head_object(**self._place(key), ChecksumMode="ENABLED")
        except ClientError as error:
            if error_code(error) in _ABSENT:
                return None
            raise _unavailable(error, key) from error
        except BotoCoreError as error:
            raise _unavailable(error, key) from error
        return StoredObject(key, found["ContentLength"], _sha256(found), _crc64nvme(found))

    def put_windows(
        self, key: str, windows: Iterable[memoryview], size_bytes: int, sha256: str
    ) -> None:
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        put_windows(
            self._s3,
            "put_object",
            {**self._place(key), "ChecksumAlgorithm": "SHA256", "ChecksumSHA256": checksum},
            {"x-amz-sdk-checksum-algorithm": "SHA256", "x-amz-checksum-sha256": checksum},
            windows,
            size_bytes,
        )

    def copy(self, source_key: str, key: str, size_bytes: int, sha256: str) -> None:
        if size_bytes > SINGLE_PUT_BYTES:
            self._uploads.copy(source_key, key, size_bytes, sha256)
            return
        with _translated(source_key):
            self._s3.copy_object(
                **self._place(key), CopySource=self._place(source_key), ChecksumAlgorithm="SHA256"
            )

    def list(self, prefix: str) -> Iterator[StoredObject]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._base + prefix
        )
        with _translated(prefix):
            for page in pages:
                for found in page.get("Contents", ()):
                    key = found["Key"].removeprefix(self._base)
                    yield StoredObject(
                        key, found["Size"], None, modified_at=found.get("LastModified")
                    )

    def delete(self, key: str) -> None:
        with _translated(key):
            self._s3.delete_object(**self._place(key))

    def get(self, key: str, limit_bytes: int = SMALL_BYTES) -> bytes:
        with _translated(key):
            found = self._s3.get_object(**self._place(key))
            with found["Body"] as body:
                if found["ContentLength"] > limit_bytes:
                    raise IntegrityError(f"{key} has more than the {limit_bytes} bytes expected")
                content: bytes = body.read()
        return content

    def sha256_of(self, key: str) -> str:
        digest = hashlib.sha256()
        with _translated(key):
            found = self._s3.get_object(**self._place(key))
            with found["Body"] as body:
                while chunk := body.read(_READ_BYTES):
                    digest.update(chunk)
        return digest.hexdigest()

    def put_bytes(self, key: str, body: bytes) -> None:
        checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
        with _translated(key):
            self._s3.put_object(
                **self._place(key), Body=body, ChecksumAlgorithm="SHA256", ChecksumSHA256=checksum
            )

    def _place(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._base + key}


def _sha256(found: dict[str, Any]) -> str | None:
    """S3's own, or for an object of several parts the one that staging proved beforehand."""
    checksum = found.get("ChecksumSHA256")
    if checksum and found.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT":
        # A COMPOSITE checksum is one of checksums: "…-5".
        return None if "-" in checksum else base64.b64decode(checksum).hex()
    declared = found.get("Metadata", {}).get(SHA256_METADATA)
    return str(declared) if declared else None


def _crc64nvme(found: dict[str, Any]) -> str | None:
    """Of an object that has no SHA-256 of S3's own."""
    whole = found.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT"
    checksum = found.get("ChecksumCRC64NVME") if whole and "ChecksumSHA256" not in found else None
    return str(checksum) if checksum else None


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error_code(error) in _ABSENT:
            raise ObjectMissingError(f"{key} is not in the bucket") from error
        raise _unavailable(error, key) from error
    except BotoCoreError as error:
        raise _unavailable(error, key) from error


def _unavailable(error: Exception, key: str) -> StoreUnavailableError:
    said = error_message(error) if isinstance(error, ClientError) else str(error)
    code = error_code(error) if isinstance(error, ClientError) else type(error).__name__
    return StoreUnavailableError(f"{key}: S3 did not do it: {code} {said}")
