"""A changed file is put in place while the endpoint serves, or by way of zero, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.embedded.stack import Stack, deployed, wait_for
from tests.samples import document

NAME = "llama"
COMPONENT = f"autoscaler-{NAME}"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account")) as found:
        yield found


def environment(stack: Stack) -> dict[str, str]:
    """Of the container that the component runs now."""
    sagemaker = stack.account.boto("sagemaker")
    found = sagemaker.describe_inference_component(InferenceComponentName=COMPONENT)
    model = found["Specification"]["ModelName"]
    return sagemaker.describe_model(ModelName=model)["PrimaryContainer"]["Environment"]


def kept_awake(stack: Stack) -> None:
    assert stack.command(
        "hold", endpoint=NAME, seconds=86_400, min_copies=1, reason="test", author="ada"
    )["ok"]


def history(stack: Stack) -> str:
    return "\n".join(line["text"] for line in stack.get(NAME)["history"])


def test_another_context_rolls_while_it_serves(stack) -> None:
    assert stack.apply(NAME)["ok"]
    stack.until(NAME, "AWAKE")
    kept_awake(stack)
    answer = stack.apply(NAME, serving={"context_tokens": 4096})
    assert answer["ok"], answer
    assert stack.get(NAME)["phase"] == "UPDATING"
    stack.ask(NAME, {"id": "during", "prompt": "x", "max_tokens": 3})
    assert stack.result(NAME, "during")["answer"]["usage"]["completion_tokens"] == 3
    stack.until(NAME, "AWAKE")
    assert environment(stack)["SM_VLLM_MAX_MODEL_LEN"] == "4096"
    low = min(current for _, _, current in stack.account.sagemaker.timeline(COMPONENT)[1:])
    assert low >= 1, "there was a copy that served all the while"
    sagemaker = stack.account.boto("sagemaker")
    wait_for(
        lambda: len(sagemaker.list_models()["Models"]), lambda count: count == 1, "one model left"
    )


def test_what_cannot_come_up_is_rolled_back_and_said(stack) -> None:
    stack.account.sagemaker.break_container(COMPONENT, "CUDA out of memory. Tried to allocate")
    assert stack.apply(NAME, serving={"context_tokens": 16384})["ok"]
    assert stack.get(NAME)["phase"] == "UPDATING"
    stack.until(NAME, "AWAKE")
    stack.account.sagemaker.break_container(COMPONENT, None)
    assert environment(stack)["SM_VLLM_MAX_MODEL_LEN"] == "4096"
    assert "The update failed, it goes on as it was" in history(stack)
    assert "could not be updated" in "\n".join(str(one) for one in stack.slack.messages)
    stack.ask(NAME, {"id": "after", "prompt": "x", "max_tokens": 3})
    assert stack.result(NAME, "after")["answer"]["usage"]["completion_tokens"] == 3


def test_other_machines_come_by_way_of_zero_and_requests_wait(stack) -> None:
    changes = {"serving": {"context_tokens": 4096}, "instances": {"types": ["ml.g6e.2xlarge"]}}
    assert stack.command("plan", document=document(NAME, **changes))["result"]["way"] == "replace"
    assert stack.apply(NAME, **changes)["ok"]
    stack.ask(NAME, {"id": "waits", "prompt": "x", "max_tokens": 3})
    assert stack.result(NAME, "waits")["answer"]["usage"]["completion_tokens"] == 3
    now = {one[1] for one in stack.account.sagemaker.billed() if one[-1] is None}
    assert now == {"ml.g6e.2xlarge"}


def test_asleep_it_is_updated_without_an_instance(stack) -> None:
    assert stack.command("release", endpoint=NAME)["ok"]
    stack.until(NAME, "ASLEEP")
    before = len(stack.account.sagemaker.billed())
    changes = {"serving": {"context_tokens": 2048}, "instances": {"types": ["ml.g6e.2xlarge"]}}
    assert stack.apply(NAME, **changes)["ok"]
    wait_for(
        lambda: environment(stack)["SM_VLLM_MAX_MODEL_LEN"],
        lambda told: told == "2048",
        "the new specification",
    )
    stack.until(NAME, "ASLEEP")
    assert len(stack.account.sagemaker.billed()) == before


def test_removed_nothing_of_any_build_is_left(stack) -> None:
    assert stack.command("delete", endpoint=NAME, discard_requests=True)["ok"]
    stack.until(NAME, None)
    sagemaker = stack.account.boto("sagemaker")
    assert sagemaker.list_endpoint_configs()["EndpointConfigs"] == []
    assert sagemaker.list_models()["Models"] == []
