"""Slack on loopback: an incoming webhook, and a bot's Web API. Keeps what is posted, and is as
strict as Slack is.

    with SlackReceiver() as slack:
        ... post to slack.url, or with slack.bot.token to slack.api ...
        slack.titles()

Limits and error names are those of Slack's documentation of Block Kit and incoming webhooks.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tools.receiver_api import API, UPLOAD, BotApi

PATH = "/services/T00000000/B00000000/receiver"
MOST_BLOCKS = 50
MOST_FIELDS = 10
MOST_ELEMENTS = 10
_TEXT_LIMIT = 40_000
_BODY_LIMIT = 1_000_000
_KEYS = {
    "header": {"type", "text", "block_id"},
    "section": {"type", "text", "fields", "accessory", "block_id", "expand"},
    "context": {"type", "elements", "block_id"},
    "divider": {"type", "block_id"},
    "image": {"type", "image_url", "alt_text", "title", "block_id"},
}


class InvalidPayloadError(ValueError):
    """What Slack would answer 400 to; the text is Slack's name of the error and our reason."""


@dataclass
class _Answer:
    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


class SlackReceiver:
    """A context manager; `url` is the webhook."""

    def __init__(self, port: int = 0) -> None:
        self.messages: list[dict[str, Any]] = []
        self.rejected: list[str] = []
        self.posts = 0
        self._answers: deque[_Answer] = deque()
        self._revoked: _Answer | None = None
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.bot = BotApi(f"http://127.0.0.1:{self._server.server_port}", validated)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{PATH}"

    @property
    def api(self) -> str:
        return f"{self.bot.address}{API}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def busy(self, retry_after: int = 30, times: int = 1) -> None:
        """The next posts are answered 429 with Retry-After."""
        answer = _Answer(429, "rate_limited", {"Retry-After": str(retry_after)})
        self._answers.extend([answer] * times)

    def broken(self, status: int = 500, times: int = 1) -> None:
        """The next posts are answered with an error of Slack's own."""
        self._answers.extend([_Answer(status, "server_error")] * times)

    def revoke(self, status: int = 404, said: str = "no_service") -> None:
        """From now on the webhook is gone, as after the app was removed."""
        self._revoked = _Answer(status, said)

    def titles(self) -> list[str]:
        """The headers of what was posted, as people read them."""
        blocks = (block for message in self.messages for block in _blocks(message))
        return [unescape(b["text"]["text"]) for b in blocks if b["type"] == "header"]

    def answer(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> _Answer:
        """What Slack would say to a post; stores what it would take."""
        with self._lock:
            self.posts += 1
            if self._answers:
                return self._limited(path, self._answers.popleft())
            if path.startswith((API, UPLOAD)):
                reply = self.bot.answer(path, headers or {}, body)
                return _Answer(200, "OK" if reply is None else json.dumps(reply))
            if self._revoked or path != PATH:
                return self._revoked or _Answer(404, "no_service")
            try:
                self.messages.append(validated(body))
            except InvalidPayloadError as invalid:
                self.rejected.append(str(invalid))
                return _Answer(400, str(invalid).partition(":")[0])
            return _Answer(200, "ok")

    @staticmethod
    def _limited(path: str, answer: _Answer) -> _Answer:
        """The Web API says it in JSON, and spells it otherwise."""
        if answer.status == 429 and path.startswith(API):
            return replace(answer, body='{"ok": false, "error": "ratelimited"}')
        return answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = receiver.answer(self.path, body, dict(self.headers))
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body.encode())

            def log_message(self, format: str, *args: Any) -> None:
                """Silent: the path is the credential."""

        return Handler


def validated(body: bytes) -> dict[str, Any]:
    """Returns the payload; raises InvalidPayloadError as Slack would refuse it."""
    try:
        payload = json.loads(body)
    except ValueError as bad:
        raise InvalidPayloadError("invalid_payload: not JSON") from bad
    if not isinstance(payload, dict) or len(body) > _BODY_LIMIT:
        raise InvalidPayloadError("invalid_payload: not an object, or too long")
    blocks = list(_blocks(payload))
    if not payload.get("text") and not blocks:
        raise InvalidPayloadError("no_text: neither text nor blocks")
    if len(payload.get("text", "")) > _TEXT_LIMIT:
        raise InvalidPayloadError("msg_too_long: text")
    if len(blocks) > MOST_BLOCKS:
        raise InvalidPayloadError(f"invalid_blocks: {len(blocks)} blocks")
    for block in blocks:
        _check_block(block)
    return payload


def _blocks(payload: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from payload.get("blocks", ())
    for attachment in payload.get("attachments", ()):
        yield from attachment.get("blocks", ())


def _check_block(block: Mapping[str, Any]) -> None:
    kind = block.get("type")
    if kind not in _KEYS:
        raise InvalidPayloadError(f"invalid_blocks: block type {kind!r}")
    unknown = block.keys() - _KEYS[kind]
    if unknown:
        raise InvalidPayloadError(f"invalid_blocks: {kind} has {sorted(unknown)}")
    if kind == "header":
        _check_text(block.get("text"), 150, {"plain_text"}, kind)
    elif kind == "section":
        _check_section(block)
    elif kind == "context":
        elements = block.get("elements", ())
        if not 1 <= len(elements) <= MOST_ELEMENTS:
            raise InvalidPayloadError(f"invalid_blocks: context has {len(elements)} elements")
        for element in elements:
            _check_text(element, 3000, {"plain_text", "mrkdwn"}, kind)


def _check_section(block: Mapping[str, Any]) -> None:
    if "text" not in block and "fields" not in block:
        raise InvalidPayloadError("invalid_blocks: section has neither text nor fields")
    if "text" in block:
        _check_text(block["text"], 3000, {"plain_text", "mrkdwn"}, "section")
    if "fields" in block:
        if not 1 <= len(block["fields"]) <= MOST_FIELDS:
            raise InvalidPayloadError(f"invalid_blocks: {len(block['fields'])} fields")
        for text in block["fields"]:
            _check_text(text, 2000, {"plain_text", "mrkdwn"}, "field")


def _check_text(text: Any, limit: int, kinds: set[str], where: str) -> None:
    if not isinstance(text, dict) or text.get("type") not in kinds:
        raise InvalidPayloadError(f"invalid_blocks: {where} has no text object of {sorted(kinds)}")
    if not 1 <= len(text.get("text", "")) <= limit:
        length = len(text.get("text", ""))
        raise InvalidPayloadError(f"invalid_blocks: {where} text of {length} characters")
    allowed = {"type", "text", "emoji"} if text["type"] == "plain_text" else {
        "type", "text", "verbatim",
    }  # fmt: skip
    if text.keys() - allowed:
        raise InvalidPayloadError(f"invalid_blocks: {where} text has {sorted(text.keys())}")
