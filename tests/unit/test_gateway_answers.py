"""What a caller is told of a model's answer, whatever the model says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway_awake import COMPLETIONS, Awake, event, gateway_of, said
from tests.samples import awake

DONE = b"data: [DONE]\n\n"


@pytest.fixture(scope="module")
def gateway() -> Iterator[Awake]:
    with gateway_of(awake("llama")) as found:
        yield found


@pytest.mark.parametrize("rest", [b"", b'data: {"id":"c-1","cho'])
def test_an_answer_that_breaks_off_is_told_so_in_either_way(gateway: Awake, rest: bytes) -> None:
    gateway.model.pieces = [said("The answer is not "), rest]
    plain, stream = gateway.chat(), gateway.chat(stream=True)
    assert (plain.status_code, plain.json()["error"]["code"]) == (502, "answer_broken")
    begun = said("The answer is not ")
    assert stream.content.startswith(begun + b'data: {"error"')
    assert '"code": "answer_broken"' in stream.text
    assert stream.content.endswith(DONE)


@pytest.mark.parametrize("stream", [True, False])
def test_a_model_that_says_nothing_has_not_answered(gateway: Awake, stream: bool) -> None:
    gateway.model.pieces = []
    reply = gateway.chat(stream=stream)
    assert (reply.status_code, reply.json()["error"]["code"]) == (502, "answer_broken")


def test_what_ends_without_its_done_is_passed_on_as_it_is(gateway: Awake) -> None:
    gateway.model.pieces = pieces = [said("yes"), said("", "stop")]
    reply = gateway.chat(stream=True)
    assert (reply.status_code, reply.content) == (200, b"".join(pieces))


def text(index: int, said: str, finish: str | None = None) -> bytes:
    choice = {"index": index, "text": said, "finish_reason": finish}
    return event({"object": "text_completion", "choices": [choice]})


@pytest.mark.parametrize("prompt", [["one", "two"], [[1, 2], [3]]])
def test_of_several_prompts_each_has_its_answer(gateway: Awake, prompt: list[object]) -> None:
    pieces = [text(0, "a"), text(1, "b", "stop"), text(0, "c", "length")]
    gateway.model.pieces = pieces
    body = {"model": "llama", "prompt": prompt}
    plain = gateway.asked(body, COMPLETIONS)
    assert [choice["text"] for choice in plain.json()["choices"]] == ["ac", "b"]
    stream = gateway.asked({**body, "stream": True}, COMPLETIONS)
    assert stream.content == b"".join(pieces)
    gateway.model.pieces = pieces[:2]
    assert "answer_broken" in gateway.asked({**body, "stream": True}, COMPLETIONS).text
