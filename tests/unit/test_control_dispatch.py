"""From a message to a stored answer: never lost, never twice, never silently late."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.control.desk import Dispatched
from autoscaler.control.dispatch import dispatch as dispatch_batch
from autoscaler.control.messages import endpoint_of, parse
from autoscaler.control.patience import TRIES
from autoscaler.policy.types import Phase
from autoscaler.ports import BusyError, Flow, ModelError, NoCapacityError, NotAllowedError
from tests.desk import NAME, ScriptedModel, TestDesk, dispatch, memory_desk, message
from tests.samples import asleep, awake, put, spec


@pytest.fixture
def desk() -> TestDesk:
    return memory_desk()


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


def test_who_finds_both_its_ids_taken_is_refused_and_let_go(desk) -> None:
    """The id that it names has an answer to something else, and so has its message's own."""
    put(desk.world, awake(NAME))
    other = {"messages": [{"role": "user", "content": "something else"}]}
    for taken in ("r-1", "m-1"):
        assert dispatch(desk, NAME, [message(2, {"id": taken, **other})]) == []
    before = dict(desk.results.stored)
    assert dispatch(desk, NAME, [message(1)]) == []
    assert desk.results.stored == before, "nobody's answer is written over"
    (reason,) = desk.requests.refused
    assert "m-1" in reason
    assert desk.world.announcer.kinds() == ["RequestAnswered"] * 2 + ["RequestRefused"]
    assert len(desk.models.asked) == 2


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


def test_a_write_in_between_that_woke_nothing_puts_no_wake_off(desk) -> None:
    put(desk.world, asleep(NAME))
    desk.world.store.conflicts_to_come = 1  # a tick that stores what it saw
    dispatch(desk, NAME, [message()])
    assert desk.world.store.conflicts_to_come == 0, "the conflict took place"
    assert desk.world.flows.started == [(Flow.WAKE, NAME, 2)]


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


def test_a_right_that_is_missing_is_no_failure_of_a_request_and_is_loud(desk) -> None:
    put(desk.world, awake(NAME))
    for _ in range(20):
        desk.models.errors = [NotAllowedError("the role may not sagemaker:InvokeEndpoint")]
        done = dispatch_batch(desk, NAME, [message()])
        assert (done.stay, done.all_troubled) == (["m-1"], True)
    assert desk.world.store.failures == {}
    assert dispatch(desk, NAME, [message()]) == []
    assert desk.world.announcer.kinds() == ["RequestAnswered"]


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


def test_a_queue_that_takes_nothing_for_one_message_leaves_its_neighbours_alone(
    desk, monkeypatch
) -> None:
    """Neither that it is refused nor when it shall come back: its timeout brings it again."""
    put(desk.world, awake(NAME))

    def out(*_args: object, **_more: object) -> None:
        raise ConnectionError("SQS does not answer")

    poison = message(2, "not json")
    with monkeypatch.context() as patch:
        patch.setattr(desk.requests, "refuse", out)
        patch.setattr(desk.requests, "postpone", out)
        done = dispatch_batch(desk, NAME, [message(1), poison, message(3)])
    assert (done.stay, done.all_troubled) == (["m-2"], False)
    assert [str(one) for one in done.troubles] == ["SQS does not answer"]
    assert {"llama/r-1", "llama/r-3"} <= desk.results.stored.keys()
    assert dispatch(desk, NAME, [poison]) == []
    assert len(desk.requests.refused) == 1
    assert "is not JSON" in desk.results.stored["llama/m-2"]["error"]


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


def test_a_message_without_id_is_named_by_its_message_id() -> None:
    request = parse(message(3, {"prompt": "x"}), NAME)
    assert (request.request_id, request.body) == ("m-3", {"prompt": "x"})


def test_an_endpoint_is_known_by_its_queue() -> None:
    assert endpoint_of("arn:aws:sqs:eu-west-1:1:stack-llama-8b", "stack") == "llama-8b"
    with pytest.raises(ValueError, match="not one of stack"):
        endpoint_of("arn:aws:sqs:eu-west-1:1:other-llama", "stack")


@pytest.mark.parametrize(("copies", "asked"), [(0, 0), (1, 1)])
def test_an_update_at_zero_is_asked_nothing_and_one_that_rolls_is(desk, copies, asked) -> None:
    """SageMaker would count a request that met no copy: the alarm on it rolls updates back."""
    status = asleep(NAME, phase=Phase.UPDATING, desired_copies=copies, observed_copies=copies)
    put(desk.world, status)
    dispatch(desk, NAME, [message()])
    assert len(desk.models.asked) == asked
    assert len(desk.requests.postponed) == 1 - asked


class AnsweredMeanwhile(ScriptedModel):
    """Refuses, while another delivery of the same message is answered."""

    def __init__(self, desk: TestDesk) -> None:
        super().__init__()
        self._desk = desk

    def ask(self, name, body, kind, shared=""):
        self._desk.results.put(NAME, "r-1", {"id": "r-1", "answer": {"choices": []}})
        raise ModelError("context too long")


def test_what_was_answered_meanwhile_is_not_refused(desk) -> None:
    """A queue delivers at least once: two dispatchers may have the same message at a time."""
    put(desk.world, awake(NAME))
    desk = replace(desk, models=AnsweredMeanwhile(desk))
    assert dispatch(desk, NAME, [message()]) == []
    assert "answer" in desk.results.stored[f"{NAME}/r-1"]
    assert desk.requests.refused == []
    assert desk.world.announcer.kinds() == ["RequestAnswered"]
