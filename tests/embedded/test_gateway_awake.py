"""The gateway in front of a model that is awake, with the clients that people have."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai
import pytest
from langchain_openai import ChatOpenAI
from werkzeug.wrappers import Request

from autoscaler.gateway.access import Renewed
from autoscaler.runtime.logs import logger
from tests.embedded.canaries import GATEWAY_KEY as KEY
from tests.embedded.canaries import Net
from tests.embedded.gateway_lab import clients, gateway, said
from tests.embedded.stack import Stack, deployed, wait_for
from tools.embedded.sagemaker.dataplane import DataPlane
from tools.embedded.sagemaker.load import Request as Load
from tools.embedded.types import Fault

NAME = "llama"
QUESTION = [{"role": "user", "content": "why is the sky blue?"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
BY_KEYS = {"GatewayAccess": "keys", "GatewayKeysSecretName": "gateway-keys"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account"), **BY_KEYS) as found:
        kept: dict[str, Any] = {"answers": {"keep": "1h"}}  # of what is asked deterministically
        assert found.apply(NAME, scaling={"max_copies": 1, "keep_alive": "8h"}, **kept)["ok"]
        found.until(NAME, "AWAKE")
        yield found


@pytest.fixture(scope="module")
def address(stack: Stack) -> Iterator[str]:
    secrets = clients(stack)("secretsmanager")

    def read() -> str:
        """By the gateway's own role."""
        kept = secrets.get_secret_value(SecretId=BY_KEYS["GatewayKeysSecretName"])
        return str(kept["SecretString"])

    with gateway(stack, Renewed(read)) as found:
        yield found


@pytest.fixture
def client(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=0) as found:
        yield found


def test_a_chat_is_answered_whole(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=NAME, messages=QUESTION, max_tokens=9)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage and answer.usage.completion_tokens == 9


def test_a_completion_is_answered_whole(client: openai.OpenAI) -> None:
    answer = client.completions.create(model=NAME, prompt="once", max_tokens=5)
    assert answer.choices[0].text
    assert answer.usage and answer.usage.completion_tokens == 5


def test_a_chat_is_streamed_and_its_usage_is_seen_only_by_who_asked(client: openai.OpenAI) -> None:
    plain = list(
        client.chat.completions.create(model=NAME, messages=QUESTION, max_tokens=12, stream=True)
    )
    assert all(chunk.choices for chunk in plain)
    assert plain[-1].choices[0].finish_reason == "length"
    told = list(
        client.chat.completions.create(
            model=NAME,
            messages=QUESTION,
            max_tokens=12,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert told[-1].usage and told[-1].usage.completion_tokens == 12
    words = [
        "".join(c.choices[0].delta.content or "" for c in part if c.choices)
        for part in (plain, told)
    ]
    assert words[0] == words[1] != ""


def test_many_are_streamed_at_once(address: str) -> None:
    assert asyncio.run(_many(address)) == list(range(20, 32))


async def _many(address: str) -> list[int]:
    async with openai.AsyncOpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=0) as client:

        async def one(number: int) -> int:
            stream = await client.chat.completions.create(
                model=NAME,
                messages=QUESTION,
                max_tokens=20 + number,
                stream=True,
                stream_options={"include_usage": True},
            )
            return [chunk async for chunk in stream][-1].usage.completion_tokens

        return list(await asyncio.gather(*map(one, range(12))))


@contextmanager
def asked_of_models(stack: Stack) -> Iterator[list[bytes]]:
    """The bodies of all that models are asked meanwhile."""
    seen: list[bytes] = []

    def look(name: str, request: Request) -> None:
        if name == "sagemaker" and "/invocations" in request.path:
            seen.append(request.get_data())

    stack.account.front.on_request.append(look)
    try:
        yield seen
    finally:
        stack.account.front.on_request.remove(look)


def test_tools_reach_the_model(stack: Stack, client: openai.OpenAI) -> None:
    with asked_of_models(stack) as seen:
        client.chat.completions.create(
            model=NAME, messages=QUESTION, tools=[TOOL], tool_choice="auto", max_tokens=3
        )
    (asked,) = [body for body in seen if b"weather" in body]
    assert b'"tool_choice":"auto"' in asked
    assert b'"model":"deepseek-ai/DeepSeek-R1-Distill-Llama-8B"' in asked


def kept_answers(stack: Stack) -> int:
    place = {"Bucket": stack.outputs["ResultsBucketName"], "Prefix": f"answers/{NAME}/"}
    return int(stack.account.boto("s3").list_objects_v2(**place)["KeyCount"])


def test_what_is_asked_again_deterministically_is_answered_without_the_model(
    stack: Stack, address: str, client: openai.OpenAI
) -> None:
    body = {"model": NAME, "messages": QUESTION, "max_tokens": 11, "temperature": 0}
    headers = {"authorization": f"Bearer {KEY}"}
    with asked_of_models(stack) as seen:
        first = said(address, "/v1/chat/completions", json=body, headers=headers)
        assert first.status_code == 200, first.text
        assert kept_answers(stack) == 1
        again = said(address, "/v1/chat/completions", json=body, headers=headers)
        streamed = client.chat.completions.create(**body, stream=True)  # type: ignore[call-overload]
        words = "".join(chunk.choices[0].delta.content or "" for chunk in streamed)
        warm = said(
            address, "/v1/chat/completions", json={**body, "temperature": 1}, headers=headers
        )
    assert [r.status_code for r in (first, again, warm)] == [200, 200, 200]
    cached = [r.headers.get("x-autoscaler-cached") for r in (first, again, warm)]
    assert cached == [None, "true", None]
    assert again.json() == first.json()
    assert words == first.json()["choices"][0]["message"]["content"] != ""
    asked = [json.loads(one)["temperature"] for one in seen]
    assert asked == [0, 1], "once for the three that are the same"


def test_the_endpoints_are_the_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [NAME]
    assert client.models.retrieve(NAME).id == NAME


def test_langchain_asks_and_streams(address: str) -> None:
    chat = ChatOpenAI(model=NAME, base_url=f"{address}/v1", api_key=KEY, max_tokens=6)
    assert chat.invoke("why?").content
    assert "".join(str(part.content) for part in chat.stream("why?")) == chat.invoke("why?").content


def test_an_endpoint_that_is_not_there_is_told_with_those_that_are(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-4", messages=QUESTION)
    assert "there is no endpoint 'gpt-4'; endpoints here: llama" in str(caught.value)
    assert caught.value.code == "model_not_found"


def test_what_the_model_refuses_keeps_its_status_and_its_words(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=NAME, messages=QUESTION, max_tokens=999_999)
    assert "maximum context length is 8192 tokens" in str(caught.value)


@pytest.mark.parametrize("key", ["", "ask-of-somebody"])
def test_without_a_key_of_the_gateway_nobody_is_answered(address: str, key: str) -> None:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    refused = said(address, "/v1/models", headers=headers)
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "invalid_api_key"
    client = openai.OpenAI(base_url=f"{address}/v1", api_key=key or "x", max_retries=0)
    with client, pytest.raises(openai.AuthenticationError):
        client.models.list()
    assert said(address, "/healthz").status_code == 200


def test_a_caller_who_goes_away_ends_the_request_in_the_model(
    stack: Stack, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy works for nobody: the stand-in cuts the request that was abandoned."""
    abandon, cut = DataPlane._abandon, []

    def watched(plane: DataPlane, request: Load) -> None:
        unfinished = request.finish > stack.account.clock.time()
        abandon(plane, request)
        cut.append(unfinished and request.cut is not None)

    monkeypatch.setattr(DataPlane, "_abandon", watched)
    body = {"model": NAME, "messages": QUESTION, "max_tokens": 8000, "stream": True}
    with httpx.stream(
        "POST",
        f"{address}/v1/chat/completions",
        json=body,
        timeout=30,
        headers={"authorization": f"Bearer {KEY}"},
    ) as reply:
        assert next(reply.iter_raw()).startswith(b"data: ")
    wait_for(lambda: cut, bool, "the cut")
    assert cut == [True]


def test_an_answer_that_breaks_off_is_told_inside_of_its_stream(
    stack: Stack, client: openai.OpenAI
) -> None:
    before = len(stack.account.front.fired)
    stack.account.front.inject(
        Fault("sagemaker:InvokeEndpointWithResponseStream", "ModelStreamError", "the copy died")
    )
    stream = client.chat.completions.create(
        model=NAME, messages=QUESTION, max_tokens=400, stream=True
    )
    with pytest.raises(openai.APIError) as caught:
        list(stream)
    assert "the copy died" in str(caught.value)
    assert len(stack.account.front.fired) == before + 1


def test_a_key_is_nowhere_wherever_its_holder_put_it(stack: Stack, address: str) -> None:
    """The net of the stack looks for it in all that the gateway logs, answers and sends on, and in
    what the functions behind it make of a request."""
    body = {"model": NAME, "messages": QUESTION, "max_tokens": 3}
    right, odd = {"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY, "cookie": KEY}
    for headers in ({"authorization": f"Basic {KEY}"}, {"authorization": KEY}, odd):
        for path in ("/v1/models", f"/v1/models?api_key={KEY}", f"/v1/requests/x?key={KEY}"):
            assert said(address, path, headers=headers).status_code == 401
    for wrong in (b"{", b"[]", b'{"model": 1}'):
        reply = said(address, "/v1/chat/completions", content=wrong, headers={**odd, **right})
        assert reply.status_code == 400
    wait_for(lambda: stack.command("sleep", endpoint=NAME), lambda told: told["ok"], "a sleep")
    stack.until(NAME, "ASLEEP")
    later = {**right, **odd, "prefer": "respond-async"}
    taken = said(address, "/v1/chat/completions", json=body, headers=later)
    assert taken.status_code == 202
    where = f"/v1/requests/{taken.json()['id']}"
    found = wait_for(
        lambda: said(address, where, headers=right), lambda r: r.status_code == 200, "an answer"
    )
    assert found.json()["answer"]["usage"]["completion_tokens"] == 3
    stack.net.look_at_what_is_left()
    assert stack.net.leaks == {}


def test_a_key_that_is_somewhere_is_found(stack: Stack, address: str) -> None:
    """Or the test before would prove nothing."""
    own, net = stack.net, Net(stack, [])
    stack.net = net
    key = "ask-planted-4Xw9mN2q"
    net.watch_key(key)
    try:
        with gateway(stack) as other:  # where it is the name of a model
            assert key in said(other, f"/v1/models/{key}").text
            logger.error("planted", extra={"error": key})
        stack.ask(NAME, {"id": "planted", "prompt": f"my key is {key}", "max_tokens": 1})
        stack.result(NAME, "planted")
    finally:
        stack.net = own
    assert {place.partition(" ")[0] for place in net.leaks} >= {"an", "log", "sqs", "sagemaker"}
