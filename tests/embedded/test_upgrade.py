"""The release before this one, updated to this one in the middle of a wake. One story."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from autoscaler.endpoints.migrations import SCHEMA
from tests.embedded.stack import ROOT, SPEED, TUESDAY_NIGHT, Stack, deployed, wait_for
from tests.releases.archive import PREVIOUS, unpacked

NAME = "llama"
TYPE = "ml.g6e.xlarge"
QUESTION = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 7}
EVER = TUESDAY_NIGHT - timedelta(days=1), TUESDAY_NIGHT + timedelta(days=9)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    release = unpacked(tmp_path_factory.mktemp("release"))
    folder = tmp_path_factory.mktemp("account")
    with deployed(folder, template=release / "template.yaml") as found:
        yield found


def items(stack: Stack) -> dict[str, dict[str, Any]]:
    """What lies beside the fleet's specs and statuses, by sort key."""
    dynamodb = stack.account.boto("dynamodb")
    (table,) = dynamodb.list_tables()["TableNames"]
    found = dynamodb.query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "FLEET"}},
        ConsistentRead=True,
    )["Items"]
    return {item["sk"]["S"]: item for item in found}


def executions(stack: Stack, machine: str) -> dict[str, str]:
    """Statuses by name."""
    states = stack.account.boto("stepfunctions")
    machines = states.list_state_machines()["stateMachines"]
    (arn,) = (m["stateMachineArn"] for m in machines if m["name"] == f"autoscaler-{machine}")
    listed = states.list_executions(stateMachineArn=arn)["executions"]
    return {one["name"]: one["status"] for one in listed}


def test_the_release_before_serves_and_sleeps(stack: Stack) -> None:
    assert stack.apply(NAME)["ok"]
    stack.until(NAME, "AWAKE")
    stack.ask(NAME, {"id": "before", **QUESTION})
    assert stack.result(NAME, "before")["answer"]
    assert stack.command("sleep", endpoint=NAME)["ok"]
    stack.until(NAME, "ASLEEP")
    assert "schema" not in items(stack)[f"{NAME}#STATUS"], f"written by {PREVIOUS}"


def test_an_update_in_the_middle_of_a_wake_interrupts_nothing(stack: Stack) -> None:
    account = stack.account
    account.sagemaker.set_capacity(TYPE, 0)
    stack.ask(NAME, {"id": "first", **QUESTION})
    waking = stack.until(NAME, "WAKING")
    execution = f"{NAME}-{waking['generation']}"
    wait_for(lambda: executions(stack, "wake-endpoint").get(execution), "RUNNING".__eq__, "a wake")
    account.clock.set_speed(2)  # the wake is not over before the update is
    account.update(ROOT / "template.yaml")
    assert account.engine.stacks["autoscaler"].status == "UPDATE_COMPLETE"
    assert executions(stack, "wake-endpoint")[execution] == "RUNNING", "it was in the middle"
    stack.ask(NAME, {"id": "second", **QUESTION})
    account.sagemaker.set_capacity(TYPE, None)
    account.clock.set_speed(SPEED)
    for request in ("first", "second"):
        assert stack.result(NAME, request)["answer"]
    one = stack.until(NAME, "AWAKE")
    assert one["generation"] == waking["generation"], "no second wish"
    assert executions(stack, "wake-endpoint")[execution] == "SUCCEEDED"
    assert stack.dead_letters(NAME) == []


def test_the_code_of_this_release_is_at_work_and_writes_its_schema(stack: Stack) -> None:
    def numbers() -> dict[str, str]:
        found = {key: item.get("schema", {}) for key, item in items(stack).items()}
        return {key: number.get("N", "") for key, number in found.items()}

    status = f"{NAME}#STATUS"
    wait_for(numbers, lambda seen: seen[status] == str(SCHEMA), "a status of this release")
    body = json.loads(items(stack)[status]["body"]["S"])
    assert "schema_version" not in body


def test_there_was_one_endpoint_and_nobody_failed(stack: Stack) -> None:
    sagemaker = stack.account.boto("sagemaker")
    assert len(sagemaker.list_endpoints()["Endpoints"]) == 1
    assert len(sagemaker.list_inference_components()["InferenceComponents"]) == 1
    for machine in ("deploy-endpoint", "wake-endpoint", "sleep-endpoint"):
        ended = set(executions(stack, machine).values())
        assert ended <= {"SUCCEEDED", "RUNNING"}, (machine, executions(stack, machine))


def test_the_ledger_goes_on_without_a_gap_or_an_overlap(stack: Stack) -> None:
    """Of one instance at a time, from the wake that the release before began to the sleep that
    this one ends."""
    assert stack.command("sleep", endpoint=NAME)["ok"]
    asleep = stack.until(NAME, "ASLEEP")
    assert stack.instances() == 0
    segments = sorted(stack.store().usage(*EVER), key=lambda one: one.start)
    woken = [one for one in segments if one.start >= stack.store().load(NAME).status.last_wake_at]
    assert len(woken) > 1
    for before, after in pairwise(woken):
        assert after.start == before.end
    status = stack.store().load(NAME).status
    assert woken[0].start <= status.last_wake_at + timedelta(seconds=stack.longest_tick)
    assert str(status.phase_since.isoformat())[:19] == woken[-1].end.isoformat()[:19], asleep
