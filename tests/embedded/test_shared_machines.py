"""Two endpoints on the same machines: one SageMaker endpoint, and each keeps a life of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from autoscaler.ledger.billed import instance_hours
from autoscaler.ledger.shares import apportioned
from tests.embedded.stack import TUESDAY_NIGHT, Stack, deployed, wait_for

MACHINES = {
    "types": ["ml.g6e.12xlarge"],
    "accelerators_per_copy": 1,
    "shared": "pair",
    "max_instances": 2,
}
HOSTED = "autoscaler--pair"
A, B = "llama", "qwen"
ENDPOINT_SECONDS = 150.0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account")) as found:
        for name in (A, B):
            answer = found.apply(
                name, instances=MACHINES, scaling={"max_copies": 2, "keep_alive": "8h"}
            )
            assert answer["ok"], answer
        for name in (A, B):
            found.until(name, "AWAKE")
        yield found


def endpoints(stack: Stack) -> list[str]:
    return [
        one["EndpointName"] for one in stack.account.boto("sagemaker").list_endpoints()["Endpoints"]
    ]


def components(stack: Stack) -> set[str]:
    found = stack.account.boto("sagemaker").list_inference_components(EndpointNameEquals=HOSTED)
    return {one["InferenceComponentName"] for one in found["InferenceComponents"]}


def configs(stack: Stack) -> list[str]:
    found = stack.account.boto("sagemaker").list_endpoint_configs()["EndpointConfigs"]
    return [one["EndpointConfigName"] for one in found]


def answered(stack: Stack, name: str, request_id: str) -> None:
    stack.ask(name, {"id": request_id, "messages": [{"role": "user", "content": "hi"}]})
    assert "answer" in stack.result(name, request_id)


def test_both_are_components_of_one_endpoint_on_one_instance(stack: Stack) -> None:
    assert endpoints(stack) == [HOSTED]
    assert components(stack) == {f"autoscaler-{A}", f"autoscaler-{B}"}
    assert stack.instances() == 1
    (config,) = configs(stack)
    assert config.startswith(f"{HOSTED}-")


def test_both_answer(stack: Stack) -> None:
    answered(stack, A, "one")
    answered(stack, B, "two")


def test_other_machines_are_refused_before_anything_is_made(stack: Stack) -> None:
    other = {**MACHINES, "types": ["ml.g5.12xlarge"], "max_instances": 3}
    refused = stack.apply("third", instances=other)
    assert not refused["ok"]
    text = str(refused)
    assert "instances.types" in text and "instances.max_instances" in text
    assert "shares the machines 'pair'" in text
    assert stack.get("third")["phase"] is None
    assert endpoints(stack) == [HOSTED]


def test_one_sleeps_while_the_other_serves_and_wakes_on_the_same_instance(stack: Stack) -> None:
    assert stack.command("sleep", endpoint=A)["ok"]
    stack.until(A, "ASLEEP")
    assert stack.get(B)["phase"] == "AWAKE"
    assert stack.instances() == 1
    answered(stack, B, "three")
    answered(stack, A, "four")  # by its queue: the request wakes it
    stack.until(A, "AWAKE")
    assert stack.instances() == 1


def test_zero_is_zero_instances_when_the_last_one_sleeps(stack: Stack) -> None:
    for name in (A, B):
        assert stack.command("sleep", endpoint=name)["ok"]
    for name in (A, B):
        stack.until(name, "ASLEEP")
    assert stack.instances() == 0
    answered(stack, B, "five")
    stack.until(B, "AWAKE")
    assert stack.get(A)["phase"] == "ASLEEP"


def test_the_sweep_finds_nothing_amiss(stack: Stack) -> None:
    reply = stack.account.boto("lambda").invoke(
        FunctionName="autoscaler-sweep-account", Payload=json.dumps({"sweep": "look"}).encode()
    )
    swept = json.loads(reply["Payload"].read())
    assert (swept["orphans"], swept["gaps"], swept["problems"]) == ([], [], [])


def test_the_machines_go_with_the_last_of_those_that_share_them(stack: Stack) -> None:
    assert stack.command("delete", endpoint=A)["ok"]
    stack.until(A, None)
    assert components(stack) == {f"autoscaler-{B}"}
    answered(stack, B, "six")
    assert stack.command("delete", endpoint=B)["ok"]
    stack.until(B, None)
    assert endpoints(stack) == []
    wait_for(lambda: configs(stack), lambda found: found == [], "the config to go")
    assert stack.instances() == 0


def test_the_parts_of_both_add_up_to_what_was_billed(stack: Stack) -> None:
    """Never less than SageMaker bills, and more only by what lies between a wish and an instance,
    and between an instance's end and a look."""
    end = stack.account.clock.now() + timedelta(minutes=1)
    stored = stack.store().usage(TUESDAY_NIGHT, end)
    assert {segment.shared for segment in stored} == {"pair"}
    parts = apportioned(stored)
    assert {part.endpoint for part in parts} == {A, B}
    both = float(sum(instance_hours(part) for part in parts)) * 3600
    billed = stack.account.sagemaker.billed()
    seconds = sum(gone - asked for *_, asked, gone in billed)
    # Creation counts from its wish: the endpoint itself takes minutes before it asks.
    slack = len(billed) * stack.longest_tick + ENDPOINT_SECONDS
    assert seconds <= both <= seconds + slack
    alone = sum(segment.instance_seconds for segment in stored)
    assert alone > both, "counted twice, it would not add up"
