"""A container that dies is found by what it says, and stops being paid for at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.embedded.stack import Stack, deployed, wait_for

NAME = "llama"
COMPONENT = f"autoscaler-{NAME}"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account")) as found:
        yield found


def test_a_creation_that_cannot_come_up_fails_in_minutes_with_the_reason(stack) -> None:
    stack.account.sagemaker.break_container(COMPONENT, "CUDA out of memory. Tried to allocate")
    assert stack.apply(NAME)["ok"]
    one = stack.until(NAME, "FAILED")
    assert "ContainerCrash" in one["failure"], "SageMaker alone waits for its health check"
    assert "CUDA out of memory" in one["failure"]
    assert "serving.context_tokens" in one["failure"]
    wait_for(stack.instances, lambda count: count == 0, "no instance left")
    stack.account.sagemaker.break_container(COMPONENT, None)


def test_a_wake_says_in_slack_why_the_container_dies_and_is_mended_later(stack) -> None:
    assert stack.apply(NAME)["ok"]
    stack.until(NAME, "AWAKE")
    assert stack.command("sleep", endpoint=NAME)["ok"]
    stack.until(NAME, "ASLEEP")
    stack.account.sagemaker.break_container(
        COMPONENT, "the NVIDIA driver on your system is too old"
    )
    began = stack.account.clock.time()
    stack.ask(NAME, {"id": "one", "prompt": "x", "max_tokens": 4})
    wait_for(
        lambda: "\n".join(str(message) for message in stack.slack.messages),
        lambda told: "driver on your system is too old" in told,
        "the reason in Slack",
    )
    told_after = stack.account.clock.time() - began
    # SageMaker alone says so 105 s for the instance and 600 for the health check later. Here it
    # takes about 250, and more on a busy machine.
    assert told_after < 105 + 600, told_after
    stack.account.sagemaker.break_container(COMPONENT, None)
    assert stack.result(NAME, "one")["answer"]["usage"]["completion_tokens"] == 4


def test_a_wake_tells_its_stages(stack) -> None:
    told = "\n".join(line["text"] for line in stack.get(NAME)["history"])
    for stage in ("trigger", "capacity", "container", "weights", "ready"):
        assert f"{stage} " in told, told
