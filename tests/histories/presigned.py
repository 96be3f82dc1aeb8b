"""Uploads that bypass botocore (`autoscaler.aws.uploads`): their connections lead to the wire."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.exceptions import ReadTimeoutError

from autoscaler.aws import uploads
from autoscaler.staging.http import Origin
from tests.histories.faults import RefusedError
from tests.histories.wire import Wire


@contextmanager
def presigned(wire: Wire) -> Iterator[None]:
    """Windows that are sent to S3 go over the wire, whole, when the answer is asked for."""
    connect = uploads.connect
    to_wire: Callable[[Origin, float], Any] = lambda origin, _seconds: _Connection(wire, origin)  # noqa: E731
    uploads.connect = to_wire
    try:
        yield
    finally:
        uploads.connect = connect


class _Connection:
    """As much of `http.client.HTTPConnection` as an upload needs."""

    def __init__(self, wire: Wire, origin: Origin) -> None:
        self._wire, self._origin = wire, f"{origin.scheme}://{origin.host}"
        self._address, self._headers, self._body = "", {}, bytearray()  # type: ignore[var-annotated]

    def putrequest(self, method: str, address: str, **_: Any) -> None:
        assert method == "PUT", method
        self._address = address

    def putheader(self, name: str, value: str) -> None:
        self._headers[name] = value

    def endheaders(self) -> None:
        assert self._headers

    def send(self, window: memoryview) -> None:
        self._body += window

    def close(self) -> None:
        self._body.clear()

    def getresponse(self) -> _Response:
        part = "partNumber" in parse_qs(urlsplit(self._address).query)
        call = self._wire.call("s3", "UploadPart" if part else "PutObject", {})
        try:
            status, headers, body = self._wire.carry(call, self._answer)
        except RefusedError as refused:
            said = f"<Error><Code>{refused.code}</Code><Message>{refused.message}</Message></Error>"
            return _Response(refused.status, {}, said.encode())
        except ReadTimeoutError as silent:
            raise TimeoutError(str(silent)) from None
        return _Response(status, headers, body)

    def _answer(self) -> tuple[int, Mapping[str, str], bytes]:
        url, headers = self._origin + self._address, dict(self._headers)
        answered = self._wire.put_presigned(url, headers, bytes(self._body))
        return answered.status_code, dict(answered.headers), answered.content


class _Response:
    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self._headers, self._body = status, headers, io.BytesIO(body)

    def read(self, most: int) -> bytes:
        return self._body.read(most)

    def getheaders(self) -> list[tuple[str, str]]:
        return [(name, str(value)) for name, value in self._headers.items()]
