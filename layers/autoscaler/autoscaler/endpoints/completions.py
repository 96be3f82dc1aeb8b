"""OpenAI's chat and completion shapes: what may be asked, and how a stream becomes one answer.

A container's own request (`inputs`) is passed on as it is, and so is what it says to it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from typing import Any, ParamSpec

from ..ports import Answer
from ..spec.text import readable_json


class IncompleteAnswerError(RuntimeError):
    """The model's stream ended before the answer did; the request may be tried again."""


_ODD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


P = ParamSpec("P")


def _readable(read: Callable[P, Answer]) -> Callable[P, Answer]:
    """What a reader stumbles over is no failure of ours: the next answer may be better."""

    @wraps(read)
    def answer(*args: P.args, **kwargs: P.kwargs) -> Answer:
        try:
            return read(*args, **kwargs)
        except _ODD as odd:
            why = f"the model's answer cannot be read ({type(odd).__name__})"
            raise IncompleteAnswerError(why) from None

    return answer


@_readable
def assemble(chunks: Iterable[bytes], asked: int = 1) -> Answer:
    """Returns the whole answer of a stream of server-sent events (or of one plain JSON body), for
    which so many choices were asked.

    Raises IncompleteAnswerError when the stream ended without a finish reason, or before it said of
    each choice or of all that it is whole, or is not of OpenAI's shape: what a container says is
    text from outside.
    """
    first: dict[str, Any] | None = None
    choices: dict[int, dict[str, Any]] = {}
    calls: dict[int, dict[int, dict[str, Any]]] = {}
    whole: dict[str, Any] = {}
    is_done = False
    for number, event in enumerate(_events(chunks)):
        if event is None:
            is_done = True
            continue
        first = event if number == 0 else None
        if event.get("error"):
            raise IncompleteAnswerError(f"the model stopped with an error: {event['error']}")
        whole |= {k: v for k, v in event.items() if k not in ("choices", "usage")}
        if event.get("usage"):
            whole["usage"] = event["usage"]
        for delta in event.get("choices") or ():
            index = delta.get("index", 0)
            _merge(choices.setdefault(index, {}), calls.setdefault(index, {}), delta)
    if first is not None and _is_whole(first):
        return _answer(first)
    ended = [choice for choice in choices.values() if choice.get("finish_reason")]
    if not choices or len(ended) < len(choices) or (len(ended) < asked and not is_done):
        raise IncompleteAnswerError("the model's stream ended in the middle of its answer")
    for index, choice in choices.items():
        _join(choice, calls[index])
    whole["object"] = str(whole.get("object", "")).removesuffix(".chunk")
    whole["choices"] = [{"index": index, **choices[index]} for index in sorted(choices)]
    return _answer(whole)


_SAID = ("index", "message", "text", "logprobs", "finish_reason")


def chunks(whole: Mapping[str, Any], *, usage: bool = False) -> Iterator[dict[str, Any]]:
    """Yields the events of a stream that `assemble` makes this whole answer of.

    Of each choice what it says comes in one piece, then its finish reason. `usage`: as
    `stream_options.include_usage` asks for, in an event of its own at the end.
    """
    head = {k: v for k, v in whole.items() if k not in ("choices", "usage")}
    is_chat = any("message" in choice for choice in whole.get("choices", ()))
    kind = str(head.get("object", ""))
    head["object"] = f"{kind}.chunk" if is_chat and kind else kind
    for index, choice in enumerate(whole.get("choices", ())):
        told: dict[str, Any] = {"index": choice.get("index", index)}
        said, nothing = _pieces(choice)
        yield {**head, "choices": [{**told, **said, "finish_reason": None}]}
        finish = choice.get("finish_reason") or "stop"
        more = {k: v for k, v in choice.items() if k not in _SAID}
        yield {**head, "choices": [{**told, **more, **nothing, "finish_reason": finish}]}
    if usage:
        yield {**head, "choices": [], "usage": whole.get("usage") or {}}


def _pieces(choice: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a choice says as a delta, and the delta that says nothing more."""
    rest = {"logprobs": choice["logprobs"]} if choice.get("logprobs") else {}
    if "message" not in choice:
        return {"text": choice.get("text", ""), **rest}, {"text": ""}
    delta = dict(choice["message"])
    if calls := delta.get("tool_calls"):
        delta["tool_calls"] = [{"index": n, **call} for n, call in enumerate(calls)]
    return {"delta": delta, **rest}, {"delta": {}}


OWN = "inputs"
_STREAMING = ("stream", "stream_options")


def is_own(body: Mapping[str, Any]) -> bool:
    """Whether it is the container's own request rather than one of OpenAI's."""
    return OWN in body and "messages" not in body and "prompt" not in body


def as_asked(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body as it is sent: a stream, because a whole answer must come within 60 s; of the
    container's own, whose streams differ, the whole."""
    whole = {key: value for key, value in body.items() if key not in _STREAMING}
    if is_own(body):
        return whole
    return {**whole, "stream": True, "stream_options": {"include_usage": True}}


@_readable
def passed_on(chunks: Iterable[bytes]) -> Answer:
    """What the container said, unchanged: JSON, or text where it is none.

    Raises IncompleteAnswerError when it said nothing, or what nobody can read.
    """
    said = b"".join(chunks).decode(errors="replace").strip()
    if not said:
        raise IncompleteAnswerError("the model's stream ended before it said anything")
    try:
        body = _read(said.encode())
    except ValueError:
        return Answer(body=said, input_tokens=0, output_tokens=0)
    return Answer(body=readable_json(body), input_tokens=0, output_tokens=_generated(body))


def _generated(body: Any) -> int:
    """TGI and LMI count with `details: true`."""
    first = body[0] if isinstance(body, list) and body else body
    details = first.get("details") if isinstance(first, dict) else None
    count = details.get("generated_tokens") if isinstance(details, dict) else None
    return _tokens(count)


def _events(chunks: Iterable[bytes]) -> Iterator[dict[str, Any] | None]:
    """None: the container says that it is done."""
    plain: list[bytes] = []
    for line in _lines(chunks):
        if line.startswith(b"data:") and line.endswith(b"\n"):
            data = line.removeprefix(b"data:").strip()
            if data:
                yield None if data == b"[DONE]" else _read(data)
        elif line.strip() and not line.startswith(b":"):
            plain.append(line.removesuffix(b"\n"))
    whole = b"".join(plain).strip()
    if whole.startswith(b"{"):
        yield _read(whole)


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """With their ends, which the last one may lack. Each byte is looked at once: a line may be as
    long as the whole stream."""
    rest: list[bytes] = []
    for chunk in chunks:
        *lines, last = chunk.split(b"\n")
        if lines:
            yield b"".join((*rest, lines[0], b"\n"))
            yield from (line + b"\n" for line in lines[1:])
            rest = []
        rest.append(last)
    yield b"".join(rest)


def _is_whole(event: Mapping[str, Any]) -> bool:
    choices = event.get("choices") or [{}]
    return "message" in choices[0] or ("text" in choices[0] and "usage" in event)


_OF_CHOICE = ("index", "delta", "text", "logprobs")
_OF_DELTA = ("role", "tool_calls")
_MOST_TOKENS = 10_000_000  # of one answer or question; no context is as long


def _merge(
    choice: dict[str, Any], calls: dict[int, dict[str, Any]], delta: Mapping[str, Any]
) -> None:
    """What comes in pieces is joined; what an engine says besides (`stop_reason`) stays as it said
    it last."""
    if "delta" in delta:
        message = choice.setdefault("message", {"role": "assistant", "content": ""})
        for field, piece in (delta["delta"] or {}).items():
            if field not in _OF_DELTA and piece is not None:
                message[field] = _joined(message.get(field), piece)
        _merge_tool_calls(calls, (delta["delta"] or {}).get("tool_calls") or ())
    elif "text" in delta:
        choice["text"] = _joined(choice.get("text"), delta["text"])
    for field, said in (delta.get("logprobs") or {}).items():
        known = choice.setdefault("logprobs", {})
        known[field] = said if known.get(field) is None else _joined(known[field], said)
    for field, said in delta.items():
        if field not in _OF_CHOICE and said is not None:
            choice[field] = said


class _Text(list[str]):
    """Pieces of a text that are joined once, at its end: an answer may have a hundred thousand."""


def _joined(before: Any, piece: Any) -> Any:
    """Of texts and lists the whole; of anything else the last."""
    if isinstance(before, str) and isinstance(piece, str):
        return _Text((before, piece))
    if isinstance(before, _Text) and isinstance(piece, str):
        before.append(piece)
        return before
    if isinstance(before, list) and isinstance(piece, list) and not isinstance(before, _Text):
        before.extend(piece)
        return before
    return piece if piece is not None else before


def _join(choice: dict[str, Any], called: Mapping[int, dict[str, Any]]) -> None:
    """Makes texts of their pieces, and a list of the tools' calls."""
    for call in called.values():
        _join_texts(call["function"])
    if called:
        choice["message"]["tool_calls"] = [called[one] for one in sorted(called)]
    for part in (choice, choice.get("message"), choice.get("logprobs")):
        if isinstance(part, dict):
            _join_texts(part)


def _join_texts(fields: dict[str, Any]) -> None:
    for field, said in fields.items():
        if isinstance(said, _Text):
            fields[field] = "".join(said)


def _merge_tool_calls(
    calls: dict[int, dict[str, Any]], deltas: Iterable[Mapping[str, Any]]
) -> None:
    """By the index that each says: of a hostile container's any number."""
    for delta in deltas:
        call = calls.setdefault(
            delta.get("index", 0),
            {"type": "function", "function": {"name": "", "arguments": ""}},
        )
        if delta.get("id"):
            call["id"] = delta["id"]
        for field in ("name", "arguments"):
            piece = (delta.get("function") or {}).get(field) or ""
            call["function"][field] = _joined(call["function"][field], piece)


def _answer(body: dict[str, Any]) -> Answer:
    read, written = tokens_of(body.get("usage"))
    return Answer(body=readable_json(body), input_tokens=read, output_tokens=written)


def tokens_of(usage: Any) -> tuple[int, int]:
    """Of the question and of the answer, whatever a container says of its usage."""
    said = usage if isinstance(usage, Mapping) else {}
    return _tokens(said.get("prompt_tokens")), _tokens(said.get("completion_tokens"))


def _tokens(said: Any) -> int:
    """What a container says, if it can be a number of tokens; else none are counted."""
    whole = isinstance(said, int) and not isinstance(said, bool)
    return said if whole and 0 <= said <= _MOST_TOKENS else 0


def _read(text: bytes) -> Any:
    """A container's JSON. Python's own writes NaN and Infinity, which no other reader takes."""
    return json.loads(text, parse_constant=lambda _: None, parse_float=_finite)


def _finite(text: str) -> float | None:
    """1e999 is a number in JSON, and infinite in Python."""
    number = float(text)
    return number if math.isfinite(number) else None
