"""A stand-in of a vLLM OpenAI server: real shapes, deterministic words, honest times."""

from __future__ import annotations

import json

WORDS = ["the", "answer", "follows", "from", "what", "was", "asked", "and", "takes", "as", "many", "words", "as", "were", "allowed"]


class Refused(ValueError):
    pass


def parse(body: bytes):
    try:
        r = json.loads(body)
    except ValueError as e:
        raise Refused(f"body is not JSON: {e}") from e
    if not isinstance(r, dict):
        raise Refused("body must be an object")
    if "messages" in r:
        text, chat = " ".join(str(m.get("content", "")) for m in r["messages"]), True
    elif "prompt" in r:
        text, chat = str(r["prompt"]), False
    else:
        raise Refused("neither messages nor prompt")
    n = int(r.get("max_tokens") or r.get("max_completion_tokens") or 64)
    if n < 1:
        raise Refused("max_tokens must be at least 1")
    return r, max(1, len(text) // 4), n, chat


def seconds(inputs, outputs):
    return 0.3 + inputs / 6000, outputs * 0.018


def stream(clock, body):
    """Yields the pieces of an answer, in simulated time."""
    r, inputs, outputs, chat = parse(body)
    first, rest = seconds(inputs, outputs)
    head = {
        "id": "chatcmpl-sim",
        "object": "chat.completion.chunk" if chat else "text_completion",
        "created": int(clock.time()),
        "model": r.get("model", "model"),
    }
    usage = {
        "prompt_tokens": inputs,
        "completion_tokens": outputs,
        "total_tokens": inputs + outputs,
    }
    if not r.get("stream"):
        clock.sleep(first + rest)
        text = " ".join(WORDS[i % len(WORDS)] for i in range(outputs))
        choice = {
            "index": 0,
            "finish_reason": "length",
            **({"message": {"role": "assistant", "content": text}} if chat else {"text": text}),
        }
        yield json.dumps(
            {
                **head,
                "object": head["object"].removesuffix(".chunk"),
                "choices": [choice],
                "usage": usage,
            }
        ).encode()
        return
    clock.sleep(first)
    start = clock.time()
    sent = 0
    while sent < outputs:
        due = min(outputs, max(sent + 1, int((clock.time() - start) / 0.018)))
        text = "".join(WORDS[i % len(WORDS)] + " " for i in range(sent, due))
        sent = due
        d = {"delta": {"content": text}} if chat else {"text": text}
        yield f"data: {json.dumps({**head, 'choices': [{'index': 0, **d, 'finish_reason': None}]})}\n\n".encode()
        if sent < outputs:
            clock.sleep(max(0.018, 0.01 * clock.speed))
    d = {"delta": {}} if chat else {"text": ""}
    yield f"data: {json.dumps({**head, 'choices': [{'index': 0, **d, 'finish_reason': 'length'}]})}\n\n".encode()
    if (r.get("stream_options") or {}).get("include_usage"):
        yield f"data: {json.dumps({**head, 'choices': [], 'usage': usage})}\n\n".encode()
    yield b"data: [DONE]\n\n"
