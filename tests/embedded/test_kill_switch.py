"""The kill switch in a deployed stack: thrown while a wake runs, and taken back. One story."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.embedded.gateway_lab import GATEWAY, gateway, said
from tests.embedded.stack import SPEED, Stack, deployed, wait_for

NAME = "llama"
QUESTION = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 7}
CHAT = "/v1/chat/completions"
TICKETS: list[str] = []  # requests that the gateway took while it was stopped
STOPPED_FOR = 20 * 60  # simulated seconds in which nothing may wake


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account"), **GATEWAY) as found:
        yield found


def waiting(stack: Stack) -> int:
    """Messages of the queue, in sight and out of it."""
    sqs = stack.account.boto("sqs")
    url = sqs.get_queue_url(QueueName=f"autoscaler-{NAME}")["QueueUrl"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def test_thrown_in_the_middle_of_a_wake_it_brings_zero_instances(stack) -> None:
    assert stack.apply(NAME)["ok"]
    stack.until(NAME, "AWAKE")
    assert stack.command("sleep", endpoint=NAME)["ok"]
    stack.until(NAME, "ASLEEP")
    stack.ask(NAME, {"id": "before", **QUESTION})
    stack.until(NAME, "WAKING")
    wait_for(stack.instances, bool, "an instance of the wake")
    done = stack.command("stop", reason="a leaked key", author="ada")
    assert done["ok"], done
    assert done["result"]["phases"] == {NAME: "SLEEPING"}
    one = stack.until(NAME, "ASLEEP")
    assert (one["cause"], one["observed_instances"], stack.instances()) == ("stopped", 0, 0)


def test_while_it_is_on_nothing_wakes_and_everybody_is_told_why(stack) -> None:
    stack.ask(NAME, {"id": "meanwhile", **QUESTION})
    until = time.monotonic() + STOPPED_FOR / SPEED
    while time.monotonic() < until:
        assert stack.get(NAME)["phase"] == "ASLEEP"
        time.sleep(0.5)
    one = stack.get(NAME)
    assert "by ada: a leaked key" in one["stopped"]["text"]
    assert "by ada: a leaked key" in one["barred"]["reason"]
    assert stack.instances() == 0
    assert waiting(stack) == 2, "both requests are kept"
    for command in ("wake", "hold"):
        more = {"seconds": 60, "min_copies": 1, "reason": "x"} if command == "hold" else {}
        refused = stack.command(command, endpoint=NAME, **more)
        assert "autoscaler start" in refused["problems"][0]
    assert stack.report()["stopped"] == [f"{one['stopped']['text']}."]
    with gateway(stack) as address:
        body = {"model": NAME, **QUESTION}
        refused_there = said(address, CHAT, json=body)
        assert (refused_there.status_code, refused_there.headers["retry-after"]) == (503, "60")
        assert "by ada: a leaked key" in refused_there.json()["error"]["message"]
        ticket = said(address, CHAT, json=body, headers={"prefer": "respond-async"})
        assert ticket.status_code == 202
        assert "by ada: a leaked key" in ticket.json()["because"]
    TICKETS.append(ticket.json()["id"])
    assert stack.get(NAME)["phase"] == "ASLEEP"
    wait_for(stack.slack.titles, lambda t: "Everything is stopped" in "\n".join(t), "the alert")


def test_started_again_it_wakes_and_all_requests_are_answered(stack) -> None:
    done = stack.command("start", author="bob")
    assert done["ok"], done
    stack.until(NAME, "AWAKE")
    for request_id in ("before", "meanwhile", *TICKETS):
        assert stack.result(NAME, request_id)["answer"]["usage"]["completion_tokens"] == 7
    assert stack.get(NAME)["stopped"] is None
    found = stack.command("budget")["result"]
    assert float(found["stack"]["spent_usd"]) > 0
    wait_for(stack.slack.titles, lambda t: "may wake again" in "\n".join(t), "its end in Slack")
    assert stack.slack.rejected == []
