"""A dispatcher hands on what it cannot finish, rather than be cut off with all of its batch."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest

from autoscaler.control.dispatch import dispatch as dispatch_batch
from autoscaler.control.shift import CLOSING_SECONDS, LONGEST_ANSWER_SECONDS, Shift
from autoscaler.endpoints.queues import VISIBILITY_SECONDS
from tests.desk import NAME, TestDesk, memory_desk, message
from tests.samples import awake, put


class NearlyOver(Shift):
    """Had time for an answer when it began one, and has hardly any now."""

    fits_an_answer = True

    @classmethod
    def in_a_moment(cls) -> NearlyOver:
        return cls(time.monotonic() + 1.0)


@pytest.fixture
def desk() -> TestDesk:
    found = memory_desk()
    put(found.world, awake(NAME))
    return found


def test_a_whole_shift_has_room_for_the_longest_answer() -> None:
    """Of Lambda's 900 s; and what it hands on is out of sight longer than it may work."""
    assert 900 - CLOSING_SECONDS - LONGEST_ANSWER_SECONDS > 300, "for reading ten messages"
    assert VISIBILITY_SECONDS > 900
    assert Shift.of(900).fits_an_answer
    assert not Shift.of(CLOSING_SECONDS + LONGEST_ANSWER_SECONDS - 1).fits_an_answer


def test_what_is_not_begun_when_too_little_time_is_left_goes_back_at_once(desk) -> None:
    done = dispatch_batch(desk, NAME, [message(1), message(2)], Shift.of(300))
    assert sorted(done.stay) == ["m-1", "m-2"]
    assert desk.models.asked == []
    assert desk.requests.postponed == [timedelta(seconds=1)] * 2
    assert desk.world.store.failures == {}, "that is no failure of theirs"


def test_without_time_left_what_needs_no_model_is_still_done(desk) -> None:
    done = dispatch_batch(desk, NAME, [message(1, "not json"), message(2)], Shift.of(300))
    assert done.stay == ["m-2"]
    assert "error" in desk.results.stored[f"{NAME}/m-1"]


def test_a_stream_that_does_not_end_leaves_its_neighbours_answered(desk) -> None:
    stuck, ended = threading.Event(), threading.Event()

    def hangs() -> None:
        if len(desk.models.asked) == 1:
            stuck.wait(10)
            ended.set()

    desk.models.meanwhile = hangs
    done = dispatch_batch(desk, NAME, [message(n) for n in (1, 2, 3)], NearlyOver.in_a_moment())
    assert not ended.is_set(), "its stream is still open"
    assert len(done.stay) == 1
    answered = {key for key, one in desk.results.stored.items() if "answer" in one}
    assert len(answered) == 2
    assert list(desk.world.store.failures.values()) == [1], "a failed try, or it never ends"
    stuck.set()
    assert ended.wait(5)
    time.sleep(0.1)
    stored = {key for key, one in desk.results.stored.items() if "answer" in one}
    assert stored == answered, "what its thread still brings comes too late"
