"""What a container says is text from outside: it may be wrong, odd or hostile, and takes neither
the dispatcher nor its neighbours with it."""

from __future__ import annotations

import json
import tracemalloc
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autoscaler.aws import model as aws_model
from autoscaler.aws.model import SageMakerModels
from autoscaler.aws.requests import QueueRequests
from autoscaler.aws.results import S3Results
from autoscaler.control.deferring import moved_body
from autoscaler.control.messages import Message, Request, parse
from autoscaler.control.patience import LONGEST_WAIT, TRIES
from autoscaler.endpoints.completions import IncompleteAnswerError, assemble, passed_on
from autoscaler.ports import Answer, ModelError
from autoscaler.spec.text import printable, readable, readable_json
from tests.desk import NAME, dispatch, dispatch_batch, memory_desk, message
from tests.memory import NOON
from tests.samples import awake, put

HALF = "\ud83d"
WHOLE = {"choices": [{"message": {"content": "because"}, "finish_reason": "stop"}]}


def stream(*events: Any) -> list[bytes]:
    return [f"data: {json.dumps(event)}\n\n".encode() for event in events]


def said(index: Any, **call: Any) -> dict[str, Any]:
    delta = {"tool_calls": [{"index": index, "function": call}]}
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": "tool_calls"}]}


# --- the answer


def test_a_tool_calls_number_takes_no_room() -> None:
    tracemalloc.start()
    answer = assemble(stream(said(2_000_000, name="f", arguments="{}"), said(10**9, name="g")))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    calls = answer.body["choices"][0]["message"]["tool_calls"]
    assert [call["function"]["name"] for call in calls] == ["f", "g"]
    assert peak < 1_000_000


@pytest.mark.parametrize(
    "odd", [None, "x", 1.5, -5, True, float("inf"), float("nan"), 10**60, [], {}]
)
def test_tokens_that_are_no_number_of_tokens_are_none_and_the_answer_stays(odd: Any) -> None:
    usage = {"prompt_tokens": odd, "completion_tokens": 3}
    answer = assemble(stream({**WHOLE, "usage": usage}))
    assert (answer.input_tokens, answer.output_tokens) == (0, 3)
    own = passed_on([json.dumps({"details": {"generated_tokens": odd}}).encode()])
    assert own.output_tokens == 0


@pytest.mark.parametrize("usage", ["many", 3, [7, 3]])
def test_a_usage_that_is_none_counts_nothing(usage: Any) -> None:
    assert assemble(stream({**WHOLE, "usage": usage})).output_tokens == 0


def test_what_no_reader_takes_for_json_is_no_number() -> None:
    choice = {**WHOLE["choices"][0], "logprobs": {"x": float("nan"), "y": float("-inf")}}
    answer = assemble(stream({"choices": [choice]}))
    assert answer.body["choices"][0]["logprobs"] == {"x": None, "y": None}
    assert passed_on([b'{"score": [1e999, -1e999, 1.5]}']).body == {"score": [None, None, 1.5]}


def test_half_a_character_becomes_a_sign_for_one_and_halves_that_meet_become_theirs() -> None:
    pieces = [f"{HALF}", "\ude00", f" and {HALF}"]
    events = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    body = assemble(stream(*events)).body
    assert body["choices"][0]["message"]["content"] == "😀 and �"
    assert passed_on([b'{"generated_text": "\\ud83d"}']).body == {"generated_text": "�"}


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_model, "LARGEST_ANSWER_BYTES", 1000)

    class Endless:
        given = 0

        def invoke_endpoint_with_response_stream(self, **_: Any) -> dict[str, Any]:
            return {"Body": self._parts()}

        def _parts(self) -> Any:
            while True:
                self.given += 1
                yield {"PayloadPart": {"Bytes": b"data: {}\n\n"}}

    endless = Endless()
    with pytest.raises(IncompleteAnswerError, match="longer than 1,000 bytes"):
        SageMakerModels("stack", endless).ask(NAME, {"prompt": "x"})
    assert endless.given == 101


_FIELDS = [
    "choices",
    "delta",
    "message",
    "text",
    "logprobs",
    "tool_calls",
    "function",
    "index",
    "id",
    "usage",
    "error",
]
_ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.just("x") | st.just(1.5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from([*_FIELDS, "finish_reason"]), inner, max_size=4)
    ),
    max_leaves=12,
)
_CHOICES = st.fixed_dictionaries({"choices": st.lists(_ODD, max_size=3)})
_BROKEN = st.sampled_from(
    [b"data: {]\n\n", b"data: [1]\n", b"data: 7\n", b'{"choices": [7]}', b"{"]
)


@given(st.lists(_ODD | _CHOICES, max_size=4), st.none() | _BROKEN)
@example([], b"data: " + b"[" * 100_000 + b"\n")
@example([], b"data: {\xff}\n")
@settings(max_examples=500)
def test_odd_events_are_an_answer_or_none_but_never_a_failure_of_ours(
    events: list[Any], broken: bytes | None
) -> None:
    try:
        answer = assemble([*stream(*events), *([broken] if broken else [])])
    except IncompleteAnswerError as odd:
        assert str(odd).startswith("the model")
    else:
        json.dumps(answer.body, ensure_ascii=False).encode()


@given(st.text(alphabet=st.characters(codec=None), max_size=20))
def test_readable_text_is_utf8_and_what_was_stays(text: str) -> None:
    found = readable(text)
    assert found.encode().decode() == found
    if not any("\ud800" <= one <= "\udfff" for one in text):
        assert found == text
    assert readable_json({text: [text, 1]}) == {found: [found, 1]}


@pytest.mark.parametrize(
    ("text", "shown"), [("\x1b[31mred", "�[31mred"), ("a\tb\r\n", "a\tb\r\n"), ("\x00￿", "��")]
)
def test_printable_text_has_no_character_that_sqs_refuses(text: str, shown: str) -> None:
    assert printable(text) == shown


# --- the dead-letter queue


class StrictQueue:
    """SQS as its documents have it: 1 MiB with attributes, and characters of XML 1.0."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def get_queue_url(self, QueueName: str) -> dict[str, str]:
        return {"QueueUrl": f"https://sqs/{QueueName}"}

    def send_message(self, **given: Any) -> None:
        attributes = given["MessageAttributes"]
        size = len(given["MessageBody"].encode())
        for name, one in attributes.items():
            size += len(name) + len(one["DataType"]) + len(one["StringValue"].encode())
            if not one["StringValue"]:
                raise ClientError({"Error": {"Code": "InvalidParameterValue"}}, "SendMessage")
        if size > 1_048_576:
            raise ClientError({"Error": {"Code": "InvalidParameterValue"}}, "SendMessage")
        text = "".join([given["MessageBody"], *(one["StringValue"] for one in attributes.values())])
        if printable(text) != text:
            raise ClientError({"Error": {"Code": "InvalidMessageContents"}}, "SendMessage")
        self.sent.append(given)


@pytest.mark.parametrize("short_of", [0, 1, 51, 52, 80, 100, 101, 165, 400, 700, 1000, 1_048_000])
@pytest.mark.parametrize("letter", ["x", "ü", "😀"])
def test_a_body_that_fills_a_message_is_refused_whole(short_of: int, letter: str) -> None:
    queue, wide = StrictQueue(), len(letter.encode())
    body = letter * ((1_048_576 - short_of) // wide)
    QueueRequests("stack", queue).refuse(NAME, "m" * 36, body, f"\x1b[31mno: {letter * 700}")
    (sent,) = queue.sent
    assert sent["MessageBody"] == body, "nothing of it is cut"
    assert len(sent["MessageAttributes"]) >= 2 or short_of < 100, "what fits is said"


def test_a_short_one_has_its_reason_whole() -> None:
    queue = StrictQueue()
    QueueRequests("stack", queue).refuse(NAME, "m-1", "{", "no JSON")
    values = {name: one["StringValue"] for name, one in queue.sent[0]["MessageAttributes"].items()}
    assert values == {"autoscaler_id": "m-1", "message_id": "m-1", "reason": "no JSON"}


# --- what may wait changes its queue, if it can


def as_sent(text: str) -> Request:
    return parse(Message("m", "h", text, NOON), NAME)


def compact(**body: Any) -> str:
    body["autoscaler"] = {"id": "r", "deferrable": True}
    return json.dumps(body, separators=(",", ":"))


@pytest.mark.parametrize("odd", ["\uffff", "\ufffe", "\x0b"])
def test_what_is_no_character_to_sqs_changes_its_queue_escaped(odd: str) -> None:
    queue, text = StrictQueue(), compact(prompt=f"a {odd} b")
    assert text.isascii(), "so it came"
    assert QueueRequests("stack", queue).move(NAME, moved_body(as_sent(text)), NOON)
    assert json.loads(queue.sent[0]["MessageBody"])["prompt"] == f"a {odd} b"


def test_a_short_sender_is_repeated_as_short() -> None:
    text = compact(messages=[{"role": "user", "content": str(number)} for number in range(19_000)])
    assert len(moved_body(as_sent(text))) < len(text) + 100


@pytest.mark.parametrize("length", [1_048_400, 1_048_560])
def test_what_does_not_fit_with_what_is_made_fast_stays_and_is_worked_on(length: int) -> None:
    """It would come back as trouble for a day, and its endpoint stay awake for it."""
    text = compact(prompt="")
    text = compact(prompt="x" * (length - len(text)))
    queue = StrictQueue()
    moved = QueueRequests("stack", queue).move(NAME, moved_body(as_sent(text)), NOON)
    assert moved is bool(queue.sent) is (length == 1_048_400)


def test_what_the_other_queue_does_not_take_is_answered_at_once() -> None:
    desk = memory_desk()
    desk.requests.later = False  # as `move` says it, of no queue and of one that does not take it
    put(desk.world, awake(NAME))
    dispatch(desk, NAME, [Message("m", "h", compact(prompt="x"), NOON)])
    assert list(desk.results.stored) == [f"{NAME}/r"]


# --- nothing comes back for ever


def test_an_answer_that_cannot_be_stored_is_a_failed_try_and_given_up_in_the_end() -> None:
    desk = memory_desk()
    put(desk.world, awake(NAME))
    real = desk.results.put

    def odd(endpoint: str, request_id: str, result: Any) -> str:
        if "answer" in result:
            raise UnicodeEncodeError("utf-8", HALF, 0, 1, "surrogates not allowed")
        return real(endpoint, request_id, result)

    desk.results.put = odd  # type: ignore[method-assign]
    for _ in range(TRIES):
        assert desk.results.stored == {}
        dispatch(desk, NAME, [message()])
    assert len(desk.models.asked) == TRIES
    (result,) = desk.results.stored.values()
    assert result["code"] == "gave_up" and "UnicodeEncodeError" in result["error"]
    assert len(desk.requests.refused) == 1


def test_s3_in_trouble_counts_against_no_request() -> None:
    desk = memory_desk()
    put(desk.world, awake(NAME))
    desk.results.broken_for.add("r-1")
    for _ in range(TRIES + 2):
        assert dispatch_batch(desk, NAME, [message()]).stay == ["m-1"]
    desk.results.broken_for.clear()
    dispatch(desk, NAME, [message()])
    assert "answer" in desk.results.stored[f"{NAME}/r-1"]


@pytest.mark.parametrize("body", [None, "{"], ids=["a request", "no JSON"])
def test_what_is_in_trouble_for_thirteen_days_is_refused_before_its_queue_drops_it(
    body: str | None,
) -> None:
    desk = memory_desk()
    put(desk.world, awake(NAME))
    old = LONGEST_WAIT.total_seconds() + 60
    given_id = "m-1" if body else "r-1"
    refuse, broken = desk.requests.refuse, [ConnectionError("SQS does not answer")]

    def hard(*given: Any) -> None:
        if broken:
            raise broken.pop()
        refuse(*given)

    desk.requests.refuse = hard  # type: ignore[method-assign]
    desk.models.answers = [ModelError("no")]  # type: ignore[list-item]
    desk.models.ask = _raises(ModelError("no"))  # type: ignore[method-assign]
    done = dispatch_batch(desk, NAME, [message(body=body, waited=old)])
    assert done.stay == [] and not broken, "the trouble was met"
    assert "error" in desk.results.stored[f"{NAME}/{given_id}"]
    assert len(desk.requests.refused) == 1


def _raises(error: Exception) -> Any:
    def ask(*_: Any, **__: Any) -> Answer:
        raise error

    return ask


def test_younger_trouble_comes_back() -> None:
    desk = memory_desk()
    put(desk.world, awake(NAME))
    desk.results.broken_for.add("r-1")
    young = (LONGEST_WAIT - timedelta(minutes=1)).total_seconds()
    assert dispatch_batch(desk, NAME, [message(waited=young)]).stay == ["m-1"]
    assert desk.requests.refused == []


class Bucket:
    """S3 that takes what is written."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def put_object(self, **given: Any) -> None:
        self.bodies.append(given["Body"])


def test_a_refusal_in_the_containers_own_words_can_be_stored_and_announced() -> None:
    desk, bucket = memory_desk(), Bucket()
    put(desk.world, awake(NAME))
    desk.models.ask = _raises(ModelError(f"\x1b[31m{HALF} is no token"))  # type: ignore[method-assign]
    dispatch(desk, NAME, [message()])
    (result,) = desk.results.stored.values()
    assert result["code"] == "refused_by_model"
    S3Results("results", bucket).put_once(NAME, "r-1", result)
    assert "� is no token" in bucket.bodies[0].decode()
    (event,) = desk.world.announcer.events
    assert event.model_dump_json().encode()
