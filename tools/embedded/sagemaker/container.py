"""A stand-in of the common LLM servers: what they take, what they answer, and how long it takes.

OpenAI chat and completions (vLLM, SGLang, LMI) and TGI's `inputs`. The words are nonsense, always
the same for the same request; tokens are counted as four characters of what was sent. A request
that names no `max_tokens` gets 64 and `finish_reason` stop, any other all that it asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT_TOKENS = 64
_CHARACTERS_PER_TOKEN = 4
_WORDS = (
    *("the", "model", "thinks", "about", "it", "and", "says", "that", "a", "token", "is", "made"),
    *(
        "while",
        "time",
        "goes",
        "by",
        "slowly",
        "or",
        "fast",
        "so",
        "this",
        "answer",
        "ends",
        "when",
    ),
    *("it", "was", "asked", "to", "end"),
)
_CONTEXT = (
    "SM_VLLM_MAX_MODEL_LEN",
    "SM_SGLANG_CONTEXT_LENGTH",
    "OPTION_MAX_MODEL_LEN",
    "MAX_TOTAL_TOKENS",
)
_SERVED_NAME = ("SM_VLLM_SERVED_MODEL_NAME", "SM_SGLANG_SERVED_MODEL_NAME", "SERVED_MODEL_NAME")


class RefusedError(ValueError):
    """What the server answers with status 400 (or another 4xx)."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Prompt:
    """A request as the server understands it; `kind` is chat, text or tgi."""

    kind: str
    input_tokens: int
    output_tokens: int
    finish: str
    stream: bool
    usage_in_stream: bool
    model: str
    seed: int

    def words(self, first: int, last: int) -> str:
        """Tokens `first` to `last` of the answer."""
        count = len(_WORDS)
        return "".join(f"{_WORDS[(self.seed + n * n) % count]} " for n in range(first, last))


def understand(raw: bytes, environment: Mapping[str, str]) -> Prompt:
    """Raises RefusedError for what the server would refuse."""
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise RefusedError(f"The body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise RefusedError("The body must be a JSON object.")
    kind, text, options = _kind(body)
    asked = options.get("max_new_tokens") if kind == "tgi" else _most(body)
    if asked is not None and (not isinstance(asked, int) or asked < 1):
        raise RefusedError(f"max_tokens must be at least 1, got {asked!r}.")
    prompt = Prompt(
        kind=kind,
        input_tokens=max(1, len(text) // _CHARACTERS_PER_TOKEN),
        output_tokens=asked or DEFAULT_TOKENS,
        finish="length" if asked else "stop",
        stream=bool(body.get("stream")),
        usage_in_stream=bool((body.get("stream_options") or {}).get("include_usage")),
        model=str(body.get("model", _served_name(environment))),
        seed=int(hashlib.sha256(text.encode()).hexdigest()[:8], 16),
    )
    _check_context(prompt, environment)
    return prompt


def _served_name(environment: Mapping[str, str]) -> str:
    names = (environment[key] for key in _SERVED_NAME if key in environment)
    return next(names, "/opt/ml/model")


def _kind(body: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    if "messages" in body:
        messages = body["messages"]
        if not isinstance(messages, list) or not messages:
            raise RefusedError("messages must be a list that is not empty.")
        for message in messages:
            if not isinstance(message, dict) or "role" not in message:
                raise RefusedError("Each of the messages needs a role.")
        return "chat", "\n".join(_said(message.get("content")) for message in messages), {}
    if "prompt" in body:
        if not isinstance(body["prompt"], str | list) or not body["prompt"]:
            raise RefusedError("prompt must be text that is not empty.")
        return "text", _said(body["prompt"]), {}
    if "inputs" in body:
        if not isinstance(body["inputs"], str) or not body["inputs"]:
            raise RefusedError("inputs must be text that is not empty.", 422)
        return "tgi", body["inputs"], body.get("parameters") or {}
    raise RefusedError("One of messages, prompt and inputs is required.")


def _most(body: dict[str, Any]) -> Any:
    return body.get("max_completion_tokens", body.get("max_tokens"))


def _said(content: Any) -> str:
    if isinstance(content, list):
        return " ".join(
            str(part.get("text", "")) if isinstance(part, dict) else str(part) for part in content
        )
    return str(content or "")


def _check_context(prompt: Prompt, environment: Mapping[str, str]) -> None:
    limits = [int(environment[key]) for key in _CONTEXT if environment.get(key, "").isdigit()]
    asked = prompt.input_tokens + prompt.output_tokens
    if limits and asked > limits[0]:
        raise RefusedError(
            f"This model's maximum context length is {limits[0]} tokens. However, you requested "
            f"{asked} tokens ({prompt.input_tokens} in the messages, {prompt.output_tokens} in the "
            "completion). Please reduce the length of the messages or completion."
        )


# Answers


def whole(prompt: Prompt, created: float) -> bytes:
    """The answer of a request that did not ask for a stream."""
    text = prompt.words(0, prompt.output_tokens)
    if prompt.kind == "tgi":
        return json.dumps([{"generated_text": text}]).encode()
    choice: dict[str, Any] = {"index": 0, "finish_reason": prompt.finish, "logprobs": None}
    if prompt.kind == "chat":
        choice["message"] = {"role": "assistant", "content": text}
    else:
        choice["text"] = text
    return json.dumps(
        {**_head(prompt, created), "choices": [choice], "usage": _usage(prompt)}
    ).encode()


def tokens(prompt: Prompt, first: int, last: int, created: float) -> bytes:
    """A stream's event (TGI: events) for tokens `first` to `last`."""
    if prompt.kind == "tgi":
        return b"".join(_tgi_token(prompt, number) for number in range(first, last))
    text = prompt.words(first, last)
    if prompt.kind == "chat":
        delta = {"role": "assistant", "content": text} if first == 0 else {"content": text}
        choice: dict[str, Any] = {"index": 0, "delta": delta, "finish_reason": None}
    else:
        choice = {"index": 0, "text": text, "finish_reason": None}
    return _event({**_head(prompt, created, chunk=True), "choices": [choice]})


def ending(prompt: Prompt, created: float) -> bytes:
    """What comes after the last token of a stream."""
    if prompt.kind == "tgi":
        return b""
    head = _head(prompt, created, chunk=True)
    last: dict[str, Any] = {"delta": {}} if prompt.kind == "chat" else {"text": ""}
    choice = {"index": 0, **last, "finish_reason": prompt.finish}
    events = _event({**head, "choices": [choice]})
    if prompt.usage_in_stream:
        events += _event({**head, "choices": [], "usage": _usage(prompt)})
    return events + b"data: [DONE]\n\n"


def _tgi_token(prompt: Prompt, number: int) -> bytes:
    is_last = number == prompt.output_tokens - 1
    finish = "length" if prompt.finish == "length" else "eos_token"
    details = {
        "finish_reason": finish,
        "generated_tokens": prompt.output_tokens,
        "seed": None,
    }
    word = prompt.words(number, number + 1)
    body = {
        "index": number + 1,
        "token": {"id": _WORDS.index(word.strip()), "text": word, "logprob": 0.0, "special": False},
        "generated_text": prompt.words(0, prompt.output_tokens) if is_last else None,
        "details": details if is_last else None,
    }
    return b"data:" + json.dumps(body).encode() + b"\n\n"


def _head(prompt: Prompt, created: float, chunk: bool = False) -> dict[str, Any]:
    chat = prompt.kind == "chat"
    kind = ("chat.completion.chunk" if chunk else "chat.completion") if chat else "text_completion"
    name = f"{'chatcmpl' if chat else 'cmpl'}-{prompt.seed:08x}{int(created):08x}"
    return {"id": name, "object": kind, "created": int(created), "model": prompt.model}


def _usage(prompt: Prompt) -> dict[str, int]:
    return {
        "prompt_tokens": prompt.input_tokens,
        "completion_tokens": prompt.output_tokens,
        "total_tokens": prompt.input_tokens + prompt.output_tokens,
    }


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"
