"""The ladder, and updates that fail, for the kinds whose copies are instances."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.embedded.stack import Stack, deployed, wait_for

pytestmark = pytest.mark.soak  # minutes: `make soak`
RUNGS = {"types": ["ml.g6e.xlarge"], "alternatives": [{"types": ["ml.g6e.12xlarge"]}]}
KINDS = ("realtime", "async")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account"), CapacitySeconds="300") as found:
        yield found


def types_now(stack: Stack) -> set[str]:
    return {one[1] for one in stack.account.sagemaker.billed() if one[-1] is None}


def removed(stack: Stack, name: str) -> None:
    assert stack.command("delete", endpoint=name, discard_requests=True)["ok"]
    stack.until(name, None)
    sagemaker = stack.account.boto("sagemaker")
    assert sagemaker.list_endpoint_configs()["EndpointConfigs"] == []
    assert sagemaker.list_models()["Models"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_without_capacity_the_next_rungs_config_is_taken(stack, kind: str) -> None:
    sagemaker = stack.account.sagemaker
    sagemaker.set_capacity("ml.g6e.xlarge", 0)
    assert stack.apply(kind, kind=kind, instances=RUNGS)["ok"]
    stack.until(kind, "AWAKE")
    assert types_now(stack) == {"ml.g6e.12xlarge"}
    assert stack.command("sleep", endpoint=kind)["ok"]
    stack.until(kind, "ASLEEP")
    sagemaker.set_capacity("ml.g6e.xlarge", None)
    sagemaker.set_capacity("ml.g6e.12xlarge", 0)
    stack.ask(kind, {"id": "one", "prompt": "x", "max_tokens": 4})
    assert stack.result(kind, "one")["answer"]["usage"]["completion_tokens"] == 4
    assert types_now(stack) == {"ml.g6e.xlarge"}
    sagemaker.set_capacity("ml.g6e.12xlarge", None)
    removed(stack, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_an_update_whose_container_dies_is_put_back_and_said(stack, kind: str) -> None:
    variant, sagemaker = f"autoscaler-{kind}/AllTraffic", stack.account.sagemaker
    assert stack.apply(kind, kind=kind)["ok"]
    stack.until(kind, "AWAKE")
    assert stack.command(
        "hold", endpoint=kind, seconds=86_400, min_copies=1, reason="test", author="ada"
    )["ok"]
    sagemaker.break_container(variant, "CUDA out of memory. Tried to allocate")
    assert stack.apply(kind, kind=kind, serving={"context_tokens": 16384})["ok"]
    stack.until(kind, "AWAKE")
    sagemaker.break_container(variant, None)
    told = "\n".join(line["text"] for line in stack.get(kind)["history"])
    assert "The update failed, it goes on as it was" in told
    stack.ask(kind, {"id": "after", "prompt": "x", "max_tokens": 3})
    assert stack.result(kind, "after")["answer"]["usage"]["completion_tokens"] == 3
    wait_for(
        lambda: len(stack.account.boto("sagemaker").list_models()["Models"]),
        lambda count: count == 1,
        "one model left",
    )
    removed(stack, kind)
