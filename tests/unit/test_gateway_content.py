"""Hostile content, with a gateway that serves: JSON that is nearly right, fields of a wrong kind,
ids that lead elsewhere, and text that wants to be a header."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from autoscaler.gateway.bodies import MOST_BYTES
from tests.gateway_alone import (
    BUCKET,
    CHAT,
    GOOD,
    KEY,
    KEYS,
    LATER,
    Alone,
    gateway_alone,
    length,
    refused,
    sent,
    without_a_trace,
)  # fmt: skip
from tests.hostile import SHAPES, TEXTS
from tests.raw_http import Line, Reply, as_json, head

WRONG = {(400, "invalid_value"), (400, "invalid_json"), (400, "missing_required_parameter"),
         (404, "model_not_found"), (403, "wrong_tenant")}  # fmt: skip
SAID = "a prompt of search 4Xw9"
ID = f"llama.{'0' * 32}"  # of the tenant `search`


@pytest.fixture(scope="module")
def alone() -> Iterator[Alone]:
    with gateway_alone() as one:
        for name, said in (("requests", {"prompt": SAID}), ("results", {"answer": SAID})):
            key = f"{name}/llama/{ID}.json"
            body, head = json.dumps(said).encode(), {"tenant": "search"}
            one.s3.put_object(Bucket=BUCKET, Key=key, Body=body, Metadata=head)
        yield one


@pytest.fixture
def traceless(alone: Alone) -> Iterator[None]:
    with without_a_trace(alone):
        yield


def asked(alone: Alone, body: bytes, path: str = CHAT) -> Reply:
    return sent(alone, head(path, KEY, LATER, length(len(body))), body)


def body(**changes: Any) -> bytes:
    return json.dumps({**json.loads(GOOD), **changes}).encode()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "is not JSON"),
        (b"\xef\xbb\xbf" + GOOD, "is not JSON"),
        (GOOD + GOOD, "is not JSON"),
        (GOOD[:-1], "is not JSON"),
        (GOOD.decode().encode("utf-16"), "is not JSON"),
        (GOOD.replace(b"why", b"\xff\xfe"), "is not JSON"),
        (GOOD.replace(b"why", b"\xed\xa0\x80"), "is not JSON"),
        (GOOD.replace(b"why", b"\\ud800"), "half of a surrogate pair"),
        (GOOD[:-1] + b', "temperature": NaN}', "NaN is no number"),
        (GOOD[:-1] + b', "temperature": -Infinity}', "-Infinity is no number"),
        (GOOD[:-1] + b', "temperature": 1e999}', "too large for any reader"),
        (GOOD[:-1] + b', "seed": ' + b"9" * 5000 + b"}", "more than 64 digits"),
        (GOOD[:-1] + b', "model": "other"}', "a key stands twice"),
        (GOOD[:-1] + b', "mod\\u0065l": "other"}', "a key stands twice"),
        (GOOD[:-1] + b', "a": [{"b": {"c": 1, "c": 2}}]}', "a key stands twice"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "is not JSON"),
        (b"[" * MOST_BYTES, "is not JSON"),
        (GOOD[:-1] + b', "a": ' + b"[" * 64 + b"]" * 64 + b"}", "nested more than 64 deep"),
    ],
)
def test_what_is_nearly_json_is_refused(
    alone: Alone, traceless: None, raw: bytes, words: str
) -> None:
    error = refused(asked(alone, raw), (400, "invalid_json"))
    assert words in error["message"]
    assert "why" not in error["message"] and len(error["message"]) < 200


def test_keys_without_number_or_end_are_refused_in_one_sentence_and_soon(
    alone: Alone, traceless: None
) -> None:
    """Each would have had a sentence, and a look for what it may have meant."""
    many = {f"k{number}": 1 for number in range(100_000)}
    for options in (many, {"reply_to": many}, {"k" * 5_000_000: 1}):
        error = refused(asked(alone, body(autoscaler=options)), (400, "invalid_value"))
        assert len(error["message"]) < 300


FIELDS: tuple[tuple[str, ...], ...] = (
    ("model",), ("messages",), ("stream",), ("autoscaler",),
    *[("autoscaler", name) for name in ("priority", "deadline", "ttl", "tenant", "reply_to",
                                        "deferrable", "id", "body", "nobody")],
    *[("autoscaler", "reply_to", name) for name in ("queue", "url", "event")],
)  # fmt: skip
# What a field may be, so that it is no error: told by the type, or by having been left out.
FITS: dict[str, tuple[Any, ...]] = {
    "messages": ([None], [[]], ["a"] * 1000, [[]] * 2),
    "stream": (None, True, False),
    "autoscaler": (None, {}),
    "deferrable": (True, False),
    "event": (True,),
}


def test_a_field_of_a_wrong_kind_is_refused_by_its_name(alone: Alone, traceless: None) -> None:
    with httpx.Client(base_url=alone.address, timeout=20) as client:
        for path, value in itertools.product(FIELDS, (*SHAPES, -1, 10**30, 0.5, *TEXTS)):
            name = path[-1]
            given: Any = value
            for step in reversed(path):
                given = {step: given}
            raw = _dumped(given)
            if raw is None or value in FITS.get(name, ()) or _may_be(name, value):
                continue
            headers = {"authorization": f"Bearer {KEYS['search']}", "prefer": "respond-async"}
            reply = client.post(CHAT, content=raw, headers=headers)
            assert reply.status_code >= 400, (path, value, reply.text)
            error = reply.json()["error"]
            told = (reply.status_code, error["code"])
            assert told in WRONG, (path, value, error)
            assert len(error["message"]) < 2500 and error["param"] in {path[0], None} | {
                "autoscaler.tenant"
            }, (path, value, error)


WRONG_PROMPTS = [None, "", [], {}, 1, True, {"a": 1}, [None], ["", 1], [[]], [[1], "a"], [0.5]]


@pytest.mark.parametrize("prompt", WRONG_PROMPTS)
def test_a_prompt_of_a_wrong_kind_is_refused_by_its_name(
    alone: Alone, traceless: None, prompt: Any
) -> None:
    error = refused(asked(alone, body(prompt=prompt), "/v1/completions"), (400, "invalid_value"))
    assert error["param"] == "prompt"


def _dumped(given: dict[str, Any]) -> bytes | None:
    try:
        return json.dumps({**json.loads(GOOD), **given}, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return None  # it has no bytes


def _may_be(name: str, value: Any) -> bool:
    """Left out, or right."""
    optional = {"deadline", "ttl", "tenant", "reply_to", "id", "body"}
    if value is None and name in optional | {"queue", "url", "event"}:
        return name in optional
    if name == "messages":
        return isinstance(value, list) and bool(value)
    if name == "queue":
        return value == "arn:aws:sqs:us-east-1:123456789012:somebody-elses"
    return name == "priority" and value in (0, 1)


@pytest.mark.parametrize(
    "name",
    ["x" * 5000, "llama#spec", "LLAMA", "../llama", "llama/other", "llama\r\nx: y", "\u0000", "a "],
)  # fmt: skip
def test_a_model_that_can_be_none_is_not_looked_for(
    alone: Alone, traceless: None, name: str
) -> None:
    error = refused(asked(alone, body(model=name)), (404, "model_not_found"))
    assert "llama, other" in error["message"] and len(error["message"]) < 200


NOT_YOURS = [
    ID,
    "llama." + "1" * 32,
    f"..%2fllama%2f{ID}",
    f"%2e%2e/llama/{ID}",
    f"..%5cllama%5c{ID}",
    f"llama%2f..%2fllama%2f{ID}",
    f"{ID}.json",
    f"{ID}%00",
    f"{ID}%0a",
    f"{ID}%0d%0aX-Injected:%20yes",
    f"other.{'0' * 32}",
    f"./{ID}",
    f"%252e%252e%252fllama%252f{ID}",
    "",
    ".",
    "..",
    "%ff",
    "a" * 5000,
]
ENDPOINTS = [None, "llama", "other", "..", "results/llama", "llama/..", "", "llama#", "x" * 5000]


def test_an_id_reads_nothing_of_somebody_else_and_does_not_tell_whether_it_is_there(
    alone: Alone, traceless: None
) -> None:
    assert looked(alone, ID, "llama", "search").json()["answer"] == SAID
    alike: set[str] = set()
    for ticket, endpoint in itertools.product(NOT_YOURS, ENDPOINTS):
        reply = looked(alone, ticket, endpoint, "ads")
        assert reply.status_code == (414 if len(ticket + (endpoint or "")) > 8000 else 404)
        assert SAID not in reply.text and "x-injected" not in reply.headers
        if endpoint == "llama" and ticket in NOT_YOURS[:2]:
            text = reply.text.replace(ticket, "ID")
            alike.add(text + str(sorted(reply.headers)))
    assert len(alike) == 1  # what is another tenant's, and what is nobody's
    for ticket, endpoint in itertools.product(NOT_YOURS[1:], ENDPOINTS):
        reply = looked(alone, ticket, endpoint, "search")
        assert SAID not in reply.text, (ticket, endpoint)
        assert reply.status_code == (414 if len(ticket + (endpoint or "")) > 8000 else 404)
    assert looked(alone, ID, "other", "search").status_code == 404


def looked(alone: Alone, ticket: str, endpoint: str | None, tenant: str) -> httpx.Response:
    """As it stands: no library takes `..` out of it."""
    query = "" if endpoint is None else f"?endpoint={endpoint.replace('#', '%23')}"
    with Line(alone.address) as line:
        key = f"Authorization: Bearer {KEYS[tenant]}".encode()
        line.socket.sendall(head(f"/v1/requests/{ticket}{query}", key, method="GET"))
        reply = line.answer()
    return httpx.Response(reply.status, headers=reply.headers, content=reply.body)


def test_what_a_caller_writes_into_headers_goes_nowhere(alone: Alone) -> None:
    mark = "canary-of-a-header"
    hostile = [
        f"{name}: {mark}".encode()
        for name in (
            "X-Request-Id", "Idempotency-Key", "X-Amzn-Trace-Id", "Traceparent", "User-Agent",
            "X-Forwarded-For", "X-Forwarded-Host", "OpenAI-Organization", "X-Autoscaler-Progress",
            "X-Autoscaler-Answered-By", "X-Amz-Meta-Tenant", "X-Amzn-SageMaker-Target-Variant",
        )
    ]  # fmt: skip
    alone.lines.clear()
    reply = sent(alone, head(CHAT, KEY, LATER, *hostile, length(len(GOOD))), GOOD)
    ticket = as_json(reply)["id"]
    assert reply.status == 202 and reply.headers["x-request-id"].startswith("req-")
    url = alone.sqs.get_queue_url(QueueName="autoscaler-llama")["QueueUrl"]
    (message,) = alone.sqs.receive_message(
        QueueUrl=url, AttributeNames=["All"], MessageAttributeNames=["All"]
    )["Messages"]
    stored = alone.s3.get_object(Bucket=BUCKET, Key=f"requests/llama/{ticket}.json")
    everything = [str(reply), str(message), str(stored), stored["Body"].read().decode()]
    assert not [place for place in (*everything, *alone.lines) if mark in place]
    assert message["Body"].count(ticket) == 2 and "MessageAttributes" not in message


@pytest.mark.parametrize(
    "authorization",
    [b"Bearer " + b"a" * 60_000, b"Bearer \xff\xfe", b"Bearer", b"bearer\t", b"\xc3\xa9",
     b"Bearer ask-of-search-7Yq2mN4xW9, Bearer x", b"Bearer ask-of-search-7Yq2mN4xW"],
)  # fmt: skip
def test_a_key_that_is_none_is_refused_and_not_repeated(
    alone: Alone, traceless: None, authorization: bytes
) -> None:
    reply = sent(alone, head("/v1/models", b"Authorization: " + authorization, method="GET"))
    refused(reply, (401, "invalid_api_key"))
    assert b"ask-of" not in reply.body and b"aaaa" not in reply.body
