"""What needs no model: it wakes nothing, and its sender is told why. What waits is looked at."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autoscaler.control.dispatch import dispatch as dispatch_batch
from autoscaler.control.messages import BadRequestError, parse
from autoscaler.policy.types import Phase
from autoscaler.ports import Flow
from tests.desk import NAME, TestDesk, dispatch, memory_desk, message
from tests.memory import NOON
from tests.samples import asleep, awake, put


@pytest.fixture
def desk() -> TestDesk:
    return memory_desk()


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
    (why,) = desk.requests.refused
    told = {"id": key, "error": why, "code": "bad_request"}
    assert desk.results.stored[f"{NAME}/{key}"] == told


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


def test_while_it_is_retired_every_message_is_answered_with_a_stored_refusal(desk) -> None:
    put(desk.world, asleep(NAME, phase=Phase.RETIRING))
    assert dispatch(desk, NAME, [message(1), message(2)]) == []
    for number in (1, 2):
        assert desk.results.stored[f"{NAME}/r-{number}"]["error"] == "'llama' is being removed"
    assert desk.world.announcer.kinds() == ["RequestRefused"] * 2
    assert desk.world.flows.started == []


def test_a_deeply_nested_message_is_refused() -> None:
    with pytest.raises(BadRequestError):
        parse(message(1, "[" * 100_000), NAME)
