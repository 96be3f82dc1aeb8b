"""Multipart uploads of large files, in order, with S3's CRC64NVME over the whole object."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..staging.errors import IntegrityError, StoreUnavailableError, UploadGoneError
from ..staging.store import PartUploads
from .clients import error_code, error_message
from .uploads import put_windows

SHA256_METADATA = "sha256"
_WRONG_CONTENT = {"BadDigest", "XAmzContentChecksumMismatch"}
_COPY_PART_BYTES = 1024**3


class _PartReplacedError(UploadGoneError):
    """Of parts that S3 has just listed: somebody else has sent one of them again since. The same
    bytes have another tag then, where a key of KMS encrypts them."""


class S3PartUploads(PartUploads):
    """PartUploads over one bucket."""

    def __init__(self, s3: Any, bucket: str, base: str = "") -> None:
        self._s3, self._bucket, self._base = s3, bucket, base

    def begin(self, key: str, sha256: str) -> str:
        begun = self._call(
            "create_multipart_upload",
            key,
            ChecksumAlgorithm="CRC64NVME",
            ChecksumType="FULL_OBJECT",
            Metadata={SHA256_METADATA: sha256},
        )
        return str(begun["UploadId"])

    def put(self, key: str, upload: str, number: int, part: memoryview, crc64nvme: str) -> None:
        parameters = {
            "Bucket": self._bucket,
            "Key": self._base + key,
            "UploadId": upload,
            "PartNumber": number,
            "ChecksumAlgorithm": "CRC64NVME",
            "ChecksumCRC64NVME": crc64nvme,
        }
        headers = {
            "x-amz-sdk-checksum-algorithm": "CRC64NVME",
            "x-amz-checksum-crc64nvme": crc64nvme,
        }
        put_windows(self._s3, "upload_part", parameters, headers, [part], len(part))

    def complete(self, key: str, upload: str, parts: int, crc64nvme: str) -> None:
        try:
            self._complete(key, upload, parts, crc64nvme)
        except _PartReplacedError:
            self._complete(key, upload, parts, crc64nvme)

    def _complete(self, key: str, upload: str, parts: int, crc64nvme: str) -> None:
        there = self._parts(key, upload)
        if [part["PartNumber"] for part in there] != list(range(1, parts + 1)):
            raise UploadGoneError(f"{key}: {len(there)} of {parts} parts are there")
        self._call(
            "complete_multipart_upload",
            key,
            UploadId=upload,
            ChecksumCRC64NVME=crc64nvme,
            ChecksumType="FULL_OBJECT",
            MultipartUpload={"Parts": there},
        )

    def abort(self, key: str, upload: str) -> None:
        try:
            self._call("abort_multipart_upload", key, UploadId=upload)
        except UploadGoneError:
            return  # that is what is wanted

    def abort_all(self, prefix: str) -> int:
        where = {"Bucket": self._bucket, "Prefix": self._base + prefix}
        pages = self._s3.get_paginator("list_multipart_uploads").paginate(**where)
        try:
            found = [upload for page in pages for upload in page.get("Uploads", ())]
        except (ClientError, BotoCoreError) as error:
            raise _translated(prefix, error) from error
        for upload in found:
            self.abort(upload["Key"].removeprefix(self._base), upload["UploadId"])
        return len(found)

    def copy(self, source_key: str, key: str, size_bytes: int, sha256: str) -> None:
        """Inside S3, part by part; S3 makes the CRC64NVME of the copy itself."""
        upload = self.begin(key, sha256)
        source = {"Bucket": self._bucket, "Key": self._base + source_key}
        parts = []
        try:
            for number, start in enumerate(range(0, size_bytes, _COPY_PART_BYTES), start=1):
                end = min(start + _COPY_PART_BYTES, size_bytes) - 1
                copied = self._call(
                    "upload_part_copy",
                    key,
                    UploadId=upload,
                    PartNumber=number,
                    CopySource=source,
                    CopySourceRange=f"bytes={start}-{end}",
                )
                parts.append({"PartNumber": number, "ETag": copied["CopyPartResult"]["ETag"]})
            self._call(
                "complete_multipart_upload",
                key,
                UploadId=upload,
                MultipartUpload={"Parts": parts},
            )
        except Exception:
            self.abort(key, upload)
            raise

    def _parts(self, key: str, upload: str) -> list[dict[str, Any]]:
        """What S3 has, as it wants to be told again when the upload is completed."""
        pages = self._s3.get_paginator("list_parts").paginate(
            Bucket=self._bucket, Key=self._base + key, UploadId=upload
        )
        try:
            parts = [part for page in pages for part in page.get("Parts", ())]
        except (ClientError, BotoCoreError) as error:
            raise _translated(key, error) from error
        told = ("PartNumber", "ETag", "ChecksumCRC64NVME")
        return [{name: part[name] for name in told if name in part} for part in parts]

    def _call(self, operation: str, key: str, **parameters: Any) -> Any:
        place = {"Bucket": self._bucket, "Key": self._base + key}
        try:
            return getattr(self._s3, operation)(**place, **parameters)
        except (ClientError, BotoCoreError) as error:
            raise _translated(key, error) from error


def _translated(key: str, error: Exception) -> Exception:
    if not isinstance(error, ClientError):
        return StoreUnavailableError(f"{key}: S3 did not do it: {error}")
    said = f"{error_code(error)} {error_message(error)}"
    if error_code(error) == "InvalidPart":
        return _PartReplacedError(f"{key}: {said}")
    if error_code(error) == "NoSuchUpload":
        return UploadGoneError(f"{key}: {said}")
    if error_code(error) in _WRONG_CONTENT:
        return IntegrityError(f"{key}: S3 refused the bytes: {said}")
    return StoreUnavailableError(f"{key}: S3 did not do it: {said}")
