"""From a message to a stored answer: never lost, never twice, never silently late."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from autoscaler.control.dispatch import (
    TRIES,
    BadRequestError,
    Desk,
    Message,
    dispatch,
    endpoint_of,
    parse,
)
from autoscaler.policy.types import Phase
from autoscaler.ports import Answer, Flow, ModelError, NoCapacityError
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, awake, put, spec

NAME = "llama"


@dataclass
class ScriptedModel:
    """Answers, or raises what the test put into `errors`."""

    errors: list[Exception] = field(default_factory=list)
    asked: list[Mapping[str, Any]] = field(default_factory=list)

    def ask(self, name: str, body: Mapping[str, Any]) -> Answer:
        self.asked.append(body)
        if self.errors:
            raise self.errors.pop(0)
        return Answer({"choices": [{"message": {"content": "because"}}]}, 7, 3)


@dataclass
class MemoryResults:
    stored: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def exists(self, endpoint: str, request_id: str) -> bool:
        return f"{endpoint}/{request_id}" in self.stored

    def put(self, endpoint: str, request_id: str, result: Mapping[str, Any]) -> str:
        self.stored[f"{endpoint}/{request_id}"] = result
        return f"s3://results/{endpoint}/{request_id}"


@dataclass
class MemoryRequests:
    postponed: list[timedelta] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def postpone(self, name: str, receipt_handle: str, delay: timedelta) -> None:
        self.postponed.append(delay)

    def refuse(self, name: str, message_id: str, body: str, reason: str) -> None:
        self.refused.append(reason)


class TestDesk(Desk):
    __test__ = False
    world: MemoryWorld
    models: ScriptedModel
    results: MemoryResults
    requests: MemoryRequests


@pytest.fixture
def desk() -> TestDesk:
    return TestDesk(memory_world(), ScriptedModel(), MemoryResults(), MemoryRequests())


def message(number: int = 1, body: Any = None) -> Message:
    if body is None:
        body = {"id": f"r-{number}", "messages": [{"role": "user", "content": "why?"}]}
    text = body if isinstance(body, str) else json.dumps(body)
    return Message(f"m-{number}", f"h-{number}", text, NOON - timedelta(seconds=4))


def test_awake_the_answer_is_stored_announced_counted_and_the_message_let_go(desk) -> None:
    put(desk.world, awake(NAME))
    assert dispatch(desk, NAME, [message()]) == []
    assert desk.results.stored[f"{NAME}/r-1"]["answer"]["choices"]
    assert desk.world.announcer.kinds() == ["RequestAnswered"]
    (traffic,) = desk.world.store.counters.values()
    assert (traffic.requests, traffic.input_tokens, traffic.output_tokens) == (1, 7, 3)
    assert traffic.waited_seconds == pytest.approx(4)


def test_the_id_names_the_result_and_is_not_sent_to_the_model(desk) -> None:
    put(desk.world, awake(NAME))
    dispatch(desk, NAME, [message()])
    assert "id" not in desk.models.asked[0]


def test_a_repeated_id_is_answered_from_the_stored_result(desk) -> None:
    put(desk.world, awake(NAME))
    dispatch(desk, NAME, [message()])
    assert dispatch(desk, NAME, [message()]) == []
    assert len(desk.models.asked) == 1


def test_asleep_a_batch_starts_one_wake_and_every_message_stays(desk) -> None:
    put(desk.world, asleep(NAME))
    stay = dispatch(desk, NAME, [message(n) for n in range(10)])
    assert len(stay) == 10
    assert desk.world.flows.started == [(Flow.WAKE, NAME, 2)]
    assert desk.models.asked == []
    assert desk.world.store.failures == {}, "waiting for a wake is no failure"


def test_the_visibility_timeout_shrinks_as_the_wake_comes_nearer(desk) -> None:
    put(desk.world, asleep(NAME))
    for forward in (0, 100, 150, 600):
        desk.world.clock.forward(seconds=forward)
        dispatch(desk, NAME, [message()])
    assert [delay.total_seconds() for delay in desk.requests.postponed] == [300, 200, 50, 2]


def test_a_message_during_a_sleep_turns_it_round(desk) -> None:
    put(desk.world, asleep(NAME, phase=Phase.SLEEPING))
    dispatch(desk, NAME, [message()])
    assert desk.world.store.records[NAME].status.phase is Phase.WAKING


@pytest.mark.parametrize("spent", ["backing off", "wakes of the day"])
def test_a_message_does_not_wake_what_may_not_be_woken_now(desk, spent) -> None:
    now = desk.world.clock.now()
    changes = {
        "backing off": {"retry_at": now + timedelta(minutes=3)},
        "wakes of the day": {"wakes_on": now.date(), "wakes_today": 48},
    }[spent]
    put(desk.world, asleep(NAME, **changes), spec(NAME))
    assert dispatch(desk, NAME, [message()]) == ["m-1"]
    assert desk.world.flows.started == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("not json", "is not JSON"),
        ('"text"', "must be a JSON object"),
        ({"input": "x"}, "neither `messages` (chat) nor `prompt`"),
        ({"id": "../other", "prompt": "x"}, "cannot name a result"),
        ({"id": 7, "prompt": "x"}, "cannot name a result"),
    ],
)
def test_a_message_that_no_model_could_answer_is_refused_with_its_reason(desk, body, words) -> None:
    put(desk.world, awake(NAME))
    assert dispatch(desk, NAME, [message(1, body), message(2)]) == []
    assert words in desk.requests.refused[0]
    assert f"{NAME}/r-2" in desk.results.stored, "its neighbour is answered"
    assert "RequestRefused" in desk.world.announcer.kinds()


def test_what_the_model_refuses_goes_to_the_dead_letters_at_once(desk) -> None:
    put(desk.world, awake(NAME))
    desk.models.errors = [ModelError("context too long")]
    assert dispatch(desk, NAME, [message()]) == []
    assert desk.requests.refused == ["context too long"]
    assert desk.results.stored[f"{NAME}/r-1"]["error"] == "context too long"


def test_a_transient_error_is_tried_again_with_backoff_and_given_up_after_five(desk) -> None:
    put(desk.world, awake(NAME))
    desk.models.errors = [TimeoutError("slow")] * TRIES
    for _ in range(TRIES - 1):
        assert dispatch(desk, NAME, [message()]) == ["m-1"]
    assert [d.total_seconds() for d in desk.requests.postponed] == [5, 10, 20, 40]
    assert dispatch(desk, NAME, [message()]) == []
    assert "gave up after 5 tries" in desk.requests.refused[0]


def test_no_copy_to_answer_is_no_failure(desk) -> None:
    put(desk.world, awake(NAME))
    desk.models.errors = [NoCapacityError("none")]
    assert dispatch(desk, NAME, [message()]) == ["m-1"]
    assert desk.world.store.failures == {}


def test_a_message_for_an_endpoint_that_is_gone_is_refused_not_lost(desk) -> None:
    assert dispatch(desk, NAME, [message()]) == []
    assert "there is no endpoint 'llama' any more" in desk.requests.refused[0]


def test_a_message_without_id_is_named_by_its_message_id() -> None:
    request_id, body = parse(message(3, {"prompt": "x"}))
    assert (request_id, body) == ("m-3", {"prompt": "x"})


def test_an_endpoint_is_known_by_its_queue() -> None:
    assert endpoint_of("arn:aws:sqs:eu-west-1:1:stack-llama-8b", "stack") == "llama-8b"
    with pytest.raises(ValueError, match="not one of stack"):
        endpoint_of("arn:aws:sqs:eu-west-1:1:other-llama", "stack")


def test_a_deeply_nested_message_is_refused() -> None:
    with pytest.raises(BadRequestError):
        parse(message(1, "[" * 100_000))
