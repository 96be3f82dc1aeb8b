"""From a message to a stored answer: never lost, never twice, never silently late."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from autoscaler.control.desk import Desk, Dispatched
from autoscaler.control.dispatch import dispatch as dispatch_batch
from autoscaler.control.messages import BadRequestError, Message, endpoint_of, parse
from autoscaler.control.patience import TRIES
from autoscaler.policy.types import Phase
from autoscaler.ports import Answer, BusyError, Flow, ModelError, NoCapacityError
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
    broken_for: set[str] = field(default_factory=set)

    def find(self, endpoint: str, request_id: str) -> str | None:
        found = self.stored.get(f"{endpoint}/{request_id}")
        return f"s3://results/{endpoint}/{request_id}" if found and "answer" in found else None

    def put(self, endpoint: str, request_id: str, result: Mapping[str, Any]) -> str:
        if request_id in self.broken_for:
            raise ConnectionError("S3 does not answer, as the test ordered")
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


@dataclass
class MemoryAsked:
    """Marks that expire by the world's clock."""

    world: MemoryWorld
    marks: dict[str, tuple[datetime, str]] = field(default_factory=dict)

    def first_time(self, key: str, ttl: timedelta, holder: str) -> bool:
        now = self.world.clock.now()
        until, by = self.marks.get(key, (now, holder))
        if until > now and by != holder:
            return False
        self.marks[key] = (now + ttl, holder)
        return True

    def forget(self, key: str) -> None:
        self.marks.pop(key, None)


class TestDesk(Desk):
    __test__ = False
    world: MemoryWorld
    models: ScriptedModel
    results: MemoryResults
    requests: MemoryRequests


@pytest.fixture
def desk() -> TestDesk:
    world = memory_world()
    return TestDesk(world, ScriptedModel(), MemoryResults(), MemoryRequests(), MemoryAsked(world))


def message(number: int = 1, body: Any = None, waited: float = 4) -> Message:
    if body is None:
        body = {"id": f"r-{number}", "messages": [{"role": "user", "content": "why?"}]}
    text = body if isinstance(body, str) else json.dumps(body)
    return Message(f"m-{number}", f"h-{number}", text, NOON - timedelta(seconds=waited))


def dispatch(desk: TestDesk, name: str, messages: list[Message]) -> list[str]:
    """The ids of the messages that stay; nothing may have gone wrong besides."""
    done = dispatch_batch(desk, name, messages)
    assert done.troubles == []
    return done.stay


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
    assert desk.world.announcer.kinds() == ["RequestAnswered"] * 2, "whoever waits hears of it"


def test_a_request_that_was_refused_may_be_sent_again(desk) -> None:
    put(desk.world, awake(NAME))
    desk.models.errors = [ModelError("context too long")]
    dispatch(desk, NAME, [message()])
    assert dispatch(desk, NAME, [message()]) == []
    assert "answer" in desk.results.stored[f"{NAME}/r-1"]


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
    assert [delay.total_seconds() for delay in desk.requests.postponed] == [
        300,
        200,
        50,
        pytest.approx(854 / 24),
    ]


def test_a_message_during_a_sleep_turns_it_round(desk) -> None:
    put(desk.world, asleep(NAME, phase=Phase.SLEEPING))
    dispatch(desk, NAME, [message()])
    assert desk.world.store.records[NAME].status.phase is Phase.WAKING


@pytest.mark.parametrize("spent", ["backing off", "wakes of the day"])
def test_a_message_does_not_wake_what_may_not_be_woken_now(desk, spent) -> None:
    now = desk.world.clock.now()
    changes = {
        "backing off": {"retry_at": now + timedelta(minutes=3)},
        "wakes of the day": {"wakes_on": now.date(), "wakes_today": 96},
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
        ({"endpoint": "nope", "prompt": "x"}, "names endpoint 'nope', and this is the queue of"),
        ({"endpoint": 7, "prompt": "x"}, "names endpoint 7"),
    ],
)
def test_a_message_that_no_model_could_answer_is_refused_with_its_reason(desk, body, words) -> None:
    put(desk.world, awake(NAME))
    assert dispatch(desk, NAME, [message(1, body), message(2)]) == []
    assert words in desk.requests.refused[0]
    assert f"{NAME}/r-2" in desk.results.stored, "its neighbour is answered"
    assert "RequestRefused" in desk.world.announcer.kinds()


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ("not json", "m-1"),
        ({"id": "../other", "prompt": "x"}, "m-1"),
        ({"prompt": 7}, "m-1"),
        ({"id": "mine", "prompt": 7}, "mine"),
    ],
)
def test_whoever_sent_what_is_refused_finds_the_reason_where_it_looks(desk, body, key) -> None:
    put(desk.world, awake(NAME))
    dispatch(desk, NAME, [message(1, body)])
    assert desk.results.stored[f"{NAME}/{key}"] == {"id": key, "error": desk.requests.refused[0]}


def test_a_refusal_never_replaces_an_answer(desk) -> None:
    put(desk.world, awake(NAME))
    dispatch(desk, NAME, [message(1)])
    dispatch(desk, NAME, [message(2, {"id": "r-1", "prompt": 7})])
    assert "answer" in desk.results.stored[f"{NAME}/r-1"]
    assert "error" in desk.results.stored[f"{NAME}/m-2"]


def test_a_body_may_name_the_endpoint_whose_queue_it_is(desk) -> None:
    put(desk.world, awake(NAME))
    dispatch(desk, NAME, [message(1, {"endpoint": NAME, "prompt": "x"})])
    assert desk.models.asked == [{"prompt": "x"}]


BAD = {"id": "bad", "prompt": 7}


def test_what_no_model_could_answer_wakes_nothing(desk) -> None:
    put(desk.world, asleep(NAME))
    assert dispatch(desk, NAME, [message(1, "not json"), message(2, BAD)]) == []
    assert desk.world.flows.started == []
    assert desk.world.store.records[NAME].status.phase is Phase.ASLEEP


def test_what_is_answered_already_wakes_nothing(desk) -> None:
    put(desk.world, awake(NAME))
    dispatch(desk, NAME, [message()])
    desk.world.store.records.clear()
    put(desk.world, asleep(NAME))
    assert dispatch(desk, NAME, [message()]) == []
    assert desk.world.flows.started == []
    assert desk.world.announcer.kinds() == ["RequestAnswered"] * 2


def test_one_valid_message_among_bad_ones_wakes_it(desk) -> None:
    put(desk.world, asleep(NAME))
    assert dispatch(desk, NAME, [message(1, BAD), message(2)]) == ["m-2"]
    assert desk.world.flows.started == [(Flow.WAKE, NAME, 2)]


def test_a_wake_that_could_not_be_started_is_told_and_the_messages_stay(desk) -> None:
    put(desk.world, asleep(NAME))
    desk.world.flows.broken = True
    done = dispatch_batch(desk, NAME, [message(1)])
    assert [str(one) for one in done.troubles] == ["the starter died, as the test ordered"]
    assert (done.stay, done.all_troubled) == (["m-1"], True)
    assert desk.models.asked == []


def waits(desk: TestDesk) -> int:
    return desk.world.announcer.kinds().count("RequestWaited")


LOOKED = {"observed_at": NOON - timedelta(seconds=20)}


def test_a_request_that_waits_though_it_is_awake_asks_for_a_look_once(desk) -> None:
    put(desk.world, awake(NAME, **LOOKED))
    for number in range(3):
        dispatch(desk, NAME, [message(number, waited=11)])
    assert waits(desk) == 1
    assert desk.world.announcer.events[0].waited_seconds == 11
    desk.world.clock.forward(seconds=14)
    dispatch(desk, NAME, [message(4)])
    assert waits(desk) == 1
    desk.world.clock.forward(seconds=1)
    dispatch(desk, NAME, [message(5)])
    assert waits(desk) == 2, "the next look may be asked for after 15 s"


@pytest.mark.parametrize(
    ("status", "waited"),
    [
        (awake(NAME, **LOOKED), 10),
        (awake(NAME, observed_at=NOON - timedelta(seconds=14)), 60),
        (asleep(NAME, **LOOKED), 60),
        (asleep(NAME, phase=Phase.WAKING, **LOOKED), 60),
    ],
    ids=["fresh message", "looked at lately", "asleep", "waking"],
)
def test_no_look_is_asked_for_where_none_helps(desk, status, waited) -> None:
    put(desk.world, status)
    dispatch(desk, NAME, [message(waited=waited)])
    assert waits(desk) == 0


def test_a_look_that_cannot_be_asked_for_keeps_no_request_from_its_answer(desk) -> None:
    put(desk.world, awake(NAME, **LOOKED))
    desk.world.announcer.broken = True
    done = dispatch_batch(desk, NAME, [message(waited=11)])
    assert str(done.troubles[0]) == "the bus does not answer, as the test ordered"
    assert f"{NAME}/r-1" in desk.results.stored


def test_what_the_model_refuses_goes_to_the_dead_letters_at_once(desk) -> None:
    put(desk.world, awake(NAME))
    desk.models.errors = [ModelError("context too long")]
    assert dispatch(desk, NAME, [message()]) == []
    assert desk.requests.refused == ["context too long"]
    assert desk.results.stored[f"{NAME}/r-1"]["error"] == "context too long"


def test_a_failing_model_is_asked_again_with_backoff_and_given_up_after_a_quarter_hour(
    desk,
) -> None:
    put(desk.world, awake(NAME))
    desk.models.errors = [TimeoutError("slow")] * TRIES
    for _ in range(TRIES - 1):
        assert dispatch(desk, NAME, [message()]) == ["m-1"]
    waits = [d.total_seconds() for d in desk.requests.postponed]
    assert waits == [10, 20, 40, 80, 160, 300, 300]
    assert dispatch(desk, NAME, [message()]) == []
    assert "gave up after 8 tries: TimeoutError: slow" in desk.requests.refused[0]
    assert "gave up" in desk.results.stored[f"{NAME}/r-1"]["error"]


@pytest.mark.parametrize("why", [NoCapacityError("none"), BusyError("429")])
def test_no_copy_or_a_busy_one_is_no_failure(desk, why) -> None:
    put(desk.world, awake(NAME))
    desk.models.errors = [why]
    assert dispatch(desk, NAME, [message()]) == ["m-1"]
    assert desk.world.store.failures == {}


def test_trouble_with_one_message_leaves_its_neighbours_alone(desk) -> None:
    put(desk.world, awake(NAME))
    desk.results.broken_for = {"r-2"}
    done = dispatch_batch(desk, NAME, [message(n) for n in (1, 2, 3)])
    assert done.stay == ["m-2"]
    assert [str(trouble) for trouble in done.troubles] == [
        "S3 does not answer, as the test ordered"
    ]
    assert not done.all_troubled
    assert {"llama/r-1", "llama/r-3"} <= desk.results.stored.keys()
    assert desk.requests.postponed == [timedelta(seconds=30)]


def test_an_answer_that_could_not_be_announced_is_announced_when_it_comes_back(desk) -> None:
    put(desk.world, awake(NAME))
    desk.world.announcer.broken = True
    done = dispatch_batch(desk, NAME, [message()])
    assert (done.stay, done.all_troubled) == (["m-1"], True)
    desk.world.announcer.broken = False
    assert dispatch(desk, NAME, [message()]) == []
    assert desk.world.announcer.kinds() == ["RequestAnswered"]
    assert len(desk.models.asked) == 1


def test_a_message_that_waited_too_long_is_refused_before_its_queue_forgets_it(desk) -> None:
    put(desk.world, asleep(NAME, phase=Phase.FAILED))
    desk.world.clock.forward(days=13)
    assert dispatch(desk, NAME, [message()]) == []
    assert "waited 13 days" in desk.requests.refused[0]
    assert "error" in desk.results.stored[f"{NAME}/r-1"]


def test_an_empty_batch_is_no_trouble(desk) -> None:
    put(desk.world, awake(NAME))
    assert dispatch_batch(desk, NAME, []) == Dispatched()


def test_a_message_for_an_endpoint_that_is_gone_is_refused_not_lost(desk) -> None:
    assert dispatch(desk, NAME, [message()]) == []
    assert "there is no endpoint 'llama' any more" in desk.requests.refused[0]
    assert "any more" in desk.results.stored[f"{NAME}/r-1"]["error"]


def test_while_it_is_retired_every_message_is_answered_with_a_stored_refusal(desk) -> None:
    put(desk.world, asleep(NAME, phase=Phase.RETIRING))
    assert dispatch(desk, NAME, [message(1), message(2)]) == []
    for number in (1, 2):
        assert desk.results.stored[f"{NAME}/r-{number}"]["error"] == "'llama' is being removed"
    assert desk.world.announcer.kinds() == ["RequestRefused"] * 2
    assert desk.world.flows.started == []


def test_a_message_without_id_is_named_by_its_message_id() -> None:
    request_id, body = parse(message(3, {"prompt": "x"}), NAME)
    assert (request_id, body) == ("m-3", {"prompt": "x"})


def test_an_endpoint_is_known_by_its_queue() -> None:
    assert endpoint_of("arn:aws:sqs:eu-west-1:1:stack-llama-8b", "stack") == "llama-8b"
    with pytest.raises(ValueError, match="not one of stack"):
        endpoint_of("arn:aws:sqs:eu-west-1:1:other-llama", "stack")


def test_a_deeply_nested_message_is_refused() -> None:
    with pytest.raises(BadRequestError):
        parse(message(1, "[" * 100_000), NAME)
