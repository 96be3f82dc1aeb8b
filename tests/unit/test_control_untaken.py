"""The tick does not wake an endpoint for a request that a kept answer may answer just now."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from autoscaler.aws.load import AwsLoadReader
from autoscaler.control.reconcile import reconcile
from autoscaler.endpoints.status import EndpointStatus
from autoscaler.policy.types import Phase
from autoscaler.ports import Capacity, Load
from autoscaler.spec import EndpointSpec
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, put, spec

NAME = "llama"
KEEPING = spec(NAME, answers={"keep": "1h"})


def looked(status: EndpointStatus, wanted: EndpointSpec, *, untaken: int = 0) -> MemoryWorld:
    """After a tick that saw two requests, of which so many nobody has taken."""
    world = memory_world()
    put(world, status, wanted)
    world.scaler.capacities[NAME] = Capacity(exists=True, status="InService")
    world.load.loads[NAME] = Load(backlog=2, concurrency_per_copy=None)
    world.load.in_sight[NAME] = untaken
    reconcile(world)
    return world


def phase(world: MemoryWorld) -> Phase:
    return world.store.records[NAME].status.phase


def test_what_a_dispatcher_has_taken_wakes_nothing() -> None:
    assert phase(looked(asleep(NAME), KEEPING)) is Phase.ASLEEP


@pytest.mark.parametrize(
    ("changes", "wanted", "untaken"),
    [
        ({}, spec(NAME), 0),
        ({}, KEEPING, 1),
        ({"retry_at": NOON - timedelta(seconds=1), "failed_wakes": 1}, KEEPING, 0),
    ],
    ids=["keeps no answers", "nobody reads the queue", "after a wake that failed"],
)
def test_everything_else_does(changes: dict[str, Any], wanted: EndpointSpec, untaken: int) -> None:
    assert phase(looked(asleep(NAME, **changes), wanted, untaken=untaken)) is Phase.WAKING


def test_what_is_out_of_sight_is_not_untaken() -> None:
    counts = {
        "ApproximateNumberOfMessages": "3",
        "ApproximateNumberOfMessagesNotVisible": "5",
        "ApproximateNumberOfMessagesDelayed": "7",
    }

    class Sqs:
        def get_queue_url(self, QueueName: str) -> dict[str, str]:
            return {"QueueUrl": QueueName}

        def get_queue_attributes(self, AttributeNames: list[str], **_: Any) -> dict[str, Any]:
            return {"Attributes": {name: counts[name] for name in AttributeNames}}

    reader = AwsLoadReader("s", sqs=Sqs())
    assert (reader.backlog(NAME), reader.untaken(NAME)) == (15, 3)
