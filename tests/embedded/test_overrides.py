"""A person's overrides in a deployed stack: each is in force, is seen, and ends by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.embedded.stack import SPEED, Stack, at_once, deployed, wait_for

NAME = "llama"
QUESTION = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 7}
KEEP_ALIVE_SECONDS = 5 * 60
WARM_SECONDS = 25 * 60
ASLEEP_SECONDS = 25 * 60
# To the minute, in one process: tests/histories/test_policy_in_time.py.
pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account")) as found:
        found.account.boto("secretsmanager").put_secret_value(
            SecretId=found.outputs["SlackSecretName"], SecretString=at_once(found.slack)
        )
        assert found.apply(NAME, scaling={"keep_alive": "5m", "max_copies": 1})["ok"]
        found.until(NAME, "AWAKE")
        yield found


def told(stack: Stack, words: str) -> None:
    wait_for(lambda: str(stack.slack.messages), lambda said: words in said, f"{words!r} in Slack")


def in_force(stack: Stack) -> list[tuple[str, str, str]]:
    found = stack.get(NAME)["overrides"]
    return [(one["kind"], one["author"], one["reason"]) for one in found]


def test_kept_warm_it_stays_awake_without_requests_until_it_ends_by_itself(stack: Stack) -> None:
    began = stack.account.clock.time()
    order = {"kind": "keep_warm", "seconds": WARM_SECONDS, "reason": "a demo", "author": "ada"}
    assert stack.command("override", endpoint=NAME, **order)["ok"]
    assert in_force(stack) == [("keep_warm", "ada", "a demo")]
    told(stack, "a demo")
    while stack.account.clock.time() < began + WARM_SECONDS - 120:
        assert stack.get(NAME)["phase"] == "AWAKE", "its keep_alive is over, but it is kept warm"
        time.sleep(0.5)
    asleep = stack.until(NAME, "ASLEEP")
    assert asleep["overrides"] == [] and stack.instances() == 0
    assert stack.account.clock.time() > began + WARM_SECONDS


def test_put_to_sleep_even_for_requests_it_wakes_for_them_when_that_ends(stack: Stack) -> None:
    began = stack.account.clock.time()
    order = {"kind": "sleep_until", "seconds": ASLEEP_SECONDS, "reason": "no money", "author": "bo"}
    assert stack.command("override", endpoint=NAME, even_for_requests=True, **order)["ok"]
    stack.ask(NAME, {"id": "patient", **QUESTION})
    while stack.account.clock.time() < began + ASLEEP_SECONDS - 120:
        assert stack.get(NAME)["phase"] == "ASLEEP"
        assert stack.instances() == 0
        time.sleep(0.5)
    assert in_force(stack) == [("sleep_until", "bo", "no money")]
    assert stack.result(NAME, "patient")["answer"]
    assert stack.account.clock.time() > began + ASLEEP_SECONDS
    assert stack.get(NAME)["overrides"] == []
    told(stack, "no money")
    told(stack, "📌 llama is put to sleep, even for requests,")  # below that it has to wait


def test_released_before_its_time_it_is_over_at_once(stack: Stack) -> None:
    order = {"kind": "pause_scale_in", "seconds": 8 * 3600, "reason": "a load test", "author": "cy"}
    stack.until(NAME, "AWAKE")
    assert stack.command("override", endpoint=NAME, **order)["ok"]
    until = time.monotonic() + 3 * KEEP_ALIVE_SECONDS / SPEED
    while time.monotonic() < until:
        assert stack.get(NAME)["phase"] == "AWAKE", "nothing is taken away while it is in force"
        time.sleep(0.5)
    assert stack.command("release", endpoint=NAME, author="dee")["ok"]
    assert in_force(stack) == []
    stack.until(NAME, "ASLEEP")
    told(stack, "dee")
