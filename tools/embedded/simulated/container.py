"""A stand-in of a vLLM OpenAI server: real shapes, deterministic words, honest times.

The first token comes after 0.3 s + input tokens / 6000 s, each further one 0.018 s later, in
simulated time (the service model of the design's comparison of policies).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

from tools.embedded.types import Clock

_WORDS = "the answer follows from what was asked and takes as many words as allowed".split()  # noqa: SIM905 - reads better
_DEFAULT_TOKENS = 64
_CHARACTERS_PER_TOKEN = 4
_TOKEN_SECONDS = 0.018
_SHORTEST_WALL_NAP = 0.01  # pieces of an answer come no faster than that


class RefusedError(ValueError):
    """What vLLM answers with status 400."""


@dataclass(frozen=True)
class Asked:
    """A request as the container understands it."""

    body: dict[str, Any]
    input_tokens: int
    output_tokens: int
    is_chat: bool

    @property
    def first_token_seconds(self) -> float:
        return 0.3 + self.input_tokens / 6000


def parse(raw: bytes) -> Asked:
    """Raises RefusedError for what vLLM would refuse."""
    try:
        body = json.loads(raw)
    except ValueError as wrong:
        raise RefusedError(f"the body is not JSON: {wrong}") from wrong
    if not isinstance(body, dict):
        raise RefusedError("the body must be an object")
    if isinstance(body.get("messages"), list):
        text = " ".join(str(message) for message in body["messages"])
    elif "prompt" in body:
        text = str(body["prompt"])
    else:
        raise RefusedError("neither messages nor prompt")
    tokens = body.get("max_tokens") or body.get("max_completion_tokens") or _DEFAULT_TOKENS
    if not isinstance(tokens, int) or tokens < 1:
        raise RefusedError("max_tokens must be a positive integer")
    return Asked(body, max(1, len(text) // _CHARACTERS_PER_TOKEN), tokens, "messages" in body)


def answer(clock: Clock, asked: Asked) -> Iterator[bytes]:
    """Yields the answer's pieces as time passes; one piece unless `stream` was asked for."""
    return _streamed(clock, asked) if asked.body.get("stream") else _whole(clock, asked)


def _whole(clock: Clock, asked: Asked) -> Iterator[bytes]:
    clock.sleep(asked.first_token_seconds + asked.output_tokens * _TOKEN_SECONDS)
    text = _text(0, asked.output_tokens)
    content = (
        {"message": {"role": "assistant", "content": text}} if asked.is_chat else {"text": text}
    )
    choice = {"index": 0, "finish_reason": "length", **content}
    whole = {**_head(clock, asked), "choices": [choice], "usage": _usage(asked)}
    whole["object"] = whole["object"].removesuffix(".chunk")
    yield json.dumps(whole).encode()


def _streamed(clock: Clock, asked: Asked) -> Iterator[bytes]:
    head = _head(clock, asked)
    clock.sleep(asked.first_token_seconds)
    start, sent = clock.time(), 0
    while sent < asked.output_tokens:
        due = min(asked.output_tokens, max(sent + 1, int((clock.time() - start) / _TOKEN_SECONDS)))
        yield _event({**head, "choices": [_delta(asked, _text(sent, due), None)]})
        sent = due
        if sent < asked.output_tokens:
            clock.sleep(max(_TOKEN_SECONDS, _SHORTEST_WALL_NAP * clock.speed))
    yield _event({**head, "choices": [_delta(asked, "", "length")]})
    if (asked.body.get("stream_options") or {}).get("include_usage"):
        yield _event({**head, "choices": [], "usage": _usage(asked)})
    yield b"data: [DONE]\n\n"


def _delta(asked: Asked, text: str, finish: str | None) -> dict[str, Any]:
    content = {"delta": {"content": text}} if asked.is_chat else {"text": text}
    return {"index": 0, "finish_reason": finish, **content}


def _head(clock: Clock, asked: Asked) -> dict[str, Any]:
    return {
        "id": "chatcmpl-simulated",
        "object": "chat.completion.chunk" if asked.is_chat else "text_completion",
        "created": int(clock.time()),
        "model": asked.body.get("model", "model"),
    }


def _usage(asked: Asked) -> dict[str, int]:
    return {
        "prompt_tokens": asked.input_tokens,
        "completion_tokens": asked.output_tokens,
        "total_tokens": asked.input_tokens + asked.output_tokens,
    }


def _text(first: int, last: int) -> str:
    return "".join(f"{word} " for word in islice(cycle(_WORDS), first, last))


def _event(body: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(body)}\n\n".encode()
