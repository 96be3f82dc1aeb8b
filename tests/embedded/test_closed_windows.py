"""A closed window in a deployed stack: at zero, nothing wakes it, and at its end it answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.embedded.stack import Stack, deployed
from tests.samples import closed_window

NAME = "llama"
QUESTION = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 7}
# A creation takes a quarter of an hour, a wake up to six minutes.
CLOSED_FOR = timedelta(minutes=120)
BEFORE_A_WAKE = timedelta(minutes=12)
BUSY = timedelta(minutes=3)
# To the minute, in one process: tests/histories/test_policy_in_time.py.
pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account")) as found:
        yield found


def now(stack: Stack) -> datetime:
    return datetime.fromtimestamp(stack.account.clock.time(), UTC)


def test_closed_it_goes_to_zero_and_answers_what_waited_when_the_window_ends(stack: Stack) -> None:
    ends = (now(stack) + CLOSED_FOR).replace(second=0, microsecond=0)
    begins = ends - timedelta(hours=3)
    scaling = {"keep_alive": "2h", "max_copies": 1}
    applied = stack.apply(
        NAME, scaling=scaling, schedule={"windows": [closed_window(begins, ends)]}
    )
    assert applied["ok"], applied
    asleep = stack.until(NAME, "ASLEEP")
    assert asleep["closed"] == {"window": "night", "until": ends.isoformat()}
    history = stack.get(NAME)["history"]
    assert {"AWAKE", "SLEEPING"} <= {line["phase"] for line in history}
    assert now(stack) < ends - 2 * BEFORE_A_WAKE, "it slept although its keep-alive is two hours"

    stack.ask(NAME, {"id": "patient", **QUESTION})
    stack.ask(NAME, {"id": "urgent", "autoscaler": {"ttl": "3m"}, **QUESTION})
    refused = stack.result(NAME, "urgent")
    assert "window night keeps it closed until" in refused["error"]
    while now(stack) < ends - BEFORE_A_WAKE:
        one = stack.get(NAME)
        assert (one["phase"], stack.instances()) == ("ASLEEP", 0)
        time.sleep(0.5)
    woken = stack.command("wake", endpoint=NAME, author="ada")
    assert not woken["ok"] and "keep-warm" in str(woken)

    assert stack.result(NAME, "patient")["answer"]
    one = stack.get(NAME)
    assert one["wakes_today"] == 1
    (woken_at,) = (
        datetime.fromisoformat(line["at"]) for line in one["history"] if line["phase"] == "WAKING"
    )
    # A lead time and a tick ahead; a few seconds of a busy machine are minutes of this clock.
    assert ends - BEFORE_A_WAKE < woken_at < ends + BUSY
