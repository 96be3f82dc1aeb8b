"""What the two functions that never stop do with what they came to: what stays, what is loud."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from autoscaler.control.reconcile import ReconcileError
from autoscaler.policy.types import Phase
from autoscaler.ports import NotAllowedError
from autoscaler.runtime import loop
from autoscaler.runtime.metrics import Measures
from tests.desk import NAME, TestDesk, memory_desk, message
from tests.memory import NOON, memory_world
from tests.samples import asleep, awake, put

DENIED = NotAllowedError("the role may not sagemaker:InvokeEndpoint")


def event(*numbers: int) -> dict[str, Any]:
    return {"Records": [_record(number) for number in numbers]}


def _record(number: int) -> dict[str, Any]:
    one = message(number)
    sent_at = int(one.sent_at.timestamp() * 1000)
    return {
        "messageId": one.message_id,
        "receiptHandle": one.receipt_handle,
        "body": one.body,
        "attributes": {"SentTimestamp": str(sent_at), "ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:stack-{NAME}",
        "awsRegion": "us-east-1",
    }


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> TestDesk:
    found = memory_desk()
    put(found.world, awake(NAME))
    monkeypatch.setattr(loop, "desk", lambda: found)
    monkeypatch.setattr(loop, "settings", lambda: SimpleNamespace(stack_name="stack"))
    monkeypatch.setattr(loop, "_measures", lambda: Measures("stack"))
    return found


def test_when_no_message_of_a_batch_could_be_worked_on_the_function_fails(desk: TestDesk) -> None:
    """The alarm on its errors sees it, and SQS brings the whole batch back."""
    desk.models.errors = [DENIED, DENIED]
    with pytest.raises(NotAllowedError, match="may not sagemaker:InvokeEndpoint"):
        loop.work_off(event(1, 2), 900.0)
    assert (desk.results.stored, desk.requests.refused) == ({}, [])


def test_when_some_could_be_only_the_others_stay(desk: TestDesk) -> None:
    desk.results.broken_for = {"r-2"}
    assert loop.work_off(event(1, 2), 900.0) == {"batchItemFailures": [{"itemIdentifier": "m-2"}]}
    assert "answer" in desk.results.stored[f"{NAME}/r-1"]


@pytest.mark.parametrize("trouble", [False, True], ids=["all is well", "another one is in trouble"])
def test_a_tick_says_who_is_stuck_whatever_becomes_of_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], trouble: bool
) -> None:
    world = memory_world()
    put(world, asleep("stuck", phase=Phase.SLEEPING, phase_since=NOON - timedelta(hours=3)))
    put(world, awake("other"))
    for name in ("stuck", "other"):
        world.scaler.settle(name, 1)
    if trouble:
        monkeypatch.setattr(world.scaler, "look", _does_not_answer)
    monkeypatch.setattr(loop, "world", lambda: world)
    monkeypatch.setattr(loop, "_measures", lambda: Measures("stack"))
    with pytest.raises(ReconcileError) if trouble else contextlib.nullcontext():
        loop.tick()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert [line["StuckEndpoints"] for line in lines if "StuckEndpoints" in line] == [[1.0]]
    assert [line["Copies"] for line in lines if "Copies" in line] != []


def _does_not_answer(*_: Any) -> Any:
    raise TimeoutError("SageMaker did not answer")
