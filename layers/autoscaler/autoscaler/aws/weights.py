"""Staged weights in S3, with S3's own SHA-256 of every object."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, UnseekableStreamError

from ..staging.errors import IntegrityError, ObjectMissingError, StoreUnavailableError
from ..staging.store import SMALL_BYTES, ByteSource, StoredObject
from .clients import error_code, error_message

_ABSENT = {"404", "NoSuchKey", "NotFound"}
_WRONG_CONTENT = {"BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"}
# Signing a stream would read it before it is sent. S3 checks the declared SHA-256 all the same.
_UNSIGNED_PAYLOAD = Config(s3={"payload_signing_enabled": False})


class S3WeightStore:
    """WeightStore over one bucket; encryption is the bucket's default."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3, self._bucket = s3, bucket
        s3.meta.events.register(
            "before-sign.s3.PutObject", _leave_stream_unsigned, unique_id="unsigned-weights"
        )

    def head(self, key: str) -> StoredObject | None:
        try:
            found = self._s3.head_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            if error_code(error) in _ABSENT:
                return None
            raise _unavailable(error, key) from error
        except BotoCoreError as error:
            raise _unavailable(error, key) from error
        return StoredObject(key, found["ContentLength"], _full_sha256(found))

    def put_stream(self, key: str, body: ByteSource, size_bytes: int, sha256: str) -> None:
        tap = _Tap(body)
        try:
            self._s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=tap,
                ContentLength=size_bytes,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=base64.b64encode(bytes.fromhex(sha256)).decode(),
            )
        except (ClientError, BotoCoreError) as error:
            if tap.failure is not None:
                raise tap.failure from error
            if isinstance(error, ClientError) and error_code(error) in _WRONG_CONTENT:
                raise IntegrityError(f"{key}: S3 refused the bytes: {error}") from error
            raise _unavailable(error, key) from error

    def copy(self, source_key: str, key: str) -> None:
        with _translated(source_key):
            self._s3.copy_object(
                Bucket=self._bucket,
                Key=key,
                CopySource={"Bucket": self._bucket, "Key": source_key},
                ChecksumAlgorithm="SHA256",
            )

    def list(self, prefix: str) -> Iterator[StoredObject]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix
        )
        with _translated(prefix):
            for page in pages:
                for found in page.get("Contents", ()):
                    yield StoredObject(found["Key"], found["Size"], None)

    def delete(self, key: str) -> None:
        with _translated(key):
            self._s3.delete_object(Bucket=self._bucket, Key=key)

    def get(self, key: str, limit_bytes: int = SMALL_BYTES) -> bytes:
        with _translated(key):
            found = self._s3.get_object(Bucket=self._bucket, Key=key)
            with found["Body"] as body:
                if found["ContentLength"] > limit_bytes:
                    raise IntegrityError(f"{key} has more than the {limit_bytes} bytes expected")
                content: bytes = body.read()
        return content

    def put_bytes(self, key: str, body: bytes) -> None:
        checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
        with _translated(key):
            self._s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=body,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=checksum,
            )


class _Tap:
    """A body that remembers why it failed: botocore wraps whatever a body raises."""

    def __init__(self, body: ByteSource) -> None:
        self._body = body
        self.failure: Exception | None = None

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._body.read(size)
        except Exception as failure:
            self.failure = failure
            raise


def _leave_stream_unsigned(request: Any, **_: Any) -> None:
    if isinstance(request.context.get("client_config"), Config) and isinstance(request.body, _Tap):
        request.context["client_config"] = request.context["client_config"].merge(_UNSIGNED_PAYLOAD)


def _full_sha256(found: dict[str, Any]) -> str | None:
    # A multipart upload's COMPOSITE checksum is a checksum of checksums: "…-5".
    checksum = found.get("ChecksumSHA256")
    if not checksum or found.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT":
        return None
    return None if "-" in checksum else base64.b64decode(checksum).hex()


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
    if isinstance(error, UnseekableStreamError):  # a stream is sent once; the caller starts anew
        return StoreUnavailableError(f"{key}: S3 asked for the bytes once more")
    said = error_message(error) if isinstance(error, ClientError) else str(error)
    code = error_code(error) if isinstance(error, ClientError) else type(error).__name__
    return StoreUnavailableError(f"{key}: S3 did not do it: {code} {said}")
