"""An S3 that checks what it gets and keeps only what is small: for the benchmark.

It verifies the checksum that a request declares while the body comes in, as S3 does; the weights
themselves are dropped. Single and multipart uploads, no signatures.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socketserver
import sys
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from awscrt import checksums

_BLOCK = 1 << 20
_KEPT_BYTES = 1 << 20


@dataclass
class _Object:
    size: int
    sha256: str | None
    content: bytes | None
    declared: str | None = None


@dataclass
class _Upload:
    sha256: str | None
    parts: dict[int, int] = field(default_factory=dict)


class _Checksum:
    """What a request says its body has, and what it really has."""

    _CRC: ClassVar[dict[str, tuple[Callable[[memoryview, int], int], int]]] = {
        "x-amz-checksum-crc32": (zlib.crc32, 4),
        "x-amz-checksum-crc64nvme": (checksums.crc64nvme, 8),
    }

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.sha256 = hashlib.sha256()
        self._sha256 = headers.get("x-amz-checksum-sha256")
        self._crc = next((name for name in self._CRC if name in headers), None)
        self._declared_crc, self._value = headers.get(self._crc or ""), 0

    def update(self, block: memoryview) -> None:
        if self._sha256:
            self.sha256.update(block)
        if self._crc:
            self._value = self._CRC[self._crc][0](block, self._value)

    @property
    def has_sha256(self) -> bool:
        return self._sha256 is not None

    def holds(self) -> bool:
        if self._sha256 and base64.b64decode(self._sha256) != self.sha256.digest():
            return False
        if self._crc and self._declared_crc:
            value = self._value.to_bytes(self._CRC[self._crc][1], "big")
            return base64.b64decode(self._declared_crc) == value
        return True


class S3Handler(BaseHTTPRequestHandler):
    """One request after another on a connection."""

    protocol_version = "HTTP/1.1"
    rbufsize = _BLOCK
    objects: ClassVar[dict[str, _Object]] = {}
    uploads: ClassVar[dict[str, _Upload]] = {}
    received: ClassVar[dict[str, int]] = {"bytes": 0}
    lock = threading.Lock()

    def log_message(self, *_: object) -> None:
        """Silent."""

    def do_PUT(self) -> None:
        key, query = self._target()
        checksum, content, length = self._body()
        if not checksum.holds():
            self._answer(400, b"<Error><Code>BadDigest</Code></Error>")
            return
        with self.lock:
            if "partNumber" in query:
                self.uploads[key].parts[int(query["partNumber"][0])] = length
            else:
                sha = checksum.sha256.hexdigest() if checksum.has_sha256 else None
                self.objects[key] = _Object(length, sha, content)
        self._answer(200, ETag='"0"')

    def do_POST(self) -> None:
        key, query = self._target()
        self._body()
        if "uploads" in query:
            self.uploads[key] = _Upload(self.headers.get("x-amz-meta-sha256"))
            self._answer(200, b"<R><UploadId>1</UploadId></R>")
            return
        upload = self.uploads.pop(key)
        self.objects[key] = _Object(sum(upload.parts.values()), None, None, upload.sha256)
        self._answer(200, b"<R><ETag>0</ETag></R>")

    def do_HEAD(self) -> None:
        found = self.objects.get(self._target()[0])
        if found is None:
            self._answer(404)
            return
        sha = found.sha256 and base64.b64encode(bytes.fromhex(found.sha256)).decode()
        named = {"x-amz-checksum-sha256": sha} if sha else {}
        if found.declared:
            named["x-amz-meta-sha256"] = found.declared
        self.send_response(200)
        for name, value in {**named, "Content-Length": str(found.size)}.items():
            self.send_header(name, value)
        self.end_headers()

    def do_GET(self) -> None:
        key, query = self._target()
        if key == "received":
            self._answer(200, json.dumps(self.received).encode())
        elif "uploadId" in query:
            parts = "".join(
                f"<Part><PartNumber>{number}</PartNumber><ETag>0</ETag></Part>"
                for number in sorted(self.uploads[key].parts)
            )
            self._answer(200, f"<R><IsTruncated>false</IsTruncated>{parts}</R>".encode())
        elif "uploads" in query:
            self._answer(200, b"<R><IsTruncated>false</IsTruncated></R>")
        elif "list-type" in query:
            prefix = query.get("prefix", [""])[0]
            found = "".join(
                f"<Contents><Key>{name}</Key><Size>{one.size}</Size></Contents>"
                for name, one in self.objects.items()
                if name.startswith(prefix)
            )
            self._answer(200, f"<R><IsTruncated>false</IsTruncated>{found}</R>".encode())
        elif (one := self.objects.get(key)) is not None and one.content is not None:
            self._answer(200, one.content)
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def do_DELETE(self) -> None:
        self.objects.pop(self._target()[0], None)
        self._answer(204)

    def _target(self) -> tuple[str, dict[str, list[str]]]:
        parts = urlsplit(self.path)
        return parts.path.lstrip("/").partition("/")[2] or parts.path.lstrip("/"), parse_qs(
            parts.query, keep_blank_values=True
        )

    def _body(self) -> tuple[_Checksum, bytes | None, int]:
        length = int(self.headers.get("Content-Length", 0))
        checksum, kept, left = _Checksum(self.headers), bytearray(), length
        block = memoryview(bytearray(_BLOCK))
        while left:
            count = self.rfile.readinto1(block[: min(left, _BLOCK)])  # type: ignore[attr-defined]
            if not count:
                raise ConnectionError("the body ended early")
            checksum.update(block[:count])
            if length <= _KEPT_BYTES:
                kept += block[:count]
            with self.lock:  # also what never becomes an object
                self.received["bytes"] += count
            left -= count
        return checksum, bytes(kept) if length <= _KEPT_BYTES else None, length

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def main() -> None:
    """Serves until its standard input closes; prints its port first."""
    server = _Server(("127.0.0.1", 0), S3Handler)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
