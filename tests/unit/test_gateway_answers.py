"""What a caller is told of a model's answer, whatever the model says."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from autoscaler.aws.bodies import LARGEST_BYTES, S3Bodies
from autoscaler.aws.model import SageMakerModels
from autoscaler.gateway import answering
from autoscaler.gateway.bodies import MOST_BYTES
from tests.gateway_alone import BUCKET
from tests.gateway_awake import COMPLETIONS, Awake, event, gateway_of, said, usage
from tests.samples import asleep, awake, spec

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


@pytest.fixture(scope="module")
def sleeping() -> Iterator[Awake]:
    with gateway_of(asleep("llama")) as found:
        yield found


LARGE = b'{"model":"llama","prompt":[%s]}' % b",".join([b"[1%s]" % (b",1" * 19)] * 130_000)
GROWS = b'{"model":"llama","prompt":"x","more":[%s]}' % b",".join([b"1e15"] * 400_000)


def test_what_the_gateway_takes_is_no_larger_when_the_dispatcher_reads_it(
    sleeping: Awake,
) -> None:
    later = {"prefer": "respond-async"}
    taken = sleeping.asked(LARGE, COMPLETIONS, **later)
    assert taken.status_code == 202
    place = f"s3://{BUCKET}/requests/llama/{taken.json()['id']}.json"
    stored = S3Bodies(BUCKET, sleeping.s3).get("llama", place)
    assert len(stored) < len(LARGE) + 100 < LARGEST_BYTES


@pytest.mark.parametrize("headers", [{"prefer": "respond-async"}, {}, {"prefer": "wait=1"}])
def test_what_grows_too_large_is_refused_before_it_gets_a_ticket(
    sleeping: Awake, headers: dict[str, str]
) -> None:
    before = stored(sleeping)
    refused = sleeping.asked(GROWS, COMPLETIONS, **headers)
    assert len(GROWS) < MOST_BYTES / 2
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "too_large")
    assert "bytes as it is sent on" in refused.json()["error"]["message"]
    assert stored(sleeping) == before


def stored(gateway: Awake) -> int:
    return int(gateway.s3.list_objects_v2(Bucket=BUCKET, Prefix="requests/")["KeyCount"])


def test_a_model_is_not_asked_what_is_too_large_for_it(gateway: Awake) -> None:
    gateway.model.pieces = [text(0, "a", "stop"), b"data: [DONE]\n\n"]
    before = len(gateway.model.asked)
    assert gateway.asked(GROWS, COMPLETIONS).status_code == 413
    assert gateway.asked(LARGE, COMPLETIONS).status_code == 200
    assert [len(one) < MOST_BYTES for one in gateway.model.asked[before:]] == [True]


def test_the_dispatcher_sends_no_more_than_was_stored() -> None:
    sent: list[bytes] = []

    class Runtime:
        def invoke_endpoint_with_response_stream(self, *, Body: bytes, **_: Any) -> Any:
            sent.append(Body)
            return {"Body": [{"PayloadPart": {"Bytes": text(0, "a", "stop")}}]}

    body = {"prompt": "\u6f22" * 1000, "stop": ["a", "b"]}
    SageMakerModels("stack", Runtime()).ask("llama", body)
    assert len(sent[0]) < len(json.dumps(body, ensure_ascii=False).encode()) + 100
    assert json.loads(sent[0])["prompt"] == body["prompt"]


ODD = ['{"prompt_tokens":"3"}', '{"prompt_tokens":[]}', "[1]", "3", '{"prompt_tokens":-1}',
       '{"prompt_tokens":1e999}', '{"prompt_tokens":true,"completion_tokens":1e400}']  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
def test_odd_usage_breaks_no_answer_and_no_count(odd: str) -> None:
    with gateway_of(awake("llama")) as gateway:
        for raw in (odd, '{"prompt_tokens":3,"completion_tokens":2}'):
            gateway.model.pieces = [said("yes"), said("", "stop"), usage(raw), DONE]
            plain, stream = gateway.chat(), gateway.chat(stream=True)
            assert plain.json()["choices"][0]["message"]["content"] == "yes"
            assert "Infinity" not in plain.text
            assert "error" not in stream.text and stream.content.endswith(DONE)
    (found,) = gateway.world.store.counters.values()
    assert (found.requests, found.input_tokens, found.output_tokens) == (4, 6, 4)


@pytest.mark.parametrize("stream", [True, False])
def test_an_endless_answer_is_cut_off_where_the_dispatcher_cuts_it(
    gateway: Awake, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "LARGEST_ANSWER_BYTES", 1000)
    gateway.model.pieces = [*[said("more")] * 1000, said("", "stop")]
    reply = gateway.chat(stream=stream)
    assert "its answer is longer than 1,000 bytes" in reply.text
    assert len(reply.content) < 2000 and '"answer_broken"' in reply.text


def test_an_event_without_end_holds_nobody_up(gateway: Awake) -> None:
    gateway.model.pieces = [b"data: ", *[b"a" * 65_536] * 600]
    began = time.monotonic()
    reply = gateway.chat(stream=True)
    assert time.monotonic() - began < 5
    assert (reply.status_code, reply.json()["error"]["code"]) == (502, "answer_broken")


@pytest.mark.parametrize("prefer", ["respond-async", "wait=0"])
@pytest.mark.parametrize("stream", [True, False])
def test_who_asks_for_a_ticket_gets_one_of_a_model_that_is_awake(
    gateway: Awake, prefer: str, stream: bool
) -> None:
    before, asked = stored(gateway), len(gateway.model.asked)
    body = {"model": "llama", "messages": [{"role": "user"}], "stream": stream}
    reply = gateway.asked(body, prefer=prefer)
    assert (reply.status_code, reply.json()["phase"]) == (202, "AWAKE")
    assert reply.headers["location"] == f"/v1/requests/{reply.json()['id']}"
    assert (stored(gateway), len(gateway.model.asked)) == (before + 1, asked)


@pytest.mark.parametrize("headers", [{}, {"prefer": "respond-async"}])
def test_what_no_stream_has_is_refused_before_a_model_refuses_it(
    gateway: Awake, headers: dict[str, str]
) -> None:
    body = {"model": "llama", "prompt": "x", "prompt_logprobs": 1}
    refused = gateway.asked(body, COMPLETIONS, **headers)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "prompt_logprobs")
    gateway.model.pieces = [text(0, "a", "stop")]
    assert gateway.asked({**body, "prompt_logprobs": None}, COMPLETIONS).status_code == 200


def test_an_async_endpoint_is_asked_for_the_whole_and_may_have_it() -> None:
    with gateway_of(asleep("llama"), wanted=spec("llama", kind="async")) as gateway:
        body = {"model": "llama", "prompt": "x", "prompt_logprobs": 1}
        assert gateway.asked(body, COMPLETIONS).status_code == 202


@pytest.mark.parametrize(
    ("kind", "headers", "deferrable", "wakes"),
    [
        ("component", {"prefer": "respond-async"}, True, False),
        ("component", {"prefer": "respond-async"}, False, True),
        ("component", {"prefer": "wait=1"}, True, True),  # its caller waits for the answer
        ("async", {}, True, False),
        ("async", {}, False, True),
    ],
)
def test_a_ticket_for_what_may_wait_wakes_nothing(
    kind: str, headers: dict[str, str], deferrable: bool, wakes: bool
) -> None:
    with gateway_of(asleep("llama"), wanted=spec("llama", kind=kind)) as gateway:
        body = {"model": "llama", "prompt": "x", "autoscaler": {"deferrable": deferrable}}
        before = stored(gateway)
        reply = gateway.asked(body, COMPLETIONS, **headers)
        assert (reply.status_code, stored(gateway)) == (202, before + 1)
        assert bool(gateway.world.flows.started) is wakes
