"""What the gateway takes for a request, and what it refuses by field."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from autoscaler.gateway.access import Caller
from autoscaler.gateway.asked import DEEPEST, Patience, patience, read
from autoscaler.gateway.errors import GatewayError
from tests.samples import spec

CHAT = {"model": "llama", "messages": [{"role": "user", "content": "a secret"}]}


def raw(**changes: Any) -> bytes:
    return json.dumps({**CHAT, **changes}).encode()


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        (b"not json, a secret", None, "the body is not JSON (line 1, column 1)"),
        (b"[]", None, "must be a JSON object"),
        (("{" + f'"a": {nested(DEEPEST)}' + "}").encode(), None, "nested more than 64 deep"),
        (("[" * 200_000).encode(), None, "the body is not JSON"),
        (raw(model=None), "model", "give the name of an endpoint"),
        (raw(messages=[]), "messages", "give a list that is not empty"),
        (raw(messages="why"), "messages", "give a list that is not empty"),
        (raw(stream="yes"), "stream", "neither true nor false"),
        (raw(autoscaler={"priorty": 1}), "autoscaler", "did you mean `priority`?"),
        (raw(autoscaler={"id": "mine"}), "autoscaler", "autoscaler.id: the gateway chooses it"),
        (
            raw(autoscaler={"body": "s3://other/requests/llama/x.json"}),
            "autoscaler",
            "autoscaler.body: the gateway chooses it",
        ),
    ],
)
def test_a_wrong_body_is_refused_by_field_and_not_quoted(
    body: bytes, param: str | None, words: str
) -> None:
    with pytest.raises(GatewayError) as caught:
        read(body, "messages", Caller())
    assert caught.value.status == 400
    assert caught.value.param == param
    assert words in caught.value.message
    assert "secret" not in caught.value.message


def test_a_body_within_the_depth_is_taken() -> None:
    body = ("{" + f'"model": "m", "messages": [1], "a": {nested(DEEPEST - 1)}' + "}").encode()
    assert read(body, "messages", Caller()).endpoint == "m"


def test_a_key_speaks_for_its_own_tenant_only() -> None:
    assert read(raw(), "messages", Caller("search")).tenant == "search"
    other = raw(autoscaler={"tenant": "ads"})
    assert read(other, "messages", Caller()).tenant == "ads"
    with pytest.raises(GatewayError) as caught:
        read(other, "messages", Caller("search"))
    assert (caught.value.status, caught.value.param) == (403, "autoscaler.tenant")


def test_the_model_hears_its_own_name_and_is_streamed_with_its_usage() -> None:
    given = raw(tools=[{"type": "function"}], autoscaler={"priority": 9}, stream=False)
    asked = read(given, "messages", Caller())
    assert json.loads(asked.for_model(spec("llama"))) == {
        "model": "deepseek-ai/DeepSeek-R1-Distill-Llama-8B",
        "messages": CHAT["messages"],
        "tools": [{"type": "function"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert "stream" not in asked.for_queue(spec("llama"))
    assert asked.told(timedelta(0)) == {"priority": 9}


@pytest.mark.parametrize(
    ("prefer", "expected"),
    [
        ("", Patience(300)),
        ("wait=20", Patience(20)),
        ("wait = 20, handling=strict", Patience(20)),
        ('wait="7"', Patience(7)),
        ("wait=0", Patience(0, later=True)),
        ("wait=999999", Patience(400)),
        ("wait=-5", Patience(300)),
        ("wait=soon", Patience(300)),
        ("respond-async", Patience(0, later=True)),
        ("wait=20, Respond-Async", Patience(0, later=True)),
    ],
)
def test_a_preference_is_read_and_nonsense_is_none(prefer: str, expected: Patience) -> None:
    assert patience(prefer, usual=300, longest=400) == expected


def test_a_gateway_that_holds_nobody_still_asks_who_is_awake() -> None:
    assert patience("", usual=0, longest=400) == Patience(0)
    assert patience("wait=20", usual=0, longest=0) == Patience(0)
