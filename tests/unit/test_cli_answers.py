"""What is shown of an answer, and what a waiting person is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tools.cli.ask_command import notes, text_of
from tools.cli.waiting import expectation

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CALL = {"id": "t", "type": "function", "function": {"name": "look", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"choices": [{"message": {"content": "because"}}]}, "because"),
        ({"choices": [{"text": "be"}, {"text": "cause"}]}, "be\n\ncause"),
        (
            {"choices": [{"message": {"content": "x", "reasoning_content": "hm"}}]},
            "x",
        ),
        (
            {"choices": [{"message": {"content": None, "tool_calls": [CALL]}}]},
            '{"name": "look", "arguments": "{}"}',
        ),
        ({"choices": [{"message": {"content": ""}}]}, ""),
        ([{"generated_text": "because"}], "because"),
        ({"embedding": [1]}, '{"embedding": [1]}'),
        ([0.5, 1], "[0.5, 1]"),
        ([], "[]"),
        ({"choices": "x"}, '{"choices": "x"}'),
        ({"choices": ["be", 1]}, '"be"\n\n1'),
        ({"choices": [{"message": "é"}]}, '"é"'),
        ({"choices": [{"message": None}]}, "null"),
        ({"choices": [{"message": {"content": [{"text": "a"}]}}]}, '[{"text": "a"}]'),
        ({"choices": [{"message": {"content": "x", "tool_calls": [1]}}]}, "x\n1"),
        ({"choices": [{"message": {"tool_calls": "x"}}]}, '{"tool_calls": "x"}'),
    ],
)
def test_the_text_of_an_answer(answer: Any, text: str) -> None:
    assert text_of(answer) == text


def test_what_is_not_in_the_text_is_told_beside_it() -> None:
    cut = {"finish_reason": "length", "message": {"content": "", "reasoning_content": "hm"}}
    found = {
        "answer": {"choices": [cut]}, "answered_by": "small", "cached": True, "late": True,
    }  # fmt: skip
    assert list(notes(found)) == [
        "small answered in its place",
        "a kept answer: the same was asked before",
        "it came after its deadline",
        "the answer was cut at max_tokens, before it said anything: the model still reasoned",
    ]
    assert list(notes({"answer": {"choices": [{"text": "x", "finish_reason": "stop"}]}})) == []
    assert list(notes({"answer": {"choices": ["x"]}})) == []
    assert list(notes({"answer": {"choices": 7}})) == []


def told(**changes: Any) -> str:
    one = {
        "name": "llama", "phase": "AWAKE", "lead_time_seconds": 400.4, "backlog": 0,
        "wished_at": "2026-11-24T11:55:00Z", "retry_at": None, "failure": None, "ladder": None,
    }  # fmt: skip
    return expectation({**one, **changes}, NOW)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "llama is AWAKE"),
        ({"backlog": 7}, "llama is AWAKE, 7 requests wait or are worked on"),
        ({"backlog": 1}, "llama is AWAKE, 1 request waits or is worked on"),
        ({"phase": "WAKING"}, "llama is WAKING, ready in about 1m40s"),
        (
            {"phase": "CREATING", "wished_at": "2026-11-24T11:00:00Z"},
            "llama is CREATING, it takes longer than the usual 6m40s",
        ),
        ({"phase": "ASLEEP"}, "llama is ASLEEP, a wake takes about 6m40s"),
        (
            {"phase": "ASLEEP", "retry_at": "2026-11-24T12:03:00Z"},
            "llama is ASLEEP, the next try comes in 3m; a wake takes about 6m40s",
        ),
        (
            {"phase": "ASLEEP", "retry_at": "2026-11-24T11:03:00Z"},
            "llama is ASLEEP, a wake takes about 6m40s",
        ),
        (
            {"phase": "FAILED", "failure": "no capacity", "ladder": {"fallback": "small"}},
            "llama is FAILED: no capacity; the request waits in its queue until it is mended; "
            "small answers for it meanwhile",
        ),
    ],
)
def test_what_a_request_waits_for(changes: dict[str, Any], sentence: str) -> None:
    assert told(**changes) == sentence
