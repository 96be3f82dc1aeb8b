"""Sends windows of memory to S3 as they come: one signed PUT, no copy, no second reading.

boto3 signs (a presigned address), `http.client` sends: a body that passes through botocore is
read, wrapped and hashed once more for the signature.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError

from ..staging.errors import IntegrityError, StoreUnavailableError, UploadGoneError
from ..staging.http import TROUBLE, Origin, connect, describe

_SIGNED_FOR_SECONDS = 3600
# S3 answers a PUT only after it has it all; SageMaker-sized parts take it a while to check.
_ANSWER_SECONDS = 120.0
# S3's host without a Region, and those whose buckets it may be asked for.
_GLOBAL, _SERVED_BY_GLOBAL = ".s3.amazonaws.com", {"us-east-1", "aws-global"}
_MOST_SAID_BYTES = 64 * 1024
_CODE = re.compile(r"<Code>([^<]*)</Code>")
_MESSAGE = re.compile(r"<Message>([^<]*)</Message>")
_WRONG_CONTENT = {"BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch", "InvalidRequest"}


def put_windows(
    s3: Any,
    operation: str,
    parameters: Mapping[str, Any],
    headers: Mapping[str, str],
    windows: Iterable[memoryview],
    size_bytes: int,
) -> Mapping[str, str]:
    """Sends exactly `size_bytes` and returns S3's headers, lower-case.

    `headers` are those that the presigned request promises. What the windows raise comes out
    unchanged, and the object is not there then: its body never ended. Raises IntegrityError when
    S3 refuses the content, UploadGoneError, StoreUnavailableError.
    """
    key = str(parameters["Key"])
    connection = _open(s3, operation, parameters, headers, size_bytes)
    try:
        for window in windows:
            try:
                connection.send(window)
            except TROUBLE as trouble:
                # S3 may have said why before it closed the connection.
                return _answer(connection, key, broken=describe(trouble))
        return _answer(connection, key)
    finally:
        connection.close()


def _open(
    s3: Any,
    operation: str,
    parameters: Mapping[str, Any],
    headers: Mapping[str, str],
    size_bytes: int,
) -> http.client.HTTPConnection:
    key = str(parameters["Key"])
    if s3.meta.config.signature_version != "s3v4":
        raise ValueError("the S3 client must sign with s3v4: only this signs checksum headers")
    try:
        address = s3.generate_presigned_url(
            operation, Params=dict(parameters), ExpiresIn=_SIGNED_FOR_SECONDS
        )
    except BotoCoreError as error:
        raise StoreUnavailableError(f"{key}: the request cannot be signed: {error}") from error
    parts, origin = urlsplit(address), Origin.of(address)
    if f".{origin.host}".endswith(_GLOBAL) and s3.meta.region_name not in _SERVED_BY_GLOBAL:
        raise ValueError(f"{origin.host} is not the S3 of {s3.meta.region_name}: see `addressing`")
    connection = connect(origin, _ANSWER_SECONDS)
    try:
        connection.putrequest("PUT", f"{parts.path}?{parts.query}", skip_accept_encoding=True)
        for name, value in {**headers, "Content-Length": str(size_bytes)}.items():
            connection.putheader(name, value)
        connection.endheaders()
    except TROUBLE as trouble:
        connection.close()
        raise StoreUnavailableError(f"{key}: S3 is not reached: {describe(trouble)}") from trouble
    return connection


def _answer(
    connection: http.client.HTTPConnection, key: str, broken: str = ""
) -> Mapping[str, str]:
    try:
        response = connection.getresponse()
        said = response.read(_MOST_SAID_BYTES).decode(errors="replace")
    except TROUBLE as trouble:
        why = broken or describe(trouble)
        raise StoreUnavailableError(f"{key}: the upload broke: {why}") from trouble
    if response.status == 200 and not broken:
        return {name.lower(): value for name, value in response.getheaders()}
    code = _first(_CODE, said) or f"HTTP {response.status}"
    message = f"{code} {_first(_MESSAGE, said)}".strip()
    if code in _WRONG_CONTENT:
        raise IntegrityError(f"{key}: S3 refused the bytes: {message}")
    if code == "NoSuchUpload":
        raise UploadGoneError(f"{key}: {message}")
    raise StoreUnavailableError(f"{key}: S3 did not do it: {message}")


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""
