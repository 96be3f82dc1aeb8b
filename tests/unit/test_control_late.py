"""A request of an async endpoint: handed over once, answered once, however late."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autoscaler.control.late import ASKED, ASKING, WHEN_ASKED
from autoscaler.control.messages import parse
from autoscaler.control.patience import TRIES, WHEN_BUSY, WHEN_TROUBLED
from autoscaler.endpoints.completions import IncompleteAnswerError
from autoscaler.endpoints.status import EndpointStatus
from autoscaler.policy.types import Phase
from autoscaler.ports import (
    Answer,
    BusyError,
    ExpiredError,
    Flow,
    ModelError,
    NotAllowedError,
    UnsureError,
)
from tests.desk import NAME, TestDesk, dispatch, memory_desk, message
from tests.desk import dispatch_batch as batch
from tests.samples import asleep, awake, put, spec

ANSWER = Answer({"choices": [{"message": {"content": "because"}}]}, 7, 3)
KEY = f"{NAME}/r-1"
LATE = f"{NAME}/{parse(message(), NAME).late_id}"


@pytest.fixture
def desk() -> TestDesk:
    return memory_desk()


def there(desk: TestDesk, status: EndpointStatus | None = None) -> None:
    put(desk.world, status or awake(NAME), spec(NAME, kind="async"))


def test_a_request_is_handed_over_and_its_message_stays_until_its_answer_is_stored(desk) -> None:
    there(desk)
    assert dispatch(desk, NAME, [message()]) == ["m-1"]
    assert (desk.late.asked, desk.requests.postponed) == ([LATE], [WHEN_ASKED])
    assert (desk.results.stored, desk.models.asked) == ({}, [])
    desk.late.come[LATE] = ANSWER
    assert dispatch(desk, NAME, [message()]) == []
    assert desk.results.stored[KEY]["answer"] == ANSWER.body
    assert desk.world.announcer.kinds() == ["RequestAnswered"]
    (traffic,) = desk.world.store.counters.values()
    assert (traffic.requests, traffic.input_tokens, traffic.output_tokens) == (1, 7, 3)
    assert desk.late.forgotten == [LATE], "nothing is left in the exchange"


def again(desk: TestDesk, number: int) -> list[str]:
    """The same message, received once more: with another receipt."""
    return dispatch(desk, NAME, [received(number)])


def received(number: int) -> object:
    one = message()
    return type(one)(one.message_id, f"receipt-{number}", one.body, one.sent_at)


def test_however_often_it_is_received_it_is_handed_over_once(desk) -> None:
    there(desk)
    for number in range(50):
        assert again(desk, number) == ["m-1"]
        desk.world.clock.forward(minutes=5)
    assert desk.late.asked == [LATE]
    assert max(desk.requests.postponed) <= timedelta(minutes=30)


def test_when_sagemaker_could_not_answer_any_more_it_is_handed_over_anew(desk) -> None:
    there(desk)
    again(desk, 1)
    desk.world.clock.moment += ASKED - timedelta(seconds=1)
    again(desk, 2)
    assert desk.late.asked == [LATE]
    desk.world.clock.forward(seconds=1)
    again(desk, 3)
    assert desk.late.asked == [LATE, LATE]


def test_a_dispatcher_that_dies_before_it_asked_is_followed_by_another(desk) -> None:
    there(desk)
    record = desk.world.store.records[NAME]
    life = int(record.status.created_at.timestamp())
    desk.asked.first_time(f"async#{NAME}#{life}#{LATE.rpartition('/')[2]}", ASKING, "receipt-dead")
    again(desk, 1)
    assert desk.late.asked == []
    desk.world.clock.moment += ASKING
    again(desk, 2)
    assert desk.late.asked == [LATE]


@pytest.mark.parametrize(
    ("error", "anew", "wait"),
    [
        (BusyError("throttled"), True, WHEN_BUSY),
        (RuntimeError("no such bucket"), True, timedelta(seconds=10)),
    ],
)
def test_what_sagemaker_did_not_take_is_handed_over_with_the_next_look(
    desk, error, anew, wait
) -> None:
    there(desk)
    desk.late.errors = [error]
    assert again(desk, 1) == ["m-1"]
    assert desk.requests.postponed == [wait]
    again(desk, 2)
    assert (desk.late.asked == [LATE, LATE]) is anew


def test_a_right_that_is_missing_is_loud_and_counts_for_nothing(desk) -> None:
    there(desk)
    desk.late.errors = [NotAllowedError("may not")]
    done = batch(desk, NAME, [received(1)])
    assert (done.stay, done.all_troubled) == (["m-1"], True)
    assert desk.world.store.failures == {}
    assert desk.requests.postponed == [WHEN_TROUBLED]
    again(desk, 2)
    assert desk.late.asked == [LATE, LATE]


def test_what_sagemaker_may_have_taken_is_not_handed_over_again(desk) -> None:
    there(desk)
    desk.late.errors = [UnsureError("the connection broke")]
    done = batch(desk, NAME, [received(1)])
    assert (done.stay, [str(one) for one in done.troubles]) == (["m-1"], ["the connection broke"])
    desk.world.clock.moment += ASKING
    again(desk, 2)
    assert desk.late.asked == [LATE]
    desk.late.come[LATE] = ANSWER
    assert again(desk, 3) == []
    assert "answer" in desk.results.stored[KEY]


def test_two_messages_of_one_id_are_one_request_and_both_are_let_go(desk) -> None:
    there(desk)
    first, second = message(), message(2, message().body)
    assert sorted(dispatch(desk, NAME, [first, second])) == ["m-1", "m-2"]
    assert desk.late.asked == [LATE]
    desk.late.come[LATE] = ANSWER
    assert dispatch(desk, NAME, [first]) == []
    assert dispatch(desk, NAME, [second]) == []
    assert desk.late.asked == [LATE]


def test_what_the_model_refused_is_refused_with_its_reason_and_may_be_sent_anew(desk) -> None:
    there(desk)
    again(desk, 1)
    desk.late.come[LATE] = ModelError("context too long")
    assert again(desk, 2) == []
    assert desk.requests.refused == ["context too long"]
    assert desk.results.stored[KEY]["error"] == "context too long"
    again(desk, 3)
    assert desk.late.asked == [LATE, LATE]


@pytest.mark.parametrize("error", [ExpiredError("expired"), IncompleteAnswerError("half of it")])
def test_what_was_lost_on_the_way_is_counted_and_handed_over_anew(desk, error) -> None:
    there(desk)
    for number in range(TRIES - 1):
        again(desk, 2 * number)
        desk.late.come[LATE] = error
        assert again(desk, 2 * number + 1) == ["m-1"]
    assert desk.late.asked == [LATE] * (TRIES - 1)
    again(desk, 98)
    desk.late.come[LATE] = error
    assert again(desk, 99) == []
    assert f"gave up after {TRIES} tries" in desk.requests.refused[0]


@pytest.mark.parametrize("phase", [Phase.ASLEEP, Phase.SLEEPING, Phase.RETIRING])
def test_an_answer_that_comes_late_is_taken_whatever_the_endpoint_does_and_wakes_nothing(
    desk, phase
) -> None:
    there(desk, asleep(NAME, phase=phase))
    desk.late.come[LATE] = ANSWER
    assert dispatch(desk, NAME, [message()]) == []
    assert "answer" in desk.results.stored[KEY]
    assert desk.world.flows.started == []


def test_asleep_it_is_woken_before_anything_is_handed_over(desk) -> None:
    there(desk, asleep(NAME))
    assert dispatch(desk, NAME, [message()]) == ["m-1"]
    assert (desk.late.asked, desk.world.flows.started) == ([], [(Flow.WAKE, NAME, 2)])


def test_another_life_of_the_endpoint_is_asked_anew(desk) -> None:
    """The queue of one that was deleted went with it."""
    there(desk)
    again(desk, 1)
    record = desk.world.store.records[NAME]
    reborn = record.status.model_copy(update={"created_at": desk.world.clock.now()})
    desk.world.store.records[NAME] = record.having(reborn)
    again(desk, 2)
    assert desk.late.asked == [LATE, LATE]


def test_requests_that_wait_in_sagemakers_queue_call_no_tick(desk) -> None:
    there(desk, awake(NAME, observed_at=None))
    dispatch(desk, NAME, [message(waited=300)])
    assert desk.world.announcer.kinds() == []
