"""How bytes are served, with the trouble that was ordered."""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.hub.faults import Fault, Injection
from tools.hub.repository import RepositoryFile

if TYPE_CHECKING:
    from tools.hub.server import HubServer

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")

_ENDINGS: dict[Fault | None, bytes] = {Fault.WRONG_SIZE: b"!", Fault.CHUNKED: b"0\r\n\r\n"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60
    place = ""

    @property
    def hub(self) -> HubServer:
        return self.server.hub  # type: ignore[attr-defined,no-any-return]

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: `HubServer.seen` holds what came."""

    def note(self) -> None:
        from tools.hub.server import Seen

        has_authorization = "Authorization" in self.headers
        self.hub.record(Seen(self.place, self.path, self.headers.get("Range"), has_authorization))

    def do_HEAD(self) -> None:
        """As GET, without the body."""
        self.do_GET()

    def do_GET(self) -> None:
        raise NotImplementedError

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int, code: str, message: str, **headers: str) -> None:
        body = json.dumps({"error": message}).encode()
        named = {"X_Error_Code": code, "X_Error_Message": message} if code else {}
        self.answer(status, body, Content_Type="application/json", **named, **headers)

    def serve(self, file: RepositoryFile, **headers: str) -> None:
        """Sends the file, or the range of it that was asked for, with the trouble ordered."""
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        trouble = self.hub.faults.take(file.path, at_the_hub=False, has_range=bool(asked))
        fault = trouble.fault if trouble else None
        if trouble and self._other_answer(file, trouble):
            return
        start = int(asked[1]) if asked and fault is not Fault.IGNORE_RANGE else 0
        if start >= file.size_bytes and start:
            self.answer(416, Content_Range=f"bytes */{file.size_bytes}")
            return
        is_partial = bool(asked) and fault is not Fault.IGNORE_RANGE
        end = file.size_bytes
        if asked and is_partial and asked[2]:
            end = min(end, int(asked[2]) + 1)
        if fault is Fault.WRONG_RANGE:
            start = start - 1 if start else 1
        self._head(file, (start, end), is_partial, fault, headers)
        if self.command != "HEAD":
            self._body(file, (start, end), trouble)

    def _other_answer(self, file: RepositoryFile, trouble: Injection) -> bool:
        """Answers without the file, if that is what was ordered."""
        match trouble.fault:
            case Fault.EXPIRED:
                self.answer(403, b"<Error><Code>AccessDenied</Code></Error>")
            case Fault.HTML:
                page = b"<html>Sign in</html>".ljust(file.size_bytes)  # its length is no help
                self.answer(200, page, Content_Type="text/html; charset=utf-8")
            case Fault.MOVED:
                self.answer(302, Location="http://hub.example.invalid/elsewhere")
            case Fault.DRIP_HEADERS:
                self._drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 2000, trouble.seconds)
                self.close_connection = True
            case _:
                return False
        return True

    def _drip(self, content: bytes, seconds: float) -> None:
        until = time.monotonic() + seconds
        for byte in content:
            if time.monotonic() > until or self.hub.stopping.wait(0.05):
                break
            self.wfile.write(bytes([byte]))

    def _head(
        self,
        file: RepositoryFile,
        span: tuple[int, int],
        is_partial: bool,
        fault: Fault | None,
        headers: dict[str, str],
    ) -> None:
        start, end = span
        self.send_response(206 if is_partial else 200)
        extra = 1 if fault is Fault.WRONG_SIZE else 0
        if fault is Fault.CHUNKED:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(end - start + extra))
        if fault is Fault.ENCODED:
            self.send_header("Content-Encoding", "br")
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Accept-Ranges", "bytes")
        if is_partial:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{file.size_bytes}")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def _body(self, file: RepositoryFile, span: tuple[int, int], trouble: Injection | None) -> None:
        start, end = span
        if trouble is None and not self.hub.bytes_per_second and isinstance(file.content, Path):
            self.wfile.flush()
            with file.content.open("rb") as content:  # the kernel sends it: for benchmarks
                self.hub.count(self.connection.sendfile(content, start, end - start) or 0)
            return
        fault = trouble.fault if trouble else None
        cut = fault in {Fault.RESET, Fault.TRUNCATE, Fault.STALL, Fault.DRIP}
        end = min(end, start + trouble.after_bytes) if trouble and cut else end
        position, began = start, time.monotonic()
        for block in file.blocks(start, end):
            position += len(block)
            if fault is Fault.ENCODED or (fault is Fault.WRONG_BYTES and position == end):
                block = block[:-1] + bytes([block[-1] ^ 0xFF])
            if fault is Fault.CHUNKED:
                block = b"%x\r\n%s\r\n" % (len(block), block)
            self.wfile.write(block)
            self.hub.count(len(block))
            self._throttle(position - start, began)
        if fault in _ENDINGS:
            self.wfile.write(_ENDINGS[fault])
        if trouble and cut:
            self._break(file, position, trouble)

    def _throttle(self, sent_bytes: int, began: float) -> None:
        if self.hub.bytes_per_second:
            ahead_seconds = began + sent_bytes / self.hub.bytes_per_second - time.monotonic()
            self.hub.stopping.wait(max(0.0, ahead_seconds))

    def _break(self, file: RepositoryFile, position: int, trouble: Injection) -> None:
        self.wfile.flush()
        if trouble.fault is Fault.STALL:
            self.hub.stopping.wait(trouble.seconds)
        if trouble.fault is Fault.DRIP:
            self._drip(b"".join(file.blocks(position, position + 2000)), trouble.seconds)
        if trouble.fault is Fault.RESET:  # lingering for zero seconds sends RST instead of FIN
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            os.close(self.connection.detach())
        self.close_connection = True
