"""A stream of server-sent events becomes one answer, whatever the pieces it comes in."""

from __future__ import annotations

import json
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.endpoints.completions import (
    IncompleteAnswerError,
    as_asked,
    assemble,
    chunks,
    passed_on,
)
from autoscaler.endpoints.prompts import choices_asked, is_prompt


def sse(*events: dict) -> bytes:
    lines = [f"data: {json.dumps(event)}\n\n" for event in events]
    return "".join([*lines, "data: [DONE]\n\n"]).encode()


def chunk(index: int = 0, finish: str | None = None, **delta: object) -> dict:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "c-1", "object": "chat.completion.chunk", "choices": [choice]}


USAGE = {"id": "c-1", "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
CHAT = sse(
    chunk(role="assistant", content=""),
    chunk(reasoning_content="hm, "),
    chunk(reasoning_content="ü"),
    chunk(content="Because "),
    chunk(content="of Rayleigh."),
    chunk(finish="stop"),
    USAGE,
)


def test_a_chat_is_assembled_with_its_reasoning_and_usage() -> None:
    answer = assemble([CHAT])
    (choice,) = answer.body["choices"]
    assert choice["message"] == {
        "role": "assistant",
        "reasoning_content": "hm, ü",
        "content": "Because of Rayleigh.",
    }
    assert choice["finish_reason"] == "stop"
    assert answer.body["object"] == "chat.completion"
    assert (answer.input_tokens, answer.output_tokens) == (5, 2)


@given(st.lists(st.integers(min_value=1, max_value=len(CHAT) - 1), max_size=12))
def test_it_does_not_matter_where_the_stream_is_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(set(cuts)), len(CHAT)]
    pieces = [CHAT[a:b] for a, b in pairwise(edges)]
    assert assemble(pieces) == assemble([CHAT])


def test_choices_and_tool_calls_are_kept_apart() -> None:
    call = {"index": 0, "id": "t-1", "function": {"name": "look", "arguments": '{"a"'}}
    rest = {"index": 0, "function": {"arguments": ": 1}"}}
    answer = assemble(
        [
            sse(
                chunk(0, content="one"),
                chunk(1, tool_calls=[call]),
                chunk(1, tool_calls=[rest]),
                chunk(0, finish="stop"),
                chunk(1, finish="tool_calls"),
            )
        ]
    )
    first, second = answer.body["choices"]
    assert first["message"]["content"] == "one"
    assert second["message"]["tool_calls"][0]["function"] == {
        "name": "look",
        "arguments": '{"a": 1}',
    }


def test_what_an_engine_says_besides_is_kept() -> None:
    first, second = chunk(content="a"), chunk(content="b", refusal=None, reasoning="so")
    first["choices"][0]["logprobs"] = {"content": [{"token": "a"}], "refusal": None}
    second["choices"][0]["logprobs"] = {"content": [{"token": "b"}], "refusal": None}
    end = chunk(finish="stop")
    end["choices"][0] |= {"stop_reason": 128009, "logprobs": None}
    (choice,) = assemble([sse(first, second, end)]).body["choices"]
    assert choice["message"] == {"role": "assistant", "content": "ab", "reasoning": "so"}
    assert choice["logprobs"] == {"content": [{"token": "a"}, {"token": "b"}], "refusal": None}
    assert (choice["finish_reason"], choice["stop_reason"]) == ("stop", 128009)


def test_the_logprobs_of_a_completion_are_joined_list_by_list() -> None:
    events = [
        {"choices": [{"text": t, "logprobs": {"tokens": [t], "text_offset": [n]}}]}
        for n, t in enumerate("ab")
    ]
    events[-1]["choices"][0]["finish_reason"] = "length"
    (choice,) = assemble([sse(*events)]).body["choices"]
    assert choice["text"] == "ab"
    assert choice["logprobs"] == {"tokens": ["a", "b"], "text_offset": [0, 1]}


def test_a_completion_is_assembled_from_its_texts() -> None:
    events = [
        {"object": "text_completion", "choices": [{"index": 0, "text": text}]}
        for text in ("a", "b")
    ]
    events[-1]["choices"][0]["finish_reason"] = "length"
    answer = assemble([sse(*events)])
    assert answer.body["choices"] == [{"index": 0, "text": "ab", "finish_reason": "length"}]


def test_a_plain_answer_is_taken_as_it_is() -> None:
    body = {"choices": [{"message": {"content": "x"}}], "usage": {"completion_tokens": 1}}
    assert assemble([json.dumps(body).encode()]).body == body


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        sse(chunk(content="half an ans")),
        sse(chunk(content="half"), {"error": {"message": "CUDA error"}}),
    ],
    ids=["nothing", "cut off", "error in the middle"],
)
def test_half_an_answer_is_never_stored_as_one(stream: bytes) -> None:
    with pytest.raises(IncompleteAnswerError):
        assemble([stream])


def as_stream(whole: dict, **options: bool) -> bytes:
    return sse(*chunks(whole, **options))


CALL = {"id": "t-1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1)


@given(st.lists(TEXTS, min_size=1, max_size=3), st.sampled_from(["stop", "length"]))
def test_a_whole_chat_streamed_again_is_the_same_answer(texts: list[str], finish: str) -> None:
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": text, "reasoning_content": "hm"},
            "finish_reason": finish,
        }
        for index, text in enumerate(texts)
    ]
    choices[0]["message"]["tool_calls"] = [CALL]  # type: ignore[index]
    usage = {"prompt_tokens": 5, "completion_tokens": 2}
    whole = {"id": "c-1", "object": "chat.completion", "choices": choices, "usage": usage}
    answer = assemble([as_stream(whole, usage=True)])
    assert answer.body == whole
    assert (answer.input_tokens, answer.output_tokens) == (5, 2)
    assert {one["object"] for one in chunks(whole)} == {"chat.completion.chunk"}


def test_a_whole_completion_streamed_again_is_the_same_answer() -> None:
    whole = {
        "id": "c-1",
        "object": "text_completion",
        "choices": [{"index": 0, "text": "because", "finish_reason": "length"}],
    }
    assert assemble([as_stream(whole)]).body == whole
    assert {one["object"] for one in chunks(whole)} == {"text_completion"}


def test_a_stream_has_usage_only_if_it_was_asked_for() -> None:
    whole = {"choices": [{"text": "x", "finish_reason": "stop"}], "usage": {"prompt_tokens": 1}}
    assert all("usage" not in one for one in chunks(whole))
    *_, last = chunks(whole, usage=True)
    assert (last["choices"], last["usage"]) == ([], {"prompt_tokens": 1})


def test_the_containers_own_request_is_sent_whole_and_as_it_is() -> None:
    own = {"inputs": "why?", "parameters": {"details": True}, "stream": True}
    assert as_asked(own) == {"inputs": "why?", "parameters": {"details": True}}
    chat = {"messages": [], "inputs": "x"}
    assert as_asked(chat)["stream_options"] == {"include_usage": True}, "that is one of OpenAI's"


@pytest.mark.parametrize(
    ("said", "body", "tokens"),
    [
        (b'[{"generated_text": "so"}]', [{"generated_text": "so"}], 0),
        (b'{"generated_text": "so", "details": {"generated_tokens": 3}}', None, 3),
        (b"plain words", "plain words", 0),
    ],
)
def test_what_it_says_to_it_is_passed_on(said, body, tokens) -> None:
    answer = passed_on([said[:5], said[5:]])
    assert answer.body == (body or json.loads(said))
    assert (answer.input_tokens, answer.output_tokens) == (0, tokens)


def test_a_container_that_says_nothing_has_not_answered() -> None:
    with pytest.raises(IncompleteAnswerError):
        passed_on([b" ", b"\n"])


@pytest.mark.parametrize("prompt", ["", "a", ["a"], ["a", ""], [1], [0, 7], [[1], [2, 3]]])
def test_a_prompt_is_text_or_ids_or_several_of_either(prompt: object) -> None:
    assert is_prompt(prompt)


@pytest.mark.parametrize(
    "prompt",
    [None, 1, {}, [], [[]], [None], ["a", 1], [1, [2]], [["a"]], [True], [-1], [1.0], [[1], []]],
)
def test_nothing_else_is_a_prompt(prompt: object) -> None:
    assert not is_prompt(prompt)


LONG_SECONDS = 8.0  # a second on an idle machine; a minute when each piece costs all before it


def test_a_long_answer_costs_no_more_by_its_length() -> None:
    call = {"index": 0, "function": {"arguments": "y" * 400}}
    piece, logprobs = chunk(content="x" * 400, tool_calls=[call]), {"content": [{"token": "x"}]}
    piece["choices"][0]["logprobs"] = logprobs
    pieces, end = [sse(piece).removesuffix(b"data: [DONE]\n\n")] * 20_000, [sse(chunk(0, "stop"))]
    began = time.monotonic()
    (choice,) = assemble([*pieces, *end]).body["choices"]
    assert time.monotonic() - began < LONG_SECONDS
    message = choice["message"]
    assert message["content"] == "x" * 400 * 20_000
    assert message["tool_calls"][0]["function"]["arguments"] == "y" * 400 * 20_000
    assert len(choice["logprobs"]["content"]) == 20_000


@pytest.mark.parametrize("piece", [b"a" * 65_536, b"[\n" * 32_768])
def test_a_stream_without_events_is_read_once(piece: bytes) -> None:
    began = time.monotonic()
    with pytest.raises(IncompleteAnswerError):
        assemble([b"a", *[piece] * 80])
    assert time.monotonic() - began < LONG_SECONDS


def test_an_answer_that_lacks_choices_is_not_whole() -> None:
    """Of twenty prompts those that a copy had no place for have said nothing when it dies."""
    first, second = (
        sse(chunk(content="a", finish="stop")),
        sse(chunk(1, content="b", finish="stop")),
    )
    first, second = (one.replace(b"data: [DONE]\n\n", b"") for one in (first, second))
    with pytest.raises(IncompleteAnswerError, match="middle of its answer"):
        assemble([first], 2)
    assert len(assemble([first, second], 2).body["choices"]) == 2
    assert len(assemble([first, sse()], 2).body["choices"]) == 1  # it says that it is done


@pytest.mark.parametrize(
    ("body", "choices"),
    [
        ({"messages": []}, 1),
        ({"messages": [], "n": 3}, 3),
        ({"prompt": "x", "n": None}, 1),
        ({"prompt": ["x", "y"], "n": 2}, 4),
        ({"prompt": [1, 2, 3]}, 1),
        ({"prompt": [[1], [2, 3]]}, 2),
    ],
)
def test_each_prompt_has_choices_of_its_own(body: dict[str, object], choices: int) -> None:
    assert choices_asked(body) == choices


def test_what_an_engine_says_of_nothing_is_nothing() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}
    nothing = {"index": 0, "function": None}
    events = [
        {**chunk(tool_calls=[call]), "error": None},
        {"id": "c-1", "choices": None},
        chunk(finish="tool_calls", tool_calls=[nothing]),
    ]
    (choice,) = assemble([sse(*events)]).body["choices"]
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}
