"""S3 that refuses damaged uploads: moto takes whatever checksum a client sends for the truth.

While installed, PutObject and UploadPart verify Content-MD5 and x-amz-checksum-* (in headers, or
in the trailer of an aws-chunked body), CompleteMultipartUpload verifies the whole object's, and
HeadObject reports what was sent. Mismatches are answered 400 BadDigest and store nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import threading
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from moto.s3 import models, responses, utils
from moto.s3.exceptions import NoSuchUpload, S3ClientError

from tools.embedded.pump.patches import Patches

# Reflected CRCs with all ones before and after: width, polynomial.
CRC32C = (32, 0x1EDC6F41)
CRC64NVME = (64, 0xAD93D23594C93659)
_REVERSED = bytes(int(f"{n:08b}"[::-1], 2) for n in range(256))


class BadDigestError(S3ClientError):
    code = "BadDigest"


class InvalidDigestError(S3ClientError):
    code = "InvalidDigest"


class InvalidChecksumError(S3ClientError):
    code = "InvalidRequest"


def crc(data: bytes, width: int, polynomial: int) -> int:
    """A reflected CRC. Folds halves of one big integer: some 50 MB/s without a compiled library."""
    bits = 8 * len(data)
    ones = (1 << width) - 1
    message = int.from_bytes(data.translate(_REVERSED), "big") << width
    rest = _remainder(message ^ (ones << bits), width, polynomial)
    return int(f"{rest:0{width}b}"[::-1], 2) ^ ones


def _remainder(message: int, width: int, polynomial: int) -> int:
    """message mod (x^width + polynomial), over GF(2)."""
    while (bits := message.bit_length()) > 4 * width:
        level = (bits - 1).bit_length() - 1  # splits at the largest power of two below
        high, low = message >> (1 << level), message & ((1 << (1 << level)) - 1)
        message = low ^ _product(high, _power(level, width, polynomial))
    full = (1 << width) | polynomial
    while (bits := message.bit_length()) > width:
        message ^= full << (bits - width - 1)
    return message


def _product(number: int, factor: int) -> int:
    result = 0
    while factor:
        lowest = factor & -factor
        result ^= number << (lowest.bit_length() - 1)
        factor ^= lowest
    return result


@lru_cache(maxsize=256)
def _power(level: int, width: int, polynomial: int) -> int:
    """x^(2^level) mod the polynomial."""
    if level <= 5:
        return _remainder(1 << (1 << level), width, polynomial)
    root = _power(level - 1, width, polynomial)
    return _remainder(_product(root, root), width, polynomial)


DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "sha256": lambda data: hashlib.sha256(data).digest(),
    "sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "crc32c": lambda data: crc(data, *CRC32C).to_bytes(4, "big"),
    "crc64nvme": lambda data: crc(data, *CRC64NVME).to_bytes(8, "big"),
}


def supplied_checksums(headers: Mapping[str, str], raw_body: bytes) -> dict[str, str]:
    """The checksums that a request carries, by algorithm, in base64."""
    found = {name: value for name in DIGESTS if (value := headers.get(f"x-amz-checksum-{name}"))}
    if headers.get("x-amz-trailer"):
        tail = raw_body[-1024:]
        for name, value in re.findall(rb"x-amz-checksum-(\w+):\s*([A-Za-z0-9+/=]+)", tail):
            found[name.decode().lower()] = value.decode()
    return {name: value for name, value in found.items() if name in DIGESTS}


def verify(headers: Mapping[str, str], body: bytes, raw_body: bytes) -> dict[str, str]:
    """Returns the checksums supplied. Raises what S3 answers when one does not fit the body."""
    md5 = headers.get("Content-MD5")
    if md5:
        _decoded(md5, 16, InvalidDigestError("The Content-MD5 you specified was invalid."))
        own = hashlib.md5(body, usedforsecurity=False).digest()
        if base64.b64decode(md5) != own:
            raise BadDigestError("The Content-MD5 you specified did not match what we received.")
    found = supplied_checksums(headers, raw_body)
    for name, value in found.items():
        own = DIGESTS[name](body)
        _decoded(
            value,
            len(own),
            InvalidChecksumError(f"Value for x-amz-checksum-{name} header is invalid."),
        )
        if base64.b64decode(value) != own:
            raise _bad_digest(name)
    return found


def _decoded(value: str, length: int, error: S3ClientError) -> None:
    try:
        size = len(base64.b64decode(value, validate=True))
    except binascii.Error:
        size = -1
    if size != length:
        raise error


def _bad_digest(name: str) -> BadDigestError:
    return BadDigestError(
        f"The {name.upper()} you specified did not match the calculated checksum."
    )


class S3Integrity:
    """The patches of moto's S3."""

    def __init__(self) -> None:
        self._patches = Patches()
        self._expected = threading.local()

    def install(self) -> None:
        put = self._patches.set
        for module in (utils, models, responses):
            put(module, "compute_checksum", _compute_checksum)
        response = responses.S3Response
        put(response, "_get_checksum", _get_checksum)
        for name, wrap in (
            ("put_object", _put_with),
            ("upload_part", _part_with),
            ("head_object", _head_with),
        ):
            put(response, name, wrap(getattr(response, name)))
        put(response, "_key_response_post", self._post_with(response._key_response_post))
        multipart = models.FakeMultipart
        put(multipart, "complete", self._complete_with(multipart.complete))

    def uninstall(self) -> None:
        self._patches.restore()

    def _post_with(self, original: Any) -> Any:
        def post(response: Any, *args: Any, **kwargs: Any) -> Any:
            self._expected.checksums = supplied_checksums(response.headers, b"")
            try:
                return original(response, *args, **kwargs)
            finally:
                self._expected.checksums = {}

        return post

    def _complete_with(self, original: Any) -> Any:
        def complete(multipart: Any, body: Any) -> Any:
            # S3 adds CRC64NVME when the client chose nothing.
            multipart.metadata.setdefault("x-amz-checksum-algorithm", "CRC64NVME")
            value, etag, details = original(multipart, body)
            own_name = multipart.metadata["x-amz-checksum-algorithm"].lower()
            for name, expected in getattr(self._expected, "checksums", {}).items():
                own = (
                    _as_text(details[1])
                    if details and name == own_name
                    else (base64.b64encode(DIGESTS[name](value)).decode())
                )
                if expected.partition("-")[0] != own:
                    raise _bad_digest(name)
            if details:
                details = (details[0], _as_text(details[1]), details[2])
            return value, etag, details

        return complete


def _as_text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _body(response: Any) -> tuple[bytes, bytes]:
    body = response.body or b""
    return (body.encode() if isinstance(body, str) else body), response.raw_body or b""


def _put_with(original: Any) -> Any:
    def put_object(response: Any) -> Any:
        checksums = verify(response.headers, *_body(response))
        answer = original(response)
        key = response.backend.get_object(response.bucket_name, response.parse_key_name())
        if checksums and key is not None:
            name, value = next(iter(checksums.items()))
            key.checksum_algorithm, key.checksum_value = name.upper(), value
            key.checksum_type = "FULL_OBJECT"
        return answer

    return put_object


def _part_with(original: Any) -> Any:
    def upload_part(response: Any) -> Any:
        verify(response.headers, *_body(response))
        upload = response._get_param("uploadId")
        bucket = response.backend.get_bucket(response.bucket_name)
        if upload not in bucket.multiparts:  # moto fails with a KeyError, and 500
            raise NoSuchUpload(upload_id=upload)
        return original(response)

    return upload_part


def _head_with(original: Any) -> Any:
    """Adds the checksum's type, which moto gives with GetObject only."""

    def head_object(response: Any, *args: Any, **kwargs: Any) -> Any:
        status, headers, body = original(response, *args, **kwargs)
        if any(name.startswith("x-amz-checksum-") for name in headers):
            version = response.querystring.get("versionId", [None])[0]
            key = response.backend.head_object(
                response.bucket_name, response.parse_key_name(), version_id=version
            )
            if key is not None and key.checksum_type:
                headers["x-amz-checksum-type"] = key.checksum_type
        return status, headers, body

    return head_object


def _get_checksum(response: Any, response_headers: dict[str, Any]) -> tuple[str, str | None]:
    """In place of moto's, which hashes the framing of an aws-chunked body with its content."""
    body, raw_body = _body(response)
    found = supplied_checksums(response.headers, raw_body)
    wanted = (response.headers.get("x-amz-sdk-checksum-algorithm") or "").lower()
    if not found and wanted in DIGESTS:
        found = {wanted: base64.b64encode(DIGESTS[wanted](body)).decode()}
    if not found:
        return "", None
    name, value = next(iter(found.items()))
    response_headers[f"x-amz-checksum-{name}"] = value
    return name.upper(), value


def _compute_checksum(body: bytes, algorithm: str, encode_base64: bool = True) -> bytes:
    """In place of moto's, which takes CRC32 for CRC32C and CRC64NVME when it lacks a library."""
    digest = DIGESTS.get(algorithm.lower(), DIGESTS["sha256"])(bytes(body))
    return base64.b64encode(digest) if encode_base64 else digest


_installed: list[S3Integrity] = []


def install() -> None:
    """Idempotent."""
    if not _installed:
        patches = S3Integrity()
        patches.install()
        _installed.append(patches)


def uninstall() -> None:
    while _installed:
        _installed.pop().uninstall()
