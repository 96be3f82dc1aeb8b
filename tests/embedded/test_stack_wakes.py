"""The wakes of a day of a whole deployed stack: spent by one endpoint, they are spent for all."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.embedded.stack import SPEED, Stack, deployed, wait_for

FIRST, SECOND = "llama", "other"
QUESTION = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 7}
NOTHING_WAKES_FOR = 15 * 60  # simulated seconds
# To the minute, in one process: tests/histories/test_policy_in_time.py.
pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account")) as found:
        for name in (FIRST, SECOND):
            assert found.apply(name, scaling={"keep_alive": "2m", "max_copies": 1})["ok"]
        for name in (FIRST, SECOND):
            found.until(name, "ASLEEP")
        yield found


def test_spent_by_one_endpoint_no_request_wakes_another_and_a_person_does(stack: Stack) -> None:
    assert stack.command("budget_set", changes={"wakes_per_day": 1}, author="ada")["ok"]
    stack.ask(FIRST, {"id": "first", **QUESTION})
    assert stack.result(FIRST, "first")["answer"]

    def limits() -> dict[str, object]:
        return stack.command("budget")["result"]["stack"]

    spent = wait_for(limits, lambda one: one["wakes_spent"], "a tick that counts the wake")
    assert (spent["wakes_today"], spent["wakes_per_day"]) == (1, 1)

    stack.ask(SECOND, {"id": "second", **QUESTION})
    until = time.monotonic() + NOTHING_WAKES_FOR / SPEED
    while time.monotonic() < until:
        assert stack.get(SECOND)["phase"] == "ASLEEP"
        time.sleep(0.5)
    one = stack.get(SECOND)
    assert "1 of 1 wakes of the whole stack are spent today: 1 request" in one["last_reason"]
    said = "The whole stack has spent its 1 wake of the day."
    wait_for(lambda: str(stack.slack.messages), lambda text: said in text, "the alert")

    assert stack.command("wake", endpoint=SECOND, author="bob")["ok"]
    assert stack.result(SECOND, "second")["answer"]
    assert limits()["wakes_today"] == 2, "a person's wake goes beyond, and counts"
