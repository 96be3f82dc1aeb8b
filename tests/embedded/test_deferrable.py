"""Requests that may wait, larger bodies and replies, in the real stack."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.embedded.stack import Stack, deployed, wait_for

NAME = "llama"
ANSWERS = "arn:aws:sqs:us-east-1:123456789012:answers"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account"), ReplyQueues=ANSWERS) as found:
        found.account.boto("sqs").create_queue(QueueName="answers")
        assert found.apply(NAME)["ok"]
        found.until(NAME, "AWAKE")
        yield found


def queue(stack: Stack, name: str) -> str:
    return stack.account.boto("sqs").get_queue_url(QueueName=name)["QueueUrl"]


def deferrable(stack: Stack) -> int:
    return int(stack.get(NAME)["deferrable"])


def test_a_larger_body_is_answered_and_told_to_the_queue_that_was_named(stack: Stack) -> None:
    bucket = stack.outputs["ResultsBucketName"]
    key = f"requests/{NAME}/big.json"
    body = {"messages": [{"role": "user", "content": "why? " * 1000}], "max_tokens": 4}
    stack.account.boto("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps(body).encode())
    options = {"id": "big", "body": f"s3://{bucket}/{key}", "reply_to": {"queue": ANSWERS}}
    stack.ask(NAME, {"autoscaler": options})
    assert "answer" in stack.result(NAME, "big")
    got = wait_for(lambda: _received(stack), bool, "the reply")
    said = json.loads(got[0]["Body"])
    assert (said["id"], said["endpoint"]) == ("big", NAME)
    assert said["answer"]["choices"]


def _received(stack: Stack) -> list[dict[str, Any]]:
    found = stack.account.boto("sqs").receive_message(QueueUrl=queue(stack, "answers"))
    return list(found.get("Messages", []))


def test_the_containers_own_request_is_answered_as_it_is(stack: Stack) -> None:
    stack.ask(NAME, {"id": "own", "inputs": "why?", "parameters": {"max_new_tokens": 3}})
    (said,) = stack.result(NAME, "own")["answer"]
    assert said["generated_text"]


def test_its_queue_has_as_many_readers_as_its_copies_need(stack: Stack) -> None:
    def most() -> int:
        found = stack.account.boto("lambda").list_event_source_mappings()["EventSourceMappings"]
        (mine,) = [m for m in found if m["EventSourceArn"].endswith(f":autoscaler-{NAME}")]
        return int(mine["ScalingConfig"]["MaximumConcurrency"])

    wait_for(most, lambda number: number == 2, "the readers of one copy")


def test_one_that_may_wait_is_answered_while_there_is_room(stack: Stack) -> None:
    body = {"id": "later", "prompt": "x", "autoscaler": {"deferrable": True, "ttl": "20h"}}
    stack.ask(NAME, body)
    assert "answer" in stack.result(NAME, "later")
    wait_for(lambda: deferrable(stack), lambda left: left == 0, "an empty queue")


def test_asleep_it_wakes_nothing_until_it_is_due_and_then_is_answered(stack: Stack) -> None:
    assert stack.command("sleep", endpoint=NAME)["ok"]
    stack.until(NAME, "ASLEEP")
    due = stack.account.clock.now() + timedelta(hours=12)
    options = {"deferrable": True, "deadline": due.isoformat()}
    # Into its own queue: a tick that sees it on its way there, in the other, wakes for it.
    stack.account.boto("sqs").send_message(
        QueueUrl=queue(stack, f"autoscaler-{NAME}-later"),
        MessageBody=json.dumps({"id": "due", "prompt": "x", "autoscaler": options}),
    )
    wait_for(lambda: deferrable(stack), lambda left: left == 1, "the request in its queue")
    assert stack.get(NAME)["phase"] == "ASLEEP", "half a day is left"
    # As much of the day's end is left as a busy machine may need for a start.
    left = (due - stack.account.clock.now() - timedelta(hours=1)).total_seconds()
    stack.account.clock.jump(left)
    result = stack.result(NAME, "due")
    assert "answer" in result
    assert "late" not in result


def test_its_queue_goes_with_the_endpoint(stack: Stack) -> None:
    assert stack.command("delete", endpoint=NAME, discard_requests=True)["ok"]
    stack.until(NAME, None)
    sqs = stack.account.boto("sqs")
    assert sqs.list_queues(QueueNamePrefix=f"autoscaler-{NAME}").get("QueueUrls", []) == []
    mappings = stack.account.boto("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert [m for m in mappings if NAME in m["EventSourceArn"]] == []
