"""Messages and HTTP bodies that break readers: refused by name, or taken and fit to be sent on."""

from __future__ import annotations

import json
import time
import tracemalloc
from datetime import timedelta

import pytest
from hypothesis import given, settings

from autoscaler.alerts.events.requests import RequestRefused
from autoscaler.control.messages import BadRequestError, Message, parse
from autoscaler.gateway.access import Caller
from autoscaler.gateway.asked import read
from autoscaler.gateway.errors import GatewayError
from autoscaler.spec.strict_json import MOST_VALUES, read_json
from tests.desk import NAME, TestDesk, dispatch, memory_desk
from tests.hostile import CANARY, TEXTS, mutants
from tests.memory import NOON
from tests.samples import awake, put, spec

BODY = {
    "model": NAME,
    "messages": [{"role": "user", "content": CANARY}],
    "max_tokens": 3,
    "temperature": 0,
    "stream": False,
    "autoscaler": {"tenant": "search", "ttl": "2h", "priority": 5, "deferrable": False},
}
NO_JSON = [
    '{"messages": [], "temperature": NaN}',
    '{"messages": [], "temperature": -Infinity}',
    '{"messages": [], "temperature": 1e999}',
    '{"messages": [], "seed": ' + "9" * 100 + "}",
    '{"messages": [], "seed": ' + "9" * 100_000 + "}",
    '{"messages": [{"role": "user", "content": "\\ud800"}]}',
    '{"messages": [], "\\udfff": 1}',
    "[" * 100_000,
    '{"messages": [' + "[]," * MOST_VALUES + "1]}",
    '{"messages": [' + "{}," * MOST_VALUES + "1]}",
    '{"messages": [' + '"ab",' * MOST_VALUES + "1]}",
    '"' * 3 * MOST_VALUES,
    '{"messages": ' + "[" * 5000 + "]" * 5000 + "}",
    '"messages"',
    "",
    "\x00",
]
LONGEST_SECONDS = 2.0  # of the wall; it takes milliseconds


def message(body: str) -> Message:
    return Message("m-1", "r-1", body, NOON)


@pytest.mark.parametrize("text", NO_JSON, ids=lambda text: text[:40].replace("\x00", "nul"))
def test_what_is_no_json_is_refused_by_both_ways_in(text: str) -> None:
    began = time.monotonic()
    with pytest.raises(BadRequestError):
        parse(message(text), NAME)
    with pytest.raises(GatewayError) as refused:
        read(text.encode(), "messages", Caller())
    assert refused.value.status == 400
    assert time.monotonic() - began < LONGEST_SECONDS


def test_lists_that_would_fill_a_workers_memory_are_refused_before_they_do() -> None:
    """Six MiB of them take 170, and ten messages are read at a time."""
    text = '{"messages": [' + "[]," * (2 * MOST_VALUES) + "1]}"
    tracemalloc.start()
    try:
        with pytest.raises(GatewayError, match="200,000"):
            read(text.encode(), "messages", Caller())
        assert tracemalloc.get_traced_memory()[1] < 8 * len(text)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "content",
    ['a,"b",[{\n' * 100_000, "\\" * 300_000, '\\"[' * 100_000],
    ids=["csv", "slashes", "odd"],
)
def test_a_long_text_is_one_value_whatever_stands_in_it(content: str) -> None:
    body = {"messages": [{"role": "user", "content": content}]}
    assert read_json(json.dumps(body)) == body


def test_a_prompt_of_many_tokens_is_read() -> None:
    body = {"prompt": list(range(MOST_VALUES + 1))}
    assert read_json(json.dumps(body)) == body


@pytest.mark.parametrize("raw", [b"\xff\xfe{}", b"\xed\xa0\x80", '{"a": 1}'.encode("utf-16")])
def test_bytes_that_are_no_utf8_are_refused(raw: bytes) -> None:
    with pytest.raises(GatewayError) as refused:
        read(raw, "messages", Caller())
    assert refused.value.status == 400


def test_a_whole_pair_of_surrogates_is_a_character() -> None:
    assert read_json('"\\ud83d\\ude00 caf\\u00e9"') == "😀 café"


@settings(max_examples=150, derandomize=True, database=None, deadline=None)
@given(mutants(BODY))
def test_a_body_that_is_nearly_right_can_be_sent_on_or_is_refused_unquoted(body: object) -> None:
    raw = json.dumps(body).encode()
    try:
        asked = read(raw, "messages", Caller())
    except GatewayError as refused:
        assert refused.status in (400, 403)
        assert CANARY not in refused.message
    else:
        assert json.loads(asked.for_model(spec(NAME)))["stream"] is True
        assert json.dumps(asked.told(timedelta(0)))


@settings(max_examples=100, derandomize=True, database=None, deadline=None)
@given(mutants({"id": "a", **BODY}))
def test_a_message_that_is_nearly_right_is_answered_or_refused_and_never_trouble(
    body: object,
) -> None:
    """Trouble comes back again and again; what no model can answer is refused
    once. (`dispatch` fails if there was any.) Events say nothing of it but its id."""
    desk = memory_desk()
    put(desk.world, awake(NAME))
    dispatch(desk, NAME, [message(json.dumps(body))])
    assert json.dumps(desk.results.stored, ensure_ascii=False).encode()
    assert [reason for reason in announced(desk) if CANARY in reason] == []


def announced(desk: TestDesk) -> list[str]:
    events = desk.world.announcer.events
    return [event.reason for event in events if isinstance(event, RequestRefused)]


ELSEWHERE = {"url": f"https://{CANARY}.example/x"}
SOMEWHERE = f"s3://{CANARY}/requests/{NAME}/x.json"


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": f"Who is {CANARY}?"},
        {"id": [CANARY]},
        {"id": "a", "autoscaler": {"id": CANARY}},
        {"endpoint": CANARY},
        {"autoscaler": {"body": "s3://b/requests/e/x.json"}, CANARY: 1, "messages": None},
        {"autoscaler": {"deadline": CANARY}},
        {"autoscaler": {"tenant": f"{CANARY}!"}},
        {"autoscaler": {"priority": CANARY}},
        {"autoscaler": {"ttl": CANARY}},
        {"autoscaler": {CANARY: 1}},
        {"autoscaler": {"reply_to": {CANARY: 1}}},
        {"autoscaler": {"reply_to": {"queue": CANARY}}},
        {"autoscaler": {"reply_to": ELSEWHERE}},
        {"autoscaler": {"body": SOMEWHERE}, "messages": None},
    ],
    ids=json.dumps,
)
def test_what_is_refused_is_told_to_its_sender_and_not_quoted_to_everybody(
    wrong: dict[str, object],
) -> None:
    desk = memory_desk()
    put(desk.world, awake(NAME))
    desk.outlets.refused = {ELSEWHERE["url"]}
    body = {"messages": [{"role": "user", "content": "x"}], **wrong}
    sent = {name: value for name, value in body.items() if value is not None}
    dispatch(desk, NAME, [message(json.dumps(sent))])
    (reason,) = announced(desk)
    assert reason and CANARY not in reason
    (result,) = desk.results.stored.values()
    assert CANARY in str(result["error"]), "its sender sees what is meant"


@pytest.mark.parametrize("content", [b"\xff", b"[]", b"{", b'{"autoscaler": {}}'])
def test_where_a_wrong_body_lies_is_not_told_to_everybody(content: bytes) -> None:
    desk = memory_desk()
    put(desk.world, awake(NAME))
    desk.bodies.stored = {SOMEWHERE: content}
    dispatch(desk, NAME, [message(json.dumps({"autoscaler": {"body": SOMEWHERE}}))])
    (reason,) = announced(desk)
    assert reason and CANARY not in reason


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_an_id_of_the_senders_names_no_other_place(text: str) -> None:
    desk = memory_desk()
    put(desk.world, awake(NAME))
    dispatch(desk, NAME, [message(json.dumps({"id": text, "prompt": "x"}))])
    (key,) = desk.results.stored
    assert key in (f"{NAME}/m-1", f"{NAME}/{text}")
    assert ".." not in key and key.count("/") == 1 and key.isprintable()
