"""Requests that may wait: in a queue of their own, in idle slots, never late without a word."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from autoscaler.control.deferring import idle_slots
from autoscaler.control.messages import Message, parse
from autoscaler.control.observe import busy, observe
from autoscaler.endpoints.status import EndpointRecord, EndpointStatus
from autoscaler.policy.deferral import worth_a_wake
from autoscaler.policy.types import History, Phase
from autoscaler.ports import Answer, Capacity, Flow, Load
from tests.desk import NAME, TestDesk, dispatch, memory_desk, message
from tests.memory import NOON
from tests.samples import asleep, awake, put, spec

URI = f"s3://results/requests/{NAME}/big.json"
IDLE = {"observed_at": NOON, "observed_copies": 1, "busy": 0.0}


@pytest.fixture
def desk() -> TestDesk:
    return memory_desk()


def deferrable(number: int = 1, later: bool = True, waited: float = 4, **options) -> Message:
    body = {"id": f"r-{number}", "prompt": "x", "autoscaler": {"deferrable": True, **options}}
    found = message(number, body, waited)
    return Message(found.message_id, found.receipt_handle, found.body, found.sent_at, later)


def test_one_that_may_wait_is_moved_and_wakes_nothing(desk) -> None:
    put(desk.world, asleep(NAME))
    assert dispatch(desk, NAME, [deferrable(1, later=False, ttl="2h", tenant="t")]) == []
    ((body, sent_at),) = desk.requests.moved
    moved = json.loads(body)
    assert moved["prompt"] == "x"
    assert moved["autoscaler"]["id"] == "r-1"
    assert moved["autoscaler"]["tenant"] == "t"
    due = sent_at + timedelta(hours=2)
    assert moved["autoscaler"]["deadline"] == due.isoformat(), "its time goes on where it is"
    assert sent_at == NOON - timedelta(seconds=4)
    assert desk.world.flows.started == []
    assert desk.world.store.records[NAME].deferrable_due_at == due


def test_its_larger_body_stays_where_it_is(desk) -> None:
    put(desk.world, asleep(NAME))
    desk.bodies.stored[URI] = b'{"prompt": "long"}'
    body = {"autoscaler": {"id": "big", "body": URI, "deferrable": True}}
    dispatch(desk, NAME, [message(1, body)])
    assert json.loads(desk.requests.moved[0][0]) == {
        "autoscaler": {"id": "big", "body": URI, "deferrable": True, "priority": 5}
    }


def test_an_endpoint_without_such_a_queue_works_on_it_as_on_any_other(desk) -> None:
    put(desk.world, awake(NAME))
    desk.requests.later = False
    dispatch(desk, NAME, [deferrable(later=False)])
    assert len(desk.models.asked) == 1


def test_asleep_those_that_wait_are_put_back_and_wake_nothing(desk) -> None:
    put(desk.world, asleep(NAME))
    assert dispatch(desk, NAME, [deferrable(1), deferrable(2)]) == ["m-1", "m-2"]
    assert desk.world.flows.started == []
    assert desk.requests.postponed == [timedelta(minutes=1)] * 2
    assert desk.world.store.records[NAME].deferrable_due_at == NOON + timedelta(
        hours=24, seconds=-4
    ), "as the spec has it for those without a deadline"


@pytest.mark.parametrize(
    ("changes", "slots"),
    [
        ({}, 16),
        ({"observed_copies": 2, "busy": 20.5}, 11),
        ({"busy": 16.0}, 0),
        ({"busy": 40.0}, 0),
        ({"busy": None}, 0),
        ({"observed_at": NOON - timedelta(minutes=4)}, 0),
        ({"phase": Phase.SLEEPING}, 0),
    ],
)
def test_idle_is_what_the_last_look_saw_and_nobody_uses(changes, slots) -> None:
    record = EndpointRecord(spec=spec(NAME), status=awake(NAME, **{**IDLE, **changes}))
    assert idle_slots(record, NOON) == slots


def test_awake_they_take_idle_slots_only_those_first_that_are_due_first(desk) -> None:
    put(desk.world, awake(NAME, **{**IDLE, "busy": 12.0}))  # four slots: two for each reader
    batch = [deferrable(n, ttl=f"{9 - n}h") for n in range(1, 6)]
    stay = dispatch(desk, NAME, batch)
    assert stay == ["m-3", "m-2", "m-1"]
    assert {f"{NAME}/r-4", f"{NAME}/r-5"} == desk.results.stored.keys()


def test_others_are_not_held_up_by_them(desk) -> None:
    put(desk.world, awake(NAME, **{**IDLE, "busy": 16.0}))
    assert dispatch(desk, NAME, [deferrable(1), message(2)]) == ["m-1"]
    assert desk.results.stored.keys() == {f"{NAME}/r-2"}


@pytest.mark.parametrize(("left", "wakes"), [("21m", False), ("19m", True)])
def test_when_it_is_due_it_counts_like_any_other(desk, left, wakes) -> None:
    """A start takes five minutes, and a quarter of an hour is to spare."""
    put(desk.world, asleep(NAME))
    dispatch(desk, NAME, [deferrable(ttl=left)])
    assert desk.world.flows.started == ([(Flow.WAKE, NAME, 2)] if wakes else [])


def test_without_a_deadline_it_is_due_after_a_day_and_never_refused_for_it(desk) -> None:
    put(desk.world, asleep(NAME))
    assert dispatch(desk, NAME, [deferrable(waited=86_400 * 2)]) == ["m-1"]
    assert desk.world.flows.started == [(Flow.WAKE, NAME, 2)]


def test_after_its_deadline_it_is_refused_and_says_so(desk) -> None:
    put(desk.world, asleep(NAME))
    assert dispatch(desk, NAME, [deferrable(ttl="1h", waited=3700)]) == []
    assert desk.results.stored[f"{NAME}/r-1"]["code"] == "expired"
    assert desk.world.announcer.kinds() == ["RequestRefused"]


def test_it_comes_back_in_time_for_its_start(desk) -> None:
    put(desk.world, asleep(NAME))
    dispatch(desk, NAME, [deferrable(ttl="3h", waited=7200)])
    assert desk.requests.postponed == [timedelta(minutes=5)], "a 24th part of its age"
    dispatch(desk, NAME, [deferrable(ttl="24h", waited=86_400 - 1380)])
    assert desk.requests.postponed[1] == timedelta(minutes=3), (
        "23 min less a start and what is to spare"
    )


def test_the_first_that_is_due_is_known_and_forgotten_when_it_is_done(desk) -> None:
    put(desk.world, asleep(NAME))
    for number, ttl in ((1, "9h"), (2, "3h"), (3, "5h")):
        dispatch(desk, NAME, [deferrable(number, ttl=ttl)])
    first = NOON - timedelta(seconds=4) + timedelta(hours=3)
    record = desk.world.store.records[NAME]
    assert record.deferrable_due_at == first
    status = awake(NAME, **IDLE, version=record.status.version)
    desk.world.store.records[NAME] = record.having(status)
    dispatch(desk, NAME, [deferrable(2, ttl="3h")])
    assert f"{NAME}/r-2" in desk.results.stored
    assert desk.world.store.records[NAME].deferrable_due_at is None


ANSWER = Answer({"choices": [{"message": {"content": "because"}}]}, 7, 3)


def _is_over_at_its_deadline(desk: TestDesk, one: Message) -> None:
    desk.world.clock.forward(hours=10)


def _is_answered_by_sagemaker(desk: TestDesk, one: Message) -> None:
    desk.late.come[f"{NAME}/{parse(one, NAME).late_id}"] = ANSWER


def _was_answered_before(desk: TestDesk, one: Message) -> None:
    asked = parse(one, NAME).asked
    desk.results.put(NAME, "r-1", {"id": "r-1", "answer": ANSWER.body, "asked": asked})


@pytest.mark.parametrize(
    ("ends", "kind", "code"),
    [
        (_is_over_at_its_deadline, "component", "expired"),
        (_is_answered_by_sagemaker, "async", None),
        (_was_answered_before, "component", None),
    ],
)
def test_whatever_ends_it_the_next_one_does_not_wake_for_its_deadline(
    desk, ends, kind, code
) -> None:
    put(desk.world, asleep(NAME), spec(NAME, kind=kind))
    one = deferrable(ttl="9h")
    assert dispatch(desk, NAME, [one]) == ["m-1"]
    ends(desk, one)
    assert dispatch(desk, NAME, [one]) == []
    assert desk.results.stored[f"{NAME}/r-1"].get("code") == code
    record, now = desk.world.store.records[NAME], NOON + timedelta(hours=10)
    # Another one, straight in the other queue: the tick sees it there before the dispatcher does.
    seen = observe(record, Load(0, 0.0, deferrable=1), Capacity(True), now)
    assert worth_a_wake(record.spec, seen, History(), now) is None


def test_the_policy_sees_them_and_their_first_deadline() -> None:
    status: EndpointStatus = asleep(NAME)
    due = NOON + timedelta(minutes=6)
    record = EndpointRecord(spec=spec(NAME), status=status, deferrable_due_at=due)
    load = Load(backlog=0, concurrency_per_copy=None, deferrable=3)
    seen = observe(record, load, Capacity(exists=True), NOON)
    assert (seen.deferrable, seen.deferrable_due_at, seen.backlog) == (3, due, 0)
    reason = worth_a_wake(record.spec, seen, History(), NOON)
    assert reason is not None
    assert "due at" in reason.text


@pytest.mark.parametrize(
    ("load", "copies", "expected"),
    [
        (Load(backlog=3, concurrency_per_copy=2.0), 4, 8.0),
        (Load(backlog=9, concurrency_per_copy=2.0), 4, 9.0),
        (Load(backlog=9, concurrency_per_copy=None), 0, 9.0),
        (Load(backlog=9, concurrency_per_copy=None), 1, None),
        (Load(backlog=None, concurrency_per_copy=1.0), 1, None),
    ],
)
def test_a_missing_signal_leaves_nothing_idle(load, copies, expected) -> None:
    assert busy(load, Capacity(exists=True, current_copies=copies)) == expected
