"""An endpoint that is deleted while requests that may wait lie in their queue."""

from __future__ import annotations

import json

import pytest

from autoscaler.endpoints.names import ResourceNames
from autoscaler.policy.types import Phase
from tests.histories.forks import in_copy
from tests.histories.scenarios import asleep, left
from tests.histories.template import STACK
from tests.histories.world import NAME, World

NAMES = ResourceNames(STACK, NAME)


def _send_later(world: World, request: str) -> None:
    sqs = world.client("sqs")
    body = {"id": request, "messages": [{"role": "user", "content": "why?"}]}
    url = sqs.get_queue_url(QueueName=NAMES.later_queue)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))


def _deleted(world: World, main: bool) -> tuple[list[str], str | None, list[str]]:
    """With its other queue, or after somebody has deleted that by hand."""
    asleep(world)
    sqs = world.client("sqs")
    if not main:
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=NAMES.queue)["QueueUrl"])
    assert world.command("delete", endpoint=NAME).payload["ok"]
    _send_later(world, "one")  # before its queue is closed
    assert world.settle(hours=4)
    return [*world.refusals(), *world.answers()], world.phase(), left(world)


def _unread(world: World) -> tuple[list[str], str | None, list[str]]:
    """Its creation failed before it gave its queues readers."""
    world.containers_speak = True
    world.sagemaker.break_container(world.component(NAME), "CUDA error: out of memory")
    world.apply()
    assert world.settle()
    assert world.phase() == Phase.FAILED
    assert world.command("delete", endpoint=NAME).payload["ok"]
    _send_later(world, "one")
    assert world.settle(hours=4)
    return [*world.refusals(), *world.answers()], world.phase(), left(world)


def test_a_queue_that_nobody_reads_yet_is_given_a_reader(empty: World) -> None:
    told, phase, still_there = in_copy(lambda: _unread(empty))
    assert told == ["one"]
    assert (phase, still_there) == (None, [])


@pytest.mark.parametrize("main", [True, False], ids=["beside its queue", "its queue is gone"])
def test_what_came_before_the_queue_was_closed_is_refused_and_not_deleted(
    empty: World, main: bool
) -> None:
    told, phase, still_there = in_copy(lambda: _deleted(empty, main))
    assert told == ["one"]
    assert (phase, still_there) == (None, [])
