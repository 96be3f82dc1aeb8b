"""Streams on their way through: in whatever pieces they come, whole events leave."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from autoscaler.aws.streaming import BrokenStreamError
from autoscaler.endpoints.completions import assemble
from autoscaler.gateway.repeats import as_events
from autoscaler.gateway.sse import MOST_UNFINISHED_BYTES, Passage

HEAD = {"id": "c-1", "object": "chat.completion.chunk", "model": "m"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def event(document: dict[str, Any], end: str = "\n\n") -> bytes:
    return f"data: {json.dumps(document)}{end}".encode()


def stream(end: str = "\n\n") -> list[bytes]:
    words = [{**HEAD, "choices": [{"index": 0, "delta": {"content": w}}]} for w in ("be", "cause")]
    last = {**HEAD, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    usage = {**HEAD, "choices": [], "usage": USAGE}
    return [event(one, end) for one in (*words, last, usage)] + [f"data: [DONE]{end}".encode()]


@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n"])
@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
@pytest.mark.parametrize("keep", [True, False])
def test_whole_events_leave_and_the_usage_only_for_who_asked(
    end: str, size: int, keep: bool
) -> None:
    whole = b"".join(stream(end))
    passage = Passage(keep_usage=keep)
    out = [passage.passed(whole[at : at + size]) for at in range(0, len(whole), size)]
    assert passage.rest() == b""
    assert all(piece == b"" or piece.endswith((end.encode(), b"\n\n")) for piece in out)
    passed = b"".join(out)
    assert (b'"usage"' in passed) is keep
    assert passage.usage == USAGE
    answer = assemble([passed.replace(b"\r\n", b"\n")])
    assert answer.body["choices"][0]["message"]["content"] == "because"
    assert b"[DONE]" in passed


def test_an_event_without_choices_that_is_no_usage_goes_through() -> None:
    passage = Passage(keep_usage=False)
    odd = event({**HEAD, "choices": [], "prompt_filter_results": []})
    assert passage.passed(odd) == odd


def test_what_breaks_off_in_an_event_is_not_passed() -> None:
    passage = Passage(keep_usage=False)
    first, second = stream()[:2]
    assert passage.passed(first + second[:9]) == first
    with pytest.raises(BrokenStreamError, match="ended in the middle of its answer"):
        passage.rest()


STOP = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
OTHER = {"choices": [{"index": 1, "delta": {}, "finish_reason": "length"}]}
SAYS_SO = {"choices": [{"delta": {"content": '"finish_reason":"stop" data: [DONE]'}}]}


@pytest.mark.parametrize(
    ("events", "choices", "whole"),
    [
        ([b"data: [DONE]\n\n"], 1, True),
        ([event(STOP)], 1, True),
        ([event(STOP, "\r\n\r\n")], 1, True),
        ([event(STOP), event({"choices": [], "usage": USAGE})], 1, True),
        ([event(STOP), b'data: {"choi'], 1, True),
        ([b"event: message\n" + event(STOP)], 1, True),
        ([event(STOP, "")], 1, True),
        ([b"data: [DONE]"], 1, True),
        ([event(STOP), event(OTHER)], 2, True),
        ([event({"error": {"message": "CUDA error"}})], 1, True),
        ([event(STOP)], 2, False),
        ([event(SAYS_SO)], 1, False),
        ([event({"choices": [{"delta": {}, "finish_reason": None}]})], 1, False),
        ([b": ping\n\n"], 1, False),
        ([b"data: " + b"[" * 100_000 + b'"finish_reason":""\n\n'], 1, False),
        ([b'data: 5, "error":\n\n', b'data: {"choices":[5, {"finish_reason":""}]}\n\n'], 1, False),
        ([], 1, False),
    ],
)  # fmt: skip
def test_an_answer_is_whole_when_the_stream_says_so(
    events: list[bytes], choices: int, whole: bool
) -> None:
    passage = Passage(keep_usage=True, choices=choices)
    for one in events:
        passage.passed(one)
    if whole:
        passage.rest()
        return
    with pytest.raises(BrokenStreamError):
        passage.rest()


def test_a_last_event_leaves_whole_though_its_empty_line_is_missing() -> None:
    passage = Passage(keep_usage=False)
    assert passage.passed(event(STOP) + b"data: [DONE]\n") == event(STOP)
    assert passage.rest() == b"data: [DONE]\n\n"


def test_a_kept_answer_is_streamed_as_it_was() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": "because", "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = {"id": "c-1", "object": "chat.completion", "model": "m", "choices": [choice]}
    found = assemble([as_events({**body, "usage": USAGE}, usage=True)])
    assert found.body == {**body, "usage": USAGE}
    assert b"usage" not in as_events({**body, "usage": USAGE}, usage=False)


def test_an_event_without_end_is_cut_off_and_each_byte_is_looked_at_once() -> None:
    passage, began = Passage(keep_usage=False), time.monotonic()
    for _ in range(MOST_UNFINISHED_BYTES // 16):
        assert passage.passed(b"a" * 16) == b""
    assert time.monotonic() - began < 5, "half a minute when all of it is searched each time"
    with pytest.raises(BrokenStreamError, match="longer than 1,048,576 bytes"):
        passage.passed(b"a")


def test_large_events_that_end_go_through() -> None:
    passage, large = Passage(keep_usage=False), b"data: " + b"a" * MOST_UNFINISHED_BYTES + b"\n\n"
    assert passage.passed(large * 3) == large * 3
    assert passage.passed(large[:9]) + passage.passed(large[9:]) == large
