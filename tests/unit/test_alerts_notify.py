"""Each event is told once; what could not be told stays in the queue."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from autoscaler.alerts.events.life import SleepStuck
from autoscaler.alerts.message import Message
from autoscaler.alerts.notify import RetryLater, Told, notify
from tests.alerts_events import ONE_OF_EACH, WHO

AWOKE = next(event for event in ONE_OF_EACH if event.detail_type == "EndpointAwoke")
ANSWERED = next(event for event in ONE_OF_EACH if event.detail_type == "RequestAnswered")


@dataclass
class MemorySeen:
    holders: dict[str, str] = field(default_factory=dict)
    ttls: list[timedelta] = field(default_factory=list)

    def first_time(self, key: str, ttl: timedelta, holder: str) -> bool:
        self.ttls.append(ttl)
        return self.holders.setdefault(key, holder) == holder

    def forget(self, key: str) -> None:
        del self.holders[key]


@dataclass
class ScriptedSink:
    errors: list[Exception] = field(default_factory=list)
    sent: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.sent.append(message)


def test_an_event_is_told() -> None:
    sink = ScriptedSink()
    assert notify(AWOKE, MemorySeen(), sink, "m1") is Told.SENT
    assert sink.sent[0].title == "llama is awake"


def test_a_second_delivery_of_it_is_not() -> None:
    seen, sink = MemorySeen(), ScriptedSink()
    notify(AWOKE, seen, sink, "m1")
    assert notify(AWOKE, seen, sink, "m2") is Told.REPEATED
    assert len(sink.sent) == 1


def test_what_slack_did_not_take_is_told_by_the_next_delivery() -> None:
    seen, sink = MemorySeen(), ScriptedSink(errors=[RetryLater(30)])
    with pytest.raises(RetryLater) as later:
        notify(AWOKE, seen, sink, "m1")
    assert later.value.seconds == 30
    assert notify(AWOKE, seen, sink, "m2") is Told.SENT


def test_a_message_whose_function_died_in_the_middle_is_told_when_it_comes_back() -> None:
    seen, sink = MemorySeen(), ScriptedSink()
    seen.first_time(AWOKE.dedupe_key, timedelta(days=1), "m1")
    assert notify(AWOKE, seen, sink, "m1") is Told.SENT


def test_single_answers_are_not_for_people() -> None:
    sink = ScriptedSink()
    assert notify(ANSWERED, MemorySeen(), sink, "m1") is Told.NOT_FOR_PEOPLE
    assert sink.sent == []


def test_a_stuck_sleep_is_remembered_for_an_hour() -> None:
    seen = MemorySeen()
    notify(SleepStuck(**WHO, instances=1, since_seconds=9), seen, ScriptedSink(), "m1")
    assert seen.ttls == [timedelta(hours=1)]
