"""A stand-in of SageMaker's response stream that costs next to nothing, in a process of its own.

`-m benchmarks.gateway.standin FIRST INTERVAL TOKENS` prints its port. Every request gets the same
tokens, FIRST seconds after it came and INTERVAL apart: so what differs between two ways to it is
theirs. The embedded account's own data plane simulates far more, and a thread each would drown
what is measured.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import cast

import uvloop

from tools.embedded.sagemaker.eventstream import payload_part

_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n"
    b"x-amzn-invoked-production-variant: main\r\ntransfer-encoding: chunked\r\n\r\n"
)
_LENGTH = b"content-length:"


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _event(document: object) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def _token(finish: str | None) -> dict[str, object]:
    """As long as vLLM's are."""
    delta = {} if finish else {"content": " because"}
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {
        "id": "chatcmpl-0123456789abcdef0123456789abcdef",
        "object": "chat.completion.chunk",
        "created": 1764154800,
        "model": "deepseek-ai/DeepSeek-R1-Distill-Llama-8B",
        "choices": [choice],
    }


_USAGE = {"prompt_tokens": 10, "completion_tokens": 40, "total_tokens": 50}
_TOKEN = _chunk(payload_part(_event(_token(None))))
_ENDING = _event(_token("stop")) + _event({**_token(None), "choices": [], "usage": _USAGE})
_LAST = _chunk(payload_part(_ENDING + b"data: [DONE]\n\n")) + b"0\r\n\r\n"


class _Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, first: float, interval: float, tokens: int) -> None:
        self._first, self._interval, self._tokens = first, interval, tokens
        self._received = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, _: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        lower = head.lower()
        at = lower.find(_LENGTH)
        length = int(lower[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) >= length:
            self._received = body[length:]
            self._due = asyncio.get_running_loop().time() + self._first
            self._answer(0)

    def _answer(self, sent: int) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(self._due, self._send, sent)

    def _send(self, sent: int) -> None:
        data = _HEAD + _TOKEN if sent == 0 else _TOKEN
        sent += 1
        if sent >= self._tokens:
            self._transport.write(data + _LAST)
            return
        self._transport.write(data)
        self._due += self._interval
        self._answer(sent)


async def _serve(first: float, interval: float, tokens: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Connection(first, interval, tokens), "127.0.0.1", 0, backlog=4096
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
